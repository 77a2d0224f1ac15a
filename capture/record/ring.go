package record

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/capture"
)

// A ring holds packets in one piece of memory. Each is a header and its data,
// in one piece; where the next does not fit before the end, the rest is left.
type ring struct {
	buf   []byte
	head  int // where the oldest begins
	tail  int // where the next goes
	end   int // of the packets before the wrap, when tail <= head
	count int
}

const slotHeader = 40

// slotSize keeps headers aligned.
func slotSize(data int) int { return slotHeader + (data+7)&^7 }

func (r *ring) put(p *capture.Packet, snap int) {
	data := p.Data[:min(len(p.Data), snap)]
	n := slotSize(len(data))
	if n > len(r.buf) {
		return
	}
	r.room(n)
	b := r.buf[r.tail : r.tail+n]
	binary.LittleEndian.PutUint64(b, uint64(p.ID))
	binary.LittleEndian.PutUint64(b[8:], uint64(p.Time))
	binary.LittleEndian.PutUint32(b[16:], uint32(p.WireLen))
	binary.LittleEndian.PutUint32(b[20:], uint32(len(data)))
	binary.LittleEndian.PutUint32(b[24:], uint32(p.Iface))
	binary.LittleEndian.PutUint16(b[28:], uint16(p.Link))
	binary.LittleEndian.PutUint16(b[30:], p.VLAN.TCI)
	binary.LittleEndian.PutUint16(b[32:], p.VLAN.TPID)
	b[34] = 0
	if p.VLAN.Present {
		b[34] = 1
	}
	copy(b[slotHeader:], data)
	r.tail += n
	r.count++
}

// room makes n bytes at tail free.
func (r *ring) room(n int) {
	if r.count == 0 {
		r.head, r.tail = 0, 0
	}
	for {
		switch {
		case r.count == 0 || r.tail > r.head: // free: tail to the end, and before head
			if len(r.buf)-r.tail >= n {
				return
			}
			r.end, r.tail = r.tail, 0
		case r.head-r.tail >= n:
			return
		default:
			r.drop()
		}
	}
}

// drop forgets the oldest packet.
func (r *ring) drop() {
	r.head += slotSize(int(binary.LittleEndian.Uint32(r.buf[r.head+20:])))
	r.count--
	if r.count == 0 {
		r.head, r.tail = 0, 0
	} else if r.head == r.end && r.tail <= r.head {
		r.head = 0
	}
}

// each calls f with the packets, oldest first, until it returns false. Their
// data is the ring's.
func (r *ring) each(f func(p *capture.Packet) bool) {
	at := r.head
	wraps := r.count > 0 && r.tail <= r.head
	var p capture.Packet
	for range r.count {
		if wraps && at == r.end {
			at, wraps = 0, false
		}
		b := r.buf[at:]
		n := int(binary.LittleEndian.Uint32(b[20:]))
		p = capture.Packet{
			ID:      capture.FrameID(binary.LittleEndian.Uint64(b)),
			Time:    capture.Time(binary.LittleEndian.Uint64(b[8:])),
			WireLen: int(binary.LittleEndian.Uint32(b[16:])),
			Iface:   int(binary.LittleEndian.Uint32(b[24:])),
			Link:    capture.LinkType(binary.LittleEndian.Uint16(b[28:])),
			VLAN: capture.VLAN{
				Present: b[34] != 0,
				TCI:     binary.LittleEndian.Uint16(b[30:]),
				TPID:    binary.LittleEndian.Uint16(b[32:]),
			},
			Data: b[slotHeader : slotHeader+n],
		}
		if !f(&p) {
			return
		}
		at += slotSize(n)
	}
}
