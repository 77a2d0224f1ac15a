package pcapfile

import "github.com/pxescope/pxescope/capture"

// holdLeast is the size of a file from which on two cores are worth their start,
// and finding out whether they help.
const holdLeast = 256 << 20

// Hold implements capture.Holder for one plain file: what is decompressed has a
// goroutine of its own already, and of several files the packets alternate.
func (t *Timeline) Hold(turns int) bool {
	if len(t.inputs) != 1 || t.inputs[0].r == nil {
		return false
	}
	in := t.inputs[0]
	if turns > 0 && (in.r.ahead != nil || in.blob == nil || in.blob.root.size < holdLeast) {
		return false
	}
	in.r.hold(turns)
	return true
}

func (r *Reader) hold(turns int) {
	r.ring = nil
	if turns > 0 {
		r.ring, r.turns = make([][]byte, turns), 1
	}
}

// NextHeld implements capture.Holder.
func (t *Timeline) NextHeld(limit int) (packets []capture.Packet, turn uint64, err error) {
	if in := t.cur; in != nil {
		in.r.turnable = true
	}
	packets, err = t.NextBatch(limit)
	if in := t.cur; in != nil {
		in.r.turnable = false
		if in.order == nil && in.r.ring != nil {
			turn = in.r.turns
		}
	}
	return packets, turn, err
}

// turn makes the next buffer of the ring the one to read into, with room for n
// bytes. In one batch it does so once: the buffer that the batch before lies in
// is left alone then, and the new one holds no packet that was delivered.
func (r *Reader) turn(n int) {
	if r.ring == nil || !r.turnable {
		return
	}
	r.turnable = false
	r.turns++
	next := &r.ring[r.turns%uint64(len(r.ring))]
	if len(*next) < max(n, bufferSize) {
		*next = make([]byte, max(n, bufferSize))
	}
	r.buf = *next
}

var _ capture.Holder = (*Timeline)(nil)
