package tcp

import (
	"encoding/binary"
	"math/bits"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/track"
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
}

// What is known of a direction, flags of stream.
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

// A stream is one connection of a known service, oriented from its client. It
// fills one line of a processor's cache, because with thousands of streams
// nearly every segment has to wait for it: what few segments need is in ends.
type stream struct {
	hosts        uint64 // both addresses, see hosts
	cport, sport uint16
	bytes        uint32 // payload of the server that is not in the series yet
	last         capture.Time
	dir          [2]direction
	flags        [2]uint8
	place        uint16 // of the stream in slots and ends
	wide         bool   // hosts is a hash
	joined       bool   // met in the middle: what was acknowledged before is not known
	established  bool   // the client answered the SYN/ACK
	halfOpen     bool   // it was reported that the client never does
}

// ends are the two ends of a stream.
type ends struct {
	client, server wire.Addr
	mss            [2]uint16 // 0: not seen
}

// streams is a fixed number of streams, by the hash of their addresses and
// ports, in sets of ways. A full set gives up the stream that was idle longest:
// it loses its place in a retransmission and at most flushBytes of its count.
type streams struct {
	ports track.PortSet // of known services
	*streamMemory
}

type streamMemory struct {
	tags  [streamSets][streamWays]uint16 // part of the hash, 0 for a free slot
	slots [streamSets * streamWays]stream
	ends  [streamSets * streamWays]ends
}

const (
	streamSets = 1 << 11
	streamWays = 4
)

// services notes which ports carry known services.
func (t *streams) services(c *catalog.Catalog) {
	for port, e := range c.Table(wire.ProtoTCP) {
		if e.Index() != catalog.None {
			t.ports.Add(uint16(port))
		}
	}
}

func (t *streams) wanted(f *wire.Frame) bool {
	return t.ports.Has(f.SrcPort) || t.ports.Has(f.DstPort)
}

// setOf is where to look for the stream of f, and its tag there.
func setOf(f *wire.Frame) (set int, tag uint16) { return int(f.Hash >> 53), uint16(f.Hash) | 1 }

// hosts is both addresses of f from its sender, if they are of IPv4; else wide,
// and the same for both directions: then ends has to be compared.
func hosts(f *wire.Frame) (both uint64, wide bool) {
	if f.IPVersion == 4 || f.Src.Is4() && f.Dst.Is4() {
		return uint64(binary.BigEndian.Uint32(f.Src[12:]))<<32 | uint64(binary.BigEndian.Uint32(f.Dst[12:])), false
	}
	return f.Hash, true
}

// find is the stream of f and the side that sent f, or nil.
func (t *streams) find(f *wire.Frame) (*stream, int) {
	if t.streamMemory == nil {
		return nil, 0
	}
	set, tag := setOf(f)
	both, wide := hosts(f)
	back := both
	if !wide {
		back = bits.RotateLeft64(both, 32)
	}
	for way, v := range &t.tags[set] {
		if v != tag {
			continue
		}
		s := &t.slots[set*streamWays+way]
		if s.wide != wide {
			continue
		}
		if s.hosts == both && s.cport == f.SrcPort && s.sport == f.DstPort &&
			(!wide || t.ends[s.place].client == f.Src && t.ends[s.place].server == f.Dst) {
			return s, byClient
		}
		if s.hosts == back && s.cport == f.DstPort && s.sport == f.SrcPort &&
			(!wide || t.ends[s.place].client == f.Dst && t.ends[s.place].server == f.Src) {
			return s, byServer
		}
	}
	return nil, 0
}

// flow is the flow of s from its client.
func (t *streams) flow(s *stream) wire.Flow {
	e := &t.ends[s.place]
	return wire.Flow{Src: e.client, Dst: e.server, SrcPort: s.cport, DstPort: s.sport, Proto: wire.ProtoTCP}
}

// put makes a stream of flow, from its client, for a frame of it of either
// direction; a stream of before is forgotten.
func (t *streams) put(flow wire.Flow, f *wire.Frame) *stream {
	if t.streamMemory == nil {
		t.streamMemory = new(streamMemory)
	}
	s, _ := t.find(f)
	if s == nil {
		set, tag := setOf(f)
		at := 0
		for way, v := range &t.tags[set] {
			if v == 0 {
				at = way
				break
			}
			if t.slots[set*streamWays+way].last < t.slots[set*streamWays+at].last {
				at = way
			}
		}
		t.tags[set][at] = tag
		s = &t.slots[set*streamWays+at]
		s.place = uint16(set*streamWays + at)
	}
	both, wide := hosts(f)
	if !wide && f.Src != flow.Src {
		both = bits.RotateLeft64(both, 32)
	}
	*s = stream{hosts: both, wide: wide, cport: flow.SrcPort, sport: flow.DstPort, last: f.Time, place: s.place}
	t.ends[s.place] = ends{client: flow.Src, server: flow.Dst}
	return s
}

// each calls do for every stream.
func (t *streams) each(do func(*stream)) {
	if t.streamMemory == nil {
		return
	}
	for i := range t.slots {
		if t.tags[i/streamWays][i%streamWays] != 0 {
			do(&t.slots[i])
		}
	}
}

// after reports whether sequence number a is beyond b (RFC 9293 section 3.4).
func after(a, b uint32) bool { return int32(a-b) > 0 }
