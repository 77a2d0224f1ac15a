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

// What is known of a direction, flags of stream. What was acknowledged is one bit
// above what was sent.
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
	hosts       uint64 // both addresses, see hosts
	ports       uint32 // the client's above the server's
	bytes       uint32 // payload of the server that is not in the series yet
	last        capture.Time
	dir         [2]direction
	flags       [2]uint8
	place       uint16 // of the stream in slots and ends
	wide        bool   // hosts is a hash
	joined      bool   // met in the middle: what was acknowledged before is not known
	established bool   // the client answered the SYN/ACK
	halfOpen    bool   // it was reported that the client never does
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
	tags  [streamSets]tags
	slots [numStreams]stream
	ends  [numStreams]ends
}

const (
	streamSets = 1 << 11
	streamWays = 4
	numStreams = streamSets * streamWays

	// isHint is set in a track.Out's Place: below it are the side that sent the
	// frame, and the place of the stream.
	isHint = 2 * numStreams
)

// tags are of the streams of a set, 16 bits each from the lowest: part of the
// hash, or 0 for a free slot.
type tags uint64

const (
	everyTag  = 1<<48 | 1<<32 | 1<<16 | 1
	tagBits   = 16
	belowHigh = everyTag * (1<<15 - 1) // all but the highest bit of each
)

func (v tags) of(way int) uint16 { return uint16(v >> (way * tagBits)) }

func (v *tags) set(way int, tag uint16) {
	at := way * tagBits
	*v = *v&^(0xffff<<at) | tags(tag)<<at
}

// equal has the highest bit set of each tag that is equal to one. An addition
// that stays below that bit reaches it from anything but 0.
func (v tags) equal(tag uint16) uint64 {
	x := uint64(v) ^ uint64(tag)*everyTag
	return ^(x&belowHigh + belowHigh | x | belowHigh)
}

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
func setOf(f *wire.Frame) (set uint, tag uint16) { return uint(f.Hash >> 53), uint16(f.Hash) | 1 }

// hosts is both addresses of f from its sender, if they are of IPv4; else wide,
// and the same for both directions: then ends has to be compared.
func hosts(f *wire.Frame) (both uint64, wide bool) {
	if f.IPVersion == 4 || f.Src.Is4() && f.Dst.Is4() {
		return hosts4(f), false
	}
	return f.Hash, true
}

func hosts4(f *wire.Frame) uint64 {
	return uint64(binary.LittleEndian.Uint32(f.Src[12:]))<<32 | uint64(binary.LittleEndian.Uint32(f.Dst[12:]))
}

// ports are both ports of f, the sender's above.
func ports(f *wire.Frame) uint32 { return uint32(f.SrcPort)<<16 | uint32(f.DstPort) }

// is reports whether f is of s, from side d, if both are of IPv4.
func (s *stream) is(f *wire.Frame, d int) bool {
	return s.hosts == bits.RotateLeft64(hosts4(f), d*32) && s.ports == bits.RotateLeft32(ports(f), d*16) && !s.wide
}

// find is the stream of f and the side that sent f, or nil.
func (t *streams) find(f *wire.Frame) (*stream, int) {
	m := t.streamMemory
	if m == nil {
		return nil, 0
	}
	set, tag := setOf(f)
	both, wide := hosts(f)
	back := both
	if !wide {
		back = bits.RotateLeft64(both, 32)
	}
	there := ports(f)
	for same := m.tags[set].equal(tag); same != 0; same &= same - 1 {
		s := &m.slots[(set*streamWays+uint(bits.TrailingZeros64(same))/tagBits)%numStreams]
		if s.wide != wide {
			continue
		}
		if s.hosts == both && s.ports == there &&
			(!wide || m.ends[s.place].client == f.Src && m.ends[s.place].server == f.Dst) {
			return s, byClient
		}
		if s.hosts == back && s.ports == bits.RotateLeft32(there, 16) &&
			(!wide || m.ends[s.place].client == f.Dst && m.ends[s.place].server == f.Src) {
			return s, byServer
		}
	}
	return nil, 0
}

// flow is the flow of s from its client.
func (t *streams) flow(s *stream) wire.Flow {
	e := &t.ends[s.place]
	return wire.Flow{Src: e.client, Dst: e.server, SrcPort: uint16(s.ports >> 16), DstPort: uint16(s.ports), Proto: wire.ProtoTCP}
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
		ways := t.slots[set*streamWays:][:streamWays]
		at := 0
		for way := range ways {
			if t.tags[set].of(way) == 0 {
				at = way
				break
			}
			if ways[way].last < ways[at].last {
				at = way
			}
		}
		t.tags[set].set(at, tag)
		s = &ways[at]
		s.place = uint16(int(set)*streamWays + at)
	}
	both, wide := hosts(f)
	if !wide && f.Src != flow.Src {
		both = bits.RotateLeft64(both, 32)
	}
	*s = stream{hosts: both, wide: wide, ports: uint32(flow.SrcPort)<<16 | uint32(flow.DstPort), last: f.Time, place: s.place}
	t.ends[s.place] = ends{client: flow.Src, server: flow.Dst}
	return s
}

// each calls do for every stream.
func (t *streams) each(do func(*stream)) {
	if t.streamMemory == nil {
		return
	}
	for i := range t.slots {
		if t.tags[i/streamWays].of(i%streamWays) != 0 {
			do(&t.slots[i])
		}
	}
}

// after reports whether sequence number a is beyond b (RFC 9293 section 3.4).
func after(a, b uint32) bool { return int32(a-b) > 0 }
