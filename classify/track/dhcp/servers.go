package dhcp

import (
	"slices"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Limits of what Servers remembers. An honest capture has a handful of servers
// and segments; the rest is room for an attacker to waste without harm.
const (
	maxWatched   = 128  // about 4 KB each
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

// A serverKey is a server as it shows itself: its option 54, the MAC that its
// frames come from, and where. The MAC is zero when a relay or a router sent
// the frame on, so that the server cannot be told by it.
type serverKey struct {
	id   wire.Addr
	mac  wire.MAC
	vlan uint16
	face int32 // index of the capture interface
}

// A segmentKey is a broadcast domain as far as a capture can tell.
type segmentKey struct {
	vlan uint16
	face int32
}

// A server is what is known of one DHCP server.
type server struct {
	key         serverKey
	first, last capture.Time
	frames      []capture.FrameID

	offers, acks, naks, named int
	gave                      bool // handed out an address
	local                     bool // answered clients on this segment, not through a relay
	giaddrs                   []wire.Addr
	relayed                   bool // some answers came through a relay: its own frames were not seen
	foreign                   bool // some reply was not sent by the capturing host
	cooked                    bool // captured on "any": no telling on which network

	shape    shape
	hasTerms bool
	terms    terms
	bootless int // answers without boot information to clients that boot
	boot     int // answers with

	served   []served
	more     int // clients beyond maxServed
	standing standing
	verdict  *finding.Rule // why it is uninvited, nil when it is not
	said     said
	quarrels []track.Withdrawal // what dhcp-answers-disagree said of it
}

// served is one client of one server.
type served struct {
	mac      wire.MAC
	addr     wire.Addr
	kind     track.ClientKind
	offers   int
	bootless bool // it boots and was offered nothing to boot
	acked    bool
	naked    bool
	named    bool // it named the server in a REQUEST
	other    bool // it chose another server since, or was offered better
	reported bool
	first    capture.Time
	last     capture.Time
	frames   []capture.FrameID
}

// harmed reports whether the client depends on what the server does: it took
// its lease, was refused by it, or hears nothing better.
func (c *served) harmed() bool {
	return c.acked || c.naked || c.named || c.bootless && c.offers > 1 && !c.other
}

// A segment is what is known of one broadcast domain.
type segment struct {
	key       segmentKey
	lastReply capture.Time // of any server
	replied   bool
	several   string // what dhcp-several-servers said last
	pool      pool
	stp       spanning
	late      []lateCaller
	sprayed   sprayed
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

// request reads what a client says.
func (s *Servers) request(f *wire.Frame, m Message, o *Options, out *track.Out) {
	mac := m.CHAddr()
	if mac.IsZero() || ClientProbe(m, o) != "" {
		return
	}
	c := s.callers.Get(mac)
	if c == nil {
		c = s.callers.Put(mac)
		c.kind = track.ClientOther
	}
	c.forged = forged(f, m)
	s.identify(f, m, o, c, out)
	s.discovering(f, m, o, c, out)
	typ := o.Type()
	if !o.Cut() || typ != 0 {
		c.kind = ClientKind(m, o)
	}
	c.typ, c.secs, c.xid, c.at = typ, m.Secs(), m.XID(), f.Time
	switch typ {
	case Discover:
		s.spray(f, m, out)
	case Request:
		// On port 4011 a boot server is asked for a file, not for an address.
		if id := o.Addr(OptServerID); !id.IsZero() && f.DstPort != PortPXE {
			c.chosen = id
			s.naming(f, m, o, id, c.kind, out)
		}
	case Release, Decline:
		s.free(f, m, o)
	}
}

// naming follows a REQUEST that names its server: the choice of the client.
func (s *Servers) naming(f *wire.Frame, m Message, o *Options, id wire.Addr, kind track.ClientKind, out *track.Out) {
	mac, seg := m.CHAddr(), segmentOf(f)
	s.prefer(seg, id, mac, out)
	if !m.GIAddr().IsZero() || s.relays.Get(id) != nil {
		return // behind a relay that answers for its server (RFC 5107) the id is the relay's
	}
	v := s.server(serverKey{id: id, vlan: seg.vlan, face: seg.face}, f, out)
	v.local = true
	v.named++
	v.last = f.Time
	v.evidence(f)
	c := v.serve(mac, f)
	if c != nil {
		c.named, c.other, c.kind = true, false, kind
		if a := o.Addr(OptRequestedAddr); !a.IsZero() {
			c.addr = a
		}
	}
	s.judge(v, c, out)
}

// prefer notes that a client has, or has chosen, a better server than the
// others of the segment: what only those offered it does no harm.
func (s *Servers) prefer(seg segmentKey, id wire.Addr, mac wire.MAC, out *track.Out) {
	s.servers.Each(func(k serverKey, v *server, _ capture.Time) {
		if k.id == id || k.vlan != seg.vlan || k.face != seg.face {
			return
		}
		c := v.client(mac)
		if c == nil || c.acked || c.naked || c.named {
			return
		}
		c.other = true
		if c.reported && v.verdict != nil {
			c.reported = false
			out.Withdraw(track.Withdrawal{Rule: v.verdict, Node: c.node(), Server: v.endpoint(), Subject: v.key.id.String()})
		}
	})
}

// preferred reports whether another server of the segment offered the client
// something to boot.
func (s *Servers) preferred(v *server, mac wire.MAC) bool {
	yes := false
	s.servers.Each(func(_ serverKey, u *server, _ capture.Time) {
		if u != v && u.boot > 0 && shareSegment(u, v) {
			c := u.client(mac)
			yes = yes || c != nil && c.offers > 0 && !c.bootless
		}
	})
	return yes
}

// server returns the record of k, a new one if need be. A server that shows no
// MAC, because it was only named or a relay stands before it, is taken for the
// one with that id; and it keeps its record when it shows its MAC.
func (s *Servers) server(k serverKey, f *wire.Frame, out *track.Out) *server {
	v := s.servers.Get(k)
	if v != nil {
		return v
	}
	bare := k
	bare.mac = wire.MAC{}
	if k == bare {
		s.servers.Each(func(_ serverKey, u *server, _ capture.Time) {
			if x := u.key; v == nil && x.id == k.id && x.vlan == k.vlan && x.face == k.face {
				v = u
			}
		})
		if v != nil {
			return v
		}
	}
	fresh := server{first: f.Time}
	if old := s.servers.Get(bare); old != nil {
		s.retract(old, out)
		fresh = *old
		fresh.verdict = nil
		s.servers.Delete(bare)
	}
	v = s.servers.Put(k)
	*v = fresh
	v.key = k
	return v
}

// reply reads what a server says.
func (s *Servers) reply(f *wire.Frame, m Message, o *Options, out *track.Out) {
	seg := s.segment(segmentOf(f))
	seg.lastReply, seg.replied = f.Time, true
	mac, typ := m.CHAddr(), o.Type()
	c := s.callers.Get(mac)
	if c != nil {
		s.heard(f, seg, c, mac, out)
	}
	if typ != Offer && typ != Ack && typ != Nak || f.SrcPort == PortPXE {
		return // BOOTP or cut away: it does not say who it is; or a boot server
	}
	id := o.Addr(OptServerID)
	gi := m.GIAddr()
	switch {
	case s.override(id, gi, o), id.IsZero() && !gi.IsZero():
		return
	case id.IsZero():
		id = f.Src
	}
	toRelay := f.DstPort == PortServer
	key := serverKey{id: id, mac: f.SrcMAC, vlan: seg.key.vlan, face: seg.key.face}
	if !gi.IsZero() && !toRelay {
		key.mac = wire.MAC{} // the relay's frame
	} else if !initialTTL(f.TTL) {
		key.mac = wire.MAC{} // the last router's frame
	}
	v := s.server(key, f, out)
	v.last = f.Time
	v.evidence(f)
	v.foreign = v.foreign || !f.Outgoing
	v.cooked = f.Link == capture.LinkSLL || f.Link == capture.LinkSLL2
	switch {
	case !toRelay:
		v.local = true
	case len(v.giaddrs) < maxGiaddrs && !slices.Contains(v.giaddrs, gi):
		v.giaddrs = append(v.giaddrs, gi)
	}
	v.relayed = v.relayed || !gi.IsZero()
	var to *served
	if c == nil || c.kind != track.ClientProbe {
		to = v.serve(mac, f)
	}
	if to != nil && c != nil {
		to.kind = c.kind
	}
	s.account(f, m, o, v, to, out)
	yi := m.YIAddr()
	if typ != Nak && !yi.IsZero() {
		v.gave = true
		s.give(f, m, o, c, v, out)
		s.compare(f, m, o, v, out)
		if typ == Ack {
			s.acked(f, seg, mac, yi, v, out)
		}
	}
	s.judge(v, to, out)
}

// override reports whether option 54 is an address that a relay put in place
// of its server's (RFC 5107).
func (s *Servers) override(id, gi wire.Addr, o *Options) bool {
	if id.IsZero() {
		return false
	}
	return id == gi || s.relays.Get(id) != nil || hasSubOption(o.Get(OptRelayAgent), 11)
}

func hasSubOption(v []byte, code byte) bool {
	for len(v) >= 2 && len(v) >= 2+int(v[1]) {
		if v[0] == code {
			return true
		}
		v = v[2+int(v[1]):]
	}
	return false
}

// initialTTL reports whether a TTL is one that systems send with, so that the
// frame's MAC is the sender's own.
func initialTTL(ttl uint8) bool {
	return ttl == 0 || ttl == 16 || ttl == 32 || ttl == 64 || ttl == 128 || ttl == 255
}

// account keeps what an answer tells of its server and its client.
func (s *Servers) account(f *wire.Frame, m Message, o *Options, v *server, to *served, out *track.Out) {
	typ := o.Type()
	switch typ {
	case Offer:
		v.offers++
	case Ack:
		v.acks++
	case Nak:
		v.naks++
		if to != nil {
			to.naked = true
		}
		return
	}
	if m.YIAddr().IsZero() {
		return // a proxy's offer, or the answer to an INFORM
	}
	if !o.Cut() {
		v.shape.read(f, m, o)
		v.hasTerms, v.terms = true, readTerms(m, o, v.key.id)
	}
	if to == nil {
		return
	}
	to.addr = m.YIAddr()
	if typ == Ack {
		to.acked, to.other = true, false
	} else {
		to.offers++
	}
	if to.kind.Boots() && !o.Cut() {
		to.bootless = !hasBootInfo(m, o)
		if to.bootless {
			v.bootless++
			to.other = to.other || s.preferred(v, to.mac)
		} else {
			v.boot++
			s.prefer(segmentOf(f), v.key.id, to.mac, out)
		}
	}
}

// evidence keeps the first frames of a server and its last one.
func (v *server) evidence(f *wire.Frame) {
	const most = 16
	if len(v.frames) < most {
		v.frames = append(v.frames, f.ID)
	} else {
		v.frames[most-1] = f.ID
	}
}

// client returns the record of a client, or nil.
func (v *server) client(mac wire.MAC) *served {
	for i := range v.served {
		if v.served[i].mac == mac {
			return &v.served[i]
		}
	}
	return nil
}

// serve returns the record of a client, a new one while there is room.
func (v *server) serve(mac wire.MAC, f *wire.Frame) *served {
	if mac.IsZero() {
		return nil
	}
	c := v.client(mac)
	if c == nil {
		if len(v.served) >= maxServed {
			v.more++
			return nil
		}
		v.served = append(v.served, served{mac: mac, first: f.Time})
		c = &v.served[len(v.served)-1]
	}
	c.last = f.Time
	const most = 8
	if len(c.frames) < most {
		c.frames = append(c.frames, f.ID)
	} else {
		c.frames[most-1] = f.ID
	}
	return c
}

func (c *served) node() finding.Endpoint { return finding.Endpoint{MAC: c.mac, Addr: c.addr} }

func (v *server) endpoint() finding.Endpoint {
	return finding.Endpoint{MAC: v.key.mac, Addr: v.key.id, Port: PortServer}
}

// sorted lists the servers in the order in which they appeared.
func (s *Servers) sorted() []*server {
	var all []*server
	s.servers.Each(func(_ serverKey, v *server, _ capture.Time) { all = append(all, v) })
	return all
}

// same reports whether two records are one server: under one id, with or
// without its MAC, or one machine with several addresses.
func same(a, b *server) bool {
	return a.key.id == b.key.id || !a.key.mac.IsZero() && a.key.mac == b.key.mac
}

// shareSegment reports whether two servers answer clients of one segment: both
// on it, or both through the same relay. A capture on "any" mixes networks, so
// there they must have answered one client.
func shareSegment(a, b *server) bool {
	switch {
	case a.key.vlan != b.key.vlan || a.key.face != b.key.face:
		return false
	case a.cooked || b.cooked:
		return slices.ContainsFunc(a.served, func(c served) bool { return b.client(c.mac) != nil })
	case a.local && b.local:
		return true
	}
	return slices.ContainsFunc(a.giaddrs, func(g wire.Addr) bool { return slices.Contains(b.giaddrs, g) })
}
