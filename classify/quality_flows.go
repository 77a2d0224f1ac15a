package classify

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/wire"
)

// flows is a small direct-mapped table of conversations, TCP's above all: what
// one side acknowledges shows what the capture missed. A conversation that
// another one pushes out is met again without what was known of it.
type flows struct {
	slots   *[flowSlots]flowSeen // apart, so that they begin with a cache line
	crowded bool                 // in the beginning one pushed out another
}

const flowSlots = 1024

// A flowSeen is a conversation, in one cache line. Its sides are told by
// comparing addresses and ports, not by who began.
type flowSeen struct {
	tag   uint64
	next  [2]uint32
	ack   [2]uint32
	flags [2]uint8
	rises [2]uint8 // how often a side acknowledged more, while the other is unseen
	hole  [2]hole  // bytes that a side sent and the capture does not show
	_     [20]byte
}

// A hole is a range of sequence numbers.
type hole struct{ from, to uint32 }

// Flags of a side.
const (
	saw      = 1 << iota // a frame of it
	askedSYN             // its SYN, and nothing of the other side since
	hasHole
	toldBlind // what the other side sends was said to be hidden
)

// risesProve is how often acknowledgments must rise over data that nobody saw
// before one direction counts as hidden.
const risesProve = 3

// flowOf finds the slot of a flow, the same for both directions. fresh says that
// the conversation is met for the first time for certain: no other one stood in
// its place.
func (q *quality) flowOf(f *wire.Frame) (x *flowSeen, fresh bool) {
	h := f.Hash | 1
	x = &q.flows.slots[h>>40%flowSlots]
	if x.tag == h {
		return x, false
	}
	fresh = x.tag == 0
	q.flows.crowded = q.flows.crowded || !fresh && f.Time-q.begun < beginning
	*x = flowSeen{tag: h}
	return x, fresh
}

// segmentOf reads a TCP segment.
func (q *quality) segmentOf(s *segmentSeen, f *wire.Frame, h headers) {
	x, fresh := q.flowOf(f)
	me := h / fromSecond & 1
	other := me ^ 1
	seq, n, flags := f.TCP.Seq, uint32(max(f.PayloadLen, 0)), f.TCP.Flags
	if x.flags == [2]uint8{saw, saw} && seq == x.next[me] && flags&(wire.SYN|wire.RST|wire.ACK) == wire.ACK {
		x.ack[me] = f.TCP.Ack // nothing is missed, as mostly
		x.next[me] = seq + n
		return
	}
	if fresh && flags&(wire.SYN|wire.RST) == 0 && f.Time-q.begun < beginning {
		q.midFlow++
	}
	if x.flags[other]&toldBlind != 0 {
		x.flags[other] &^= toldBlind
		q.seenAfterAll(s, direction{f.Src, f.Dst}) // out of order, or one packet was dropped
	}
	switch {
	case flags&(wire.SYN|wire.ACK) == wire.SYN:
		if x.flags[other]&saw != 0 && x.next[me] == seq+1 {
			return // a late copy
		}
		if x.flags[other]&saw != 0 && x.ack[other] == seq+1 { // captured after its SYN, ACK
			x.flags[me] |= saw
			x.next[me] = seq + 1
			return
		}
		*x = flowSeen{tag: x.tag}
		x.flags[me], x.next[me] = saw|askedSYN, seq+1
		return
	case flags&wire.SYN != 0:
		x.flags[me] |= saw
		x.flags[other] &^= askedSYN
		x.next[me], x.ack[me] = seq+1, f.TCP.Ack
		return
	case flags&wire.RST != 0 || flags&wire.ACK == 0:
		x.flags[me] |= saw
		x.flags[other] &^= askedSYN
		return
	}
	first := x.flags[me]&saw == 0
	x.flags[me] |= saw
	x.flags[other] &^= askedSYN
	ack := f.TCP.Ack
	switch {
	case x.flags[other]&saw != 0:
		if x.flags[other]&hasHole != 0 && int32(ack-x.hole[other].to) >= 0 {
			s.lost++
			x.flags[other] &^= hasHole
		}
	case x.flags[me]&toldBlind != 0:
	case x.flags[me]&askedSYN != 0:
		x.flags[me] |= toldBlind
		q.unseen(s, direction{f.Dst, f.Src}, blindness{mac: f.SrcMAC, frame: f.ID, how: "goes on after its SYN without the SYN, ACK"})
	case !first && int32(ack-x.ack[me]) > 0:
		if x.rises[me]++; x.rises[me] == risesProve {
			x.flags[me] |= toldBlind
			q.unseen(s, direction{f.Dst, f.Src}, blindness{mac: f.SrcMAC, frame: f.ID, how: "acknowledges TCP data that was never seen"})
		}
	}
	x.ack[me] = ack
	x.data(me, first, seq, n)
}

// data follows the sequence numbers of a side and remembers one hole in them.
func (x *flowSeen) data(me headers, first bool, seq, n uint32) {
	me &= 1
	next, flags, o := &x.next[me], &x.flags[me], &x.hole[me]
	switch step := int32(seq - *next); {
	case first && *next == 0, step > 1<<28, step < -1<<28:
		*flags &^= hasHole
		*next = seq + n
		return
	case step > 1 && n > 0: // 1 is a FIN's, or a keep-alive's
		if *flags&hasHole == 0 {
			*flags |= hasHole
			*o = hole{*next, seq}
		}
	case step < 0 && *flags&hasHole != 0 && int32(o.to-seq) > 0 && int32(seq+n-o.from) > 0:
		*flags &^= hasHole // it came after all, or again
	}
	if end := seq + n; int32(end-*next) > 0 {
		*next = end
	}
}

// datagram reads a UDP datagram of the beginning, that may tell that others were
// before the capture.
func (q *quality) datagram(f *wire.Frame, svc catalog.Index, toServer bool) {
	if f.Stop != wire.StopNone || f.Copy {
		return
	}
	_, fresh := q.flowOf(f)
	switch {
	case !fresh || f.SrcPort == f.DstPort || f.Dst.IsMulticast():
	case svc == catalog.None:
		if runningTFTP(f) {
			q.midFlow++
		}
	case !toServer && q.due[svc] && f.SrcPort != 69:
		if _, ok := q.cat.At(svc).Claim(wire.ProtoUDP, f.SrcPort); ok { // else a port that was agreed in the traffic
			q.midFlow++
		}
	}
}

// runningTFTP reports whether f, between two ports of no service, looks like a
// block of a transfer beyond its first: DATA of a usual length, or an ACK.
func runningTFTP(f *wire.Frame) bool {
	p := f.Payload
	if len(p) < 4 || p[0] != 0 || f.SrcPort < 1024 || f.DstPort < 1024 || binary.BigEndian.Uint16(p[2:]) < 2 {
		return false
	}
	switch f.PayloadLen - 4 {
	case 512, 1024, 1400, 1408, 1428, 1432, 1450, 1456, 1468:
		return p[1] == 3
	case 0:
		return p[1] == 4
	}
	return false
}
