package counter

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/rpc"
	"github.com/pxescope/pxescope/classify/wire"
)

// MaxLearnt is how many ports a counter with Config.Learn learns at most.
const MaxLearnt = 64

// A LearntPort is a port that a portmap reply told (RFC 1833). It is counted
// for all servers: the kernel's table knows ports and no addresses.
type LearntPort struct {
	Proto   string `json:"proto"`
	Port    uint16 `json:"port"`
	Service string `json:"service"`
	Server  string `json:"server"` // address of the first one that was told of
}

// portmapText is what a learner has to see.
const portmapText = "port 111 or (vlan and port 111) or (vlan and port 111)"

// A learner reads portmap's messages with the analyzer's own tracker, which
// pairs calls with replies, in UDP and TCP.
type learner struct {
	dec      *wire.Decoder
	frame    wire.Frame
	dispatch *track.Dispatcher
	told     []track.Expectation
}

func newLearner(c *catalog.Catalog) *learner {
	l := &learner{dec: wire.NewDecoder()}
	l.dispatch = track.NewDispatcher([]track.Spec{rpc.Spec}, &track.Config{Catalog: c, Site: site.Default()}, l)
	return l
}

// Take keeps the ports that the tracker tells of.
func (l *learner) Take(out *track.Out) {
	for _, e := range out.Expected {
		if e.Server {
			l.told = append(l.told, e)
		}
	}
}

// packet is what one packet told. The slice is good until the next call.
func (l *learner) packet(p *capture.Packet) []track.Expectation {
	l.told = l.told[:0]
	l.dec.Decode(p, &l.frame)
	l.dispatch.Frame(&l.frame)
	return l.told
}

// reserve makes room for ports to learn.
func (l *Layout) reserve() {
	for n := min(MaxLearnt, maxSlots-len(l.slots)); n > 0; n-- {
		l.add(Slot{Kind: Reserved})
	}
}

// learn gives a port of no service to one. It reports false when the port has
// one already, or all room is taken.
func (l *Layout) learn(proto catalog.Proto, port uint16, service string) bool {
	t := tcpTable
	if proto == catalog.UDP {
		t = udpTable
	}
	s := l.cat.ByID(service)
	if s == nil || l.ports[t][port] != slotOther {
		return false
	}
	for i := range l.slots {
		if l.slots[i].Kind == Reserved {
			l.slots[i] = Slot{Kind: PortKind, Service: s.ID, Phase: string(s.Phase), Proto: proto, Port: port, Last: port, index: s.Index}
			l.ports[t][port], l.rank[i] = uint8(i), l.learntRank(s.Index)
			return true
		}
	}
	return false
}

// learntRank is the weight of a learnt port against the client's: that of the
// service's own ports, or of NFS, whose clients bind reserved ports as well.
func (l *Layout) learntRank(service catalog.Index) uint8 {
	most := l.cat.Table(uint8(catalog.TCP))[2049].Rank()
	for i, s := range l.slots {
		if s.Kind == PortKind && s.index == service && !s.Client {
			most = max(most, l.rank[i])
		}
	}
	return max(most, 1)
}
