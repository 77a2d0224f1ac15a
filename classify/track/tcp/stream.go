package tcp

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/wire"
)

// Sides of a stream.
const (
	byClient = 0
	byServer = 1
)

// bigSegment is the payload from which on a segment may meet a smaller MTU:
// 1200 bytes pass everywhere that IPv6 does (RFC 8200 section 5: 1280).
const bigSegment = 1200

// A direction is what one side of a stream sent, and what the other side
// acknowledged of it.
type direction struct {
	next     uint32 // the sequence number after the highest byte sent
	acked    uint32 // the highest acknowledgment number for it
	bigEnd   uint32 // after the first big segment
	smallEnd uint32 // after the first small segment
	flags    uint8
}

const (
	hasNext    = 1 << iota // next is known
	hasAck                 // acked is known
	hasBig                 // a big segment was sent
	bigAcked               // and acknowledged
	hasSmall               // a small segment was sent
	smallAcked             // and acknowledged
	smallAgain             // a small segment was repeated
	inTrouble              // a big segment was repeated: see trouble
)

// A stream is one connection of a known service, oriented from its client.
type stream struct {
	client, server wire.Addr
	cport, sport   uint16
	mss            [2]uint16 // 0: not seen
	dir            [2]direction
	last           capture.Time
	bytes          uint32 // payload of the server that is not in the series yet
	used           bool   // else the slot is free
	joined         bool   // met in the middle: what was acknowledged before is not known
	established    bool   // the client answered the SYN/ACK
	halfOpen       bool   // it was reported that the client never does
}

func (s *stream) flow() wire.Flow {
	return wire.Flow{Src: s.client, Dst: s.server, SrcPort: s.cport, DstPort: s.sport, Proto: wire.ProtoTCP}
}

// streams is a fixed number of streams, by a hash of their addresses and
// ports, in sets of ways. A full set gives up the stream that was idle longest:
// it loses its place in a retransmission and at most flushBytes of its count.
type streams struct {
	ports [1 << 10]uint64 // ports of known services, one bit each
	tags  []uint32        // by slot: part of the hash, 0 for a free slot
	slots []stream
}

const (
	streamSets = 2048
	streamWays = 4
)

// services notes which ports carry known services.
func (t *streams) services(c *catalog.Catalog) {
	for port, e := range c.Table(wire.ProtoTCP) {
		if e.Index() != catalog.None {
			t.want(uint16(port))
		}
	}
}

func (t *streams) want(port uint16) { t.ports[port>>6] |= 1 << (port & 63) }

func (t *streams) wanted(f *wire.Frame) bool {
	return t.ports[f.SrcPort>>6]>>(f.SrcPort&63)&1|t.ports[f.DstPort>>6]>>(f.DstPort&63)&1 != 0
}

// hash is the same for both directions.
func hash(f *wire.Frame) (set int, tag uint32) {
	const k = 0x9e3779b97f4a7c15
	a := binary.LittleEndian.Uint64(f.Src[8:]) + binary.LittleEndian.Uint64(f.Dst[8:])
	h := (a ^ uint64(f.SrcPort)*uint64(f.DstPort)) * k
	h = (h ^ h>>32 ^ uint64(f.SrcPort^f.DstPort)) * k
	return int(h>>53) % streamSets, uint32(h>>16) | 1
}

// find is the stream of f and the side that sent f, or nil.
func (t *streams) find(f *wire.Frame) (*stream, int) {
	if t.slots == nil {
		return nil, 0
	}
	set, tag := hash(f)
	ways := t.slots[set*streamWays:][:streamWays:streamWays]
	// The stream of the set that was met last comes first: mostly it is the one,
	// and then its tag need not be looked at.
	if d, ok := ways[0].side(f); ok {
		return &ways[0], d
	}
	tags := t.tags[set*streamWays:][:streamWays:streamWays]
	for j := 1; j < streamWays; j++ {
		if tags[j] != tag {
			continue
		}
		if d, ok := ways[j].side(f); ok {
			tags[0], tags[j] = tags[j], tags[0]
			ways[0], ways[j] = ways[j], ways[0]
			return &ways[0], d
		}
	}
	return nil, 0
}

// side is the side of s that sent f, when f is of s.
func (s *stream) side(f *wire.Frame) (int, bool) {
	if !s.used {
		return 0, false
	}
	if s.cport == f.SrcPort && s.sport == f.DstPort && s.client == f.Src && s.server == f.Dst {
		return byClient, true
	}
	if s.cport == f.DstPort && s.sport == f.SrcPort && s.client == f.Dst && s.server == f.Src {
		return byServer, true
	}
	return 0, false
}

// put makes a stream of flow, from its client, for a frame of it of either
// direction; a stream of before is forgotten.
func (t *streams) put(flow wire.Flow, f *wire.Frame) *stream {
	if t.slots == nil {
		t.tags, t.slots = make([]uint32, streamSets*streamWays), make([]stream, streamSets*streamWays)
	}
	s, _ := t.find(f)
	if s == nil {
		set, tag := hash(f)
		first := set * streamWays
		at := first
		for i := first; i < first+streamWays; i++ {
			if t.tags[i] == 0 {
				at = i
				break
			}
			if t.slots[i].last < t.slots[at].last {
				at = i
			}
		}
		t.tags[at] = tag
		s = &t.slots[at]
	}
	*s = stream{client: flow.Src, server: flow.Dst, cport: flow.SrcPort, sport: flow.DstPort, last: f.Time, used: true}
	return s
}

// each calls do for every stream.
func (t *streams) each(do func(*stream)) {
	for i, tag := range t.tags {
		if tag != 0 {
			do(&t.slots[i])
		}
	}
}

// after reports whether sequence number a is beyond b (RFC 9293 section 3.4).
func after(a, b uint32) bool { return int32(a-b) > 0 }
