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
	slots   [flowSlots]flowSeen
	crowded bool // in the beginning one pushed out another
}

const flowSlots = 1024

// A flowSeen is a conversation. Sides are told by comparing addresses and
// ports, not by who began.
type flowSeen struct {
	tag  uint64
	side [2]flowSide
}

// A flowSide is what one side sent.
type flowSide struct {
	next, ack uint32
	hole      [2]uint32 // bytes that it sent and the capture does not show
	flags     uint8
	rises     uint8 // how often it acknowledged more, while the other is unseen
}

// Flags of a flowSide.
const (
	saw      = 1 << iota // a frame of it
	askedSYN             // its SYN, and nothing of the other side since
	hasHole
	toldBlind // what the other side sends was said to be hidden
)

// risesProve is how often acknowledgments must rise over data that nobody saw
// before one direction counts as hidden.
const risesProve = 3

// isSecond reports which of the two sides of a flow f is from.
func isSecond(f *wire.Frame) bool {
	a, b := binary.LittleEndian.Uint64(f.Src[8:]), binary.LittleEndian.Uint64(f.Dst[8:])
	return a > b || a == b && f.SrcPort > f.DstPort
}

// flowOf finds the slot of a flow, the same for both directions. fresh says that
// the conversation is met for the first time for certain: no other one stood in
// its place.
func (q *quality) flowOf(f *wire.Frame) (x *flowSeen, fresh bool) {
	h := f.Hash | 1
	x = &q.flows.slots[h>>40&(flowSlots-1)]
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
	d := h / fromSecond & 1
	me, other := &x.side[d], &x.side[d^1]
	flags := f.TCP.Flags
	if me.flags == saw && other.flags == saw && flags&(wire.SYN|wire.RST|wire.ACK) == wire.ACK {
		me.ack = f.TCP.Ack // nothing is missed, as mostly
		me.data(false, f.TCP.Seq, uint32(max(f.PayloadLen, 0)))
		return
	}
	if fresh && flags&(wire.SYN|wire.RST) == 0 && f.Time-q.begun < beginning {
		q.midFlow++
	}
	if other.flags&toldBlind != 0 {
		other.flags &^= toldBlind
		q.seenAfterAll(s, direction{f.Src, f.Dst}) // out of order, or one packet was dropped
	}
	switch {
	case flags&(wire.SYN|wire.ACK) == wire.SYN:
		if other.flags&saw != 0 && me.next == f.TCP.Seq+1 {
			return // a late copy
		}
		if other.flags&saw != 0 && other.ack == f.TCP.Seq+1 { // captured after its SYN, ACK
			me.flags |= saw
			me.next = f.TCP.Seq + 1
			return
		}
		*me, *other = flowSide{flags: saw | askedSYN, next: f.TCP.Seq + 1}, flowSide{}
		return
	case flags&wire.SYN != 0:
		me.flags |= saw
		other.flags &^= askedSYN
		me.next = f.TCP.Seq + 1
		me.ack = f.TCP.Ack
		return
	case flags&wire.RST != 0 || flags&wire.ACK == 0:
		me.flags |= saw
		other.flags &^= askedSYN
		return
	}
	first := me.flags&saw == 0
	me.flags |= saw
	other.flags &^= askedSYN
	ack := f.TCP.Ack
	switch {
	case other.flags&saw != 0:
		if other.flags&hasHole != 0 && int32(ack-other.hole[1]) >= 0 {
			s.lost++
			other.flags &^= hasHole
		}
	case me.flags&toldBlind != 0:
	case me.flags&askedSYN != 0:
		me.flags |= toldBlind
		q.unseen(s, direction{f.Dst, f.Src}, blindness{mac: f.SrcMAC, frame: f.ID, how: "goes on after its SYN without the SYN, ACK"})
	case !first && int32(ack-me.ack) > 0:
		if me.rises++; me.rises == risesProve {
			me.flags |= toldBlind
			q.unseen(s, direction{f.Dst, f.Src}, blindness{mac: f.SrcMAC, frame: f.ID, how: "acknowledges TCP data that was never seen"})
		}
	}
	me.ack = ack
	me.data(first, f.TCP.Seq, uint32(max(f.PayloadLen, 0)))
}

// data follows the sequence numbers of a side and remembers one hole in them.
func (v *flowSide) data(first bool, seq, n uint32) {
	switch step := int32(seq - v.next); {
	case first && v.next == 0, step > 1<<28, step < -1<<28:
		v.flags &^= hasHole
		v.next = seq + n
		return
	case step > 1 && n > 0: // 1 is a FIN's, or a keep-alive's
		if v.flags&hasHole == 0 {
			v.flags |= hasHole
			v.hole = [2]uint32{v.next, seq}
		}
	case step < 0 && v.flags&hasHole != 0 && int32(v.hole[1]-seq) > 0 && int32(seq+n-v.hole[0]) > 0:
		v.flags &^= hasHole // it came after all, or again
	}
	if end := seq + n; int32(end-v.next) > 0 {
		v.next = end
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
