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
	tag   uint64
	flags uint8
	rises [2]uint8 // how often a side acknowledged more, while the other is unseen
	next  [2]uint32
	ack   [2]uint32
	hole  [2][2]uint32 // bytes that a side sent and the capture does not show
}

// Flags of a flowSeen; those of the second side are one bit up.
const (
	sawSide  = 1 << (2 * iota) // a frame of the side
	askedSYN                   // its SYN, and nothing of the other side since
	hasHole
	toldBlind
)

// risesProve is how often acknowledgments must rise over data that nobody saw
// before one direction counts as hidden.
const risesProve = 3

// flowOf finds the slot of a flow, the same for both directions, and the side
// that f is from. fresh says that the conversation is met for the first time for
// certain: no other one stood in its place.
func (q *quality) flowOf(f *wire.Frame) (x *flowSeen, side int, fresh bool) {
	a, b := binary.LittleEndian.Uint64(f.Src[8:]), binary.LittleEndian.Uint64(f.Dst[8:])
	h := f.Hash | 1
	if a > b || a == b && f.SrcPort > f.DstPort {
		side = 1
	}
	x = &q.flows.slots[h>>40&(flowSlots-1)]
	if x.tag != h {
		fresh = x.tag == 0
		q.flows.crowded = q.flows.crowded || !fresh && f.Time-q.begun < beginning
		*x = flowSeen{tag: h}
		return x, side, fresh
	}
	return x, side, false
}

// segmentOf reads a TCP segment.
func (q *quality) segmentOf(s *segmentSeen, f *wire.Frame) {
	x, d, fresh := q.flowOf(f)
	flags := f.TCP.Flags
	if fresh && flags&(wire.SYN|wire.RST) == 0 && f.Time-q.begun < beginning {
		q.midFlow++
	}
	me, other := uint8(sawSide)<<d, uint8(sawSide)<<(1-d)
	if x.flags&(toldBlind<<(1-d)) != 0 {
		x.flags &^= toldBlind << (1 - d)
		q.seenAfterAll(s, direction{f.Src, f.Dst}) // out of order, or one packet was dropped
	}
	switch {
	case flags&(wire.SYN|wire.ACK) == wire.SYN:
		if x.flags&other != 0 && x.next[d] == f.TCP.Seq+1 {
			return // a late copy
		}
		if x.flags&other != 0 && x.ack[1-d] == f.TCP.Seq+1 { // captured after its SYN, ACK
			x.flags |= me
			x.next[d] = f.TCP.Seq + 1
			return
		}
		*x = flowSeen{tag: x.tag, flags: me | askedSYN<<d}
		x.next[d] = f.TCP.Seq + 1
		return
	case flags&wire.SYN != 0:
		x.flags |= me
		x.flags &^= askedSYN << (1 - d)
		x.next[d] = f.TCP.Seq + 1
		x.ack[d] = f.TCP.Ack
		return
	case flags&wire.RST != 0 || flags&wire.ACK == 0:
		x.flags |= me
		x.flags &^= askedSYN << (1 - d)
		return
	}
	first := x.flags&me == 0
	x.flags |= me
	x.flags &^= askedSYN << (1 - d)
	ack := f.TCP.Ack
	switch {
	case x.flags&other != 0:
		if x.flags&(hasHole<<(1-d)) != 0 && int32(ack-x.hole[1-d][1]) >= 0 {
			s.lost++
			x.flags &^= hasHole << (1 - d)
		}
	case x.flags&(toldBlind<<d) != 0:
	case x.flags&(askedSYN<<d) != 0:
		x.flags |= toldBlind << d
		q.unseen(s, direction{f.Dst, f.Src}, blindness{mac: f.SrcMAC, frame: f.ID, how: "goes on after its SYN without the SYN, ACK"})
	case !first && int32(ack-x.ack[d]) > 0:
		if x.rises[d]++; x.rises[d] == risesProve {
			x.flags |= toldBlind << d
			q.unseen(s, direction{f.Dst, f.Src}, blindness{mac: f.SrcMAC, frame: f.ID, how: "acknowledges TCP data that was never seen"})
		}
	}
	x.ack[d] = ack
	x.data(d, first, f.TCP.Seq, uint32(max(f.PayloadLen, 0)))
}

// data follows the sequence numbers of a side and remembers one hole in them.
func (x *flowSeen) data(d int, first bool, seq, n uint32) {
	switch step := int32(seq - x.next[d]); {
	case first && x.next[d] == 0, step > 1<<28, step < -1<<28:
		x.flags &^= hasHole << d
		x.next[d] = seq + n
		return
	case step > 1 && n > 0: // 1 is a FIN's, or a keep-alive's
		if x.flags&(hasHole<<d) == 0 {
			x.flags |= hasHole << d
			x.hole[d] = [2]uint32{x.next[d], seq}
		}
	case step < 0 && x.flags&(hasHole<<d) != 0 && int32(x.hole[d][1]-seq) > 0 && int32(seq+n-x.hole[d][0]) > 0:
		x.flags &^= hasHole << d // it came after all, or again
	}
	if end := seq + n; int32(end-x.next[d]) > 0 {
		x.next[d] = end
	}
}

// datagram reads a UDP datagram: DHCP always, others as long as they can tell
// that they began before the capture.
func (q *quality) datagram(f *wire.Frame, svc catalog.Index, toServer bool) {
	if f.SrcPort == 67 || f.SrcPort == 68 || f.DstPort == 67 {
		q.dhcp.message(q, f)
		return
	}
	if f.Time-q.begun >= beginning || f.Stop != wire.StopNone || f.Copy {
		return
	}
	_, _, fresh := q.flowOf(f)
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
