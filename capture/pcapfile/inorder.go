package pcapfile

import (
	"io"
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
)

// An inorder sorts the packets of a file by time. Where there are several
// interfaces, dumpcap and Wireshark write what each one's buffer holds in turn:
// under load all of one interface's packets stand before those of the next, and a
// reply on one before its request on the other. Where there is one, the queues of
// its card are emptied in turn, by several processors.
//
// Only packets less than the window apart change places. A larger step back is
// the capturing host's clock, which the engine judges; it stays where it is. The
// frames keep their numbers.
type inorder struct {
	window time.Duration
	held   []capture.Packet // a heap, the earliest first
	spare  [][]byte         // buffers of packets that were delivered
	out    []byte           // buffer of the packet delivered last
	after  capture.Packet   // read after a step of the clock, when stepped
	bytes  int
	high   capture.Time // of the packets held
	// stepped: what is held goes out before after comes in. ended: the reader has
	// no more.
	stepped, ended bool
}

// What is held: bounded in time by what several buffers or a card's queues are
// apart, in packets and bytes by what 10 Gbit/s bring in the time that dumpcap
// waits. ntpd sets a clock back at once when it is 128 ms wrong (ntpd(8), -g and
// the tinker step): in a file of one interface that is more likely than queues so
// far apart.
const (
	ifacesWindow = time.Second
	queuesWindow = 100 * time.Millisecond
	orderPackets = 16384
	orderBytes   = 8 << 20
)

// swapped reports whether a packet of time b, which stands behind one of time a,
// was captured before it by another queue.
func swapped(a, b capture.Time) bool {
	return b < a && a.Sub(b) <= queuesWindow
}

// disordered reports whether packets that lie in r's buffer, which are all of a
// small capture, are swapped. r stays where it is.
func disordered(r *Reader) bool {
	ahead := *r
	ahead.err = io.EOF // nothing is read into the buffer
	ahead.ifaces, ahead.section = slices.Clone(r.ifaces), slices.Clone(r.section)
	for {
		var p capture.Packet
		before := ahead.prev
		if ahead.Next(&p) != nil || len(ahead.ifaces) > 1 {
			return false
		}
		if swapped(before, p.Time) {
			return true
		}
	}
}

// next yields the earliest packet, and the reader's error after the last.
func (o *inorder) next(r *Reader, p *capture.Packet) error {
	if o.out != nil {
		o.spare = append(o.spare, o.out)
		o.out = nil
	}
	for !o.ended && !o.stepped && o.wants() {
		if r.Next(p) != nil {
			o.ended = true
			break
		}
		o.add(p)
	}
	if len(o.held) == 0 {
		if !o.stepped {
			return r.failed
		}
		o.stepped = false
		o.push(o.after)
		return o.next(r, p)
	}
	*p = o.pop()
	o.bytes -= len(p.Data)
	o.out = p.Data
	return nil
}

// wants reports whether a packet that is still to be read may go before all
// that are held.
func (o *inorder) wants() bool {
	return len(o.held) == 0 || o.high.Sub(o.held[0].Time) < o.window && len(o.held) < orderPackets && o.bytes < orderBytes
}

// add takes a packet of the reader, whose data will not last.
func (o *inorder) add(p *capture.Packet) {
	h := *p
	h.Data = append(o.buffer(), p.Data...)
	if len(o.held) > 0 && h.Time.Sub(o.high) < -o.window {
		o.after, o.stepped = h, true
		return
	}
	o.push(h)
}

func (o *inorder) buffer() []byte {
	n := len(o.spare)
	if n == 0 {
		return make([]byte, 0, 256)
	}
	b := o.spare[n-1]
	o.spare = o.spare[:n-1]
	return b[:0]
}

// before: of equal times the file's order.
func before(a, b *capture.Packet) bool {
	return a.Time < b.Time || a.Time == b.Time && a.ID < b.ID
}

func (o *inorder) push(h capture.Packet) {
	o.bytes += len(h.Data)
	if len(o.held) == 0 || h.Time > o.high {
		o.high = h.Time
	}
	o.held = append(o.held, h)
	s := o.held
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !before(&s[i], &s[up]) {
			break
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (o *inorder) pop() capture.Packet {
	s := o.held
	top := s[0]
	n := len(s) - 1
	s[0], s[n] = s[n], capture.Packet{}
	s = s[:n]
	o.held = s
	for i := 0; ; {
		down := 2*i + 1
		if down >= n {
			break
		}
		if down+1 < n && before(&s[down+1], &s[down]) {
			down++
		}
		if !before(&s[down], &s[i]) {
			break
		}
		s[i], s[down] = s[down], s[i]
		i = down
	}
	return top
}
