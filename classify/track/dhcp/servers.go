package dhcp

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Limits of what Servers remembers. An honest capture has a handful of servers
// and segments; the rest is room for an attacker to waste without harm.
const (
	maxWatched   = 128  // up to 20 KB each, with their clients
	maxSegments  = 256  // VLANs of an interface
	maxCallers   = 8192 // clients, about 300 bytes each
	maxServed    = 64   // clients remembered per server
	maxGiaddrs   = 16   // relays remembered per server
	maxAnswered  = 2048 // transactions whose offers are compared
	maxLeases    = 8192 // addresses given out
	maxNames     = 8192 // machine and client ids
	maxRelays    = 256  // relay addresses
	maxTermBytes = 128  // of a boot file or domain name that is kept for comparison
)

// serverRules are the rules of Servers, in the order of the catalogue.
var serverRules = []*finding.Rule{
	RuleRogueLibvirt, RuleRogueServer, RulePortNotForwarding, RulePoolExhausted,
	RuleIdentityCollision, RuleAnswersDisagree, RuleSeveralServers, RuleBadUUID, RuleStarvation,
}

// Servers watches who answers: uninvited and several servers, answers that
// disagree, identities used twice, ports that do not forward yet.
type Servers struct {
	cfg      *track.Config
	servers  *track.Table[serverKey, server]
	segments *track.Table[segmentKey, segment]
	callers  *track.Table[wire.MAC, caller]
	answered *track.Table[answerKey, answers]
	leases   *track.Table[leaseKey, holder]
	names    *track.Table[nameKey, namesakes]
	relays   *track.Table[wire.Addr, struct{}] // giaddr of messages seen
	first    capture.Time                      // of the first frame that came here
	seen     bool
}

// A segmentKey is a broadcast domain as far as a capture can tell.
type segmentKey struct {
	vlan uint16
	face int32
}

// A segment is what is known of one broadcast domain.
type segment struct {
	key     segmentKey
	several string // what dhcp-several-servers said last
	pool    pool
	stp     spanning
	late    []lateCaller
	sprayed sprayed
}

// A caller is a client, across its transactions.
type caller struct {
	seg  segmentKey
	kind track.ClientKind
	guid [16]byte // option 97
	uuid bool     // guid is set
	id   [16]byte // digest of option 61, zero when there is none

	xid      uint32
	typ      Type // of the last request
	secs     uint16
	at       capture.Time // of the last request
	chosen   wire.Addr    // the server named in the last REQUEST
	began    capture.Time // of the burst of DISCOVERs
	ignored  capture.Time // the DISCOVER of the burst before the last
	sends    int          // DISCOVERs in the burst
	frames   [4]capture.FrameID
	answered bool // the burst got some reply
	late     bool // l2-port-not-forwarding was said of it
	blamed   bool // it was said of it as an error, nothing having answered
	badUUID  bool
	forged   bool // its requests come from another's Ethernet address
}

func newServers(cfg *track.Config) *Servers {
	return &Servers{
		cfg:      cfg,
		servers:  track.NewTable[serverKey, server](maxWatched, nil),
		segments: track.NewTable[segmentKey, segment](maxSegments, nil),
		callers:  track.NewTable[wire.MAC, caller](maxCallers, nil),
		answered: track.NewTable[answerKey, answers](maxAnswered, nil),
		leases:   track.NewTable[leaseKey, holder](maxLeases, nil),
		names:    track.NewTable[nameKey, namesakes](maxNames, nil),
		relays:   track.NewTable[wire.Addr, struct{}](maxRelays, nil),
	}
}

// Evicted is how many servers and segments were dropped because a table was
// full. Clients, addresses and transactions age out and do not count: nothing
// of theirs is waiting to be judged.
func (s *Servers) Evicted() uint64 { return s.servers.Evicted() + s.segments.Evicted() }

// Message reads one DHCP message that is no copy.
func (s *Servers) Message(f *wire.Frame, m Message, o *Options, out *track.Out) {
	s.start(f.Time)
	if g := m.GIAddr(); !g.IsZero() && s.relays.Get(g) == nil {
		s.relays.Put(g)
		s.servers.Each(func(k serverKey, v *server, _ capture.Time) {
			if k.id == g {
				s.evaluate(v, out) // a relay that answers for its server is none
			}
		})
	}
	if m.Op() == BootRequest {
		s.request(f, m, o, out)
	} else {
		s.reply(f, m, o, out)
	}
}

// Finish ends the capture: what is on the books of uninvited servers is
// reported with its final counts.
func (s *Servers) Finish(end capture.Time, out *track.Out) {
	for _, v := range s.sorted() {
		if v.verdict == nil {
			continue
		}
		for i := range v.served {
			// Nothing better came for it until the end.
			if c := &v.served[i]; c.bootless && !c.other && !c.reported {
				s.findNode(v, c, out)
			}
		}
		s.findServer(v, out)
	}
}

func (s *Servers) start(at capture.Time) {
	if !s.seen {
		s.first, s.seen = at, true
	}
}

func segmentOf(f *wire.Frame) segmentKey { return segmentKey{f.VLAN(), int32(f.Iface)} }

func (s *Servers) segment(k segmentKey) *segment {
	g := s.segments.Get(k)
	if g == nil {
		g = s.segments.Put(k)
		g.key = k
	}
	return g
}
