package pcapfile

import (
	"bufio"
	"io"
	"math"
	"math/bits"
	"strconv"

	"github.com/pxescope/pxescope/capture"
)

// bufferSize is the size of a Reader's buffer: larger ones were not faster.
const bufferSize = 256 << 10

// maxTime keeps room for adding deadlines to the time of a packet whose
// timestamp is nonsense: the year 2116.
const maxTime = 1 << 62

// A Reader reads one uncompressed pcap, pcapng or snoop stream.
type Reader struct {
	src io.Reader
	// ahead, when it is set, yields the stream in buffers that take the place of
	// buf, once under has no bytes of before.
	ahead *readAhead
	under *bufio.Reader // nil: nothing is in between

	// ring, when it is set, holds the buffers that buf is in turn, see Hold.
	ring     [][]byte
	turns    uint64
	turnable bool // a turn may begin

	own  []byte // the buffer that is the Reader's
	lent bool   // buf is ahead's
	buf  []byte
	off  int   // start of the unread bytes in buf
	end  int   // their end
	base int64 // offset of buf[0] in the stream
	err  error // what src returned after the bytes in buf

	next func(*Reader, *capture.Packet) error
	// follow fills the time, the lengths and the data of packets whose records
	// are in b, until one is not earlier than bound or for next. nil: next only.
	follow func(r *Reader, b []byte, p []capture.Packet, bound capture.Time) (n, used int)
	name   string
	file   int
	limit  int   // largest record
	failed error // sticky result of next

	number      uint64 // of the last frame, as Wireshark counts
	packets     uint64
	bytes       uint64
	first, last capture.Time // smallest and largest
	prev        capture.Time // of the last packet

	format  string
	comment string
	text    int // bytes of names, filters and comments kept
	ifaces  []iface
	dropped capture.Count // of the file as a whole: snoop

	big bool // big-endian fields

	// pcap
	header  int    // length of a record header
	perTick uint32 // nanoseconds per unit of the second timestamp word
	swapped lengthOrder
	link    capture.LinkType

	section []ngInterface // pcapng: the interfaces of this section
}

// An iface is an interface with what is known of its losses.
type iface struct {
	capture.Interface
	epbDrops capture.Count // sum of the drop counts beside packets
}

// NewReader reads the header of a capture from r. The error wraps
// ErrUnreadable.
func NewReader(r io.Reader) (*Reader, error) {
	rd, err := newReader(r, "", 0, Limits{}.withDefaults(), make([]byte, bufferSize))
	if err != nil {
		return nil, err
	}
	return rd, nil
}

// newReader returns an *Error that wraps ErrUnreadable or the cause.
func newReader(src io.Reader, name string, file int, l Limits, buf []byte) (*Reader, *Error) {
	r := &Reader{src: src, own: buf, buf: buf, name: name, file: file, limit: l.Record, first: math.MaxInt64, last: math.MinInt64}
	if s, ok := src.(*stream); ok {
		r.ahead, r.under = s.ahead, s.Reader
	}
	r.fill(len(snoopMagic)) // no more: a pipe may have sent only the header
	head := r.buf[:min(r.end, sniffLen)]
	var err error
	switch k := sniff(head); k {
	case kindPcap:
		err = r.openPcap()
	case kindPcapng:
		err = r.openNg()
	case kindSnoop:
		err = r.openSnoop()
	default:
		return nil, notCapture(name, head, r.err)
	}
	if err != nil {
		e := err.(*Error)
		if e.Err == nil {
			e.Err = ErrUnreadable
		}
		return nil, e
	}
	return r, nil
}

// Next reads the next packet. Its Data lies in the Reader's buffer until the
// next call. After the last packet Next returns io.EOF; an *Error says where
// damage ended the stream.
func (r *Reader) Next(p *capture.Packet) error {
	if r.failed != nil {
		return r.failed
	}
	if err := r.next(r, p); err != nil {
		r.failed = err
		return err
	}
	return nil
}

// more fills p[1:] with the packets after p[0], the last that Next yielded, and
// returns how many of p are filled: packets that lie in the buffer as a whole, are
// in order, earlier than bound and in no way unusual. The first that is not is left to
// Next. It is for a Reader of one interface: Link, Iface and VLAN never change,
// and p[1:] must have them already; storing them each time was a fifth of the work.
func (r *Reader) more(p []capture.Packet, bound capture.Time) int {
	if r.follow == nil {
		return 1
	}
	b := r.buf[r.off:r.end]
	b = b[:min(len(b), r.limit)] // no record in it is longer
	n, used := r.follow(r, b, p[1:], bound)
	id, prev, bytes := p[0].ID, r.prev, r.bytes
	more := p[1 : 1+n]
	for i := range more {
		q := &more[i]
		if q.Time < prev {
			n, used = r.follow(r, b, more[:i], bound)
			break
		}
		id++
		q.ID = id
		prev = q.Time
		bytes += uint64(q.WireLen)
	}
	r.off += used
	r.last, r.prev, r.bytes = max(r.last, prev), prev, bytes
	r.number += uint64(n)
	r.packets += uint64(n)
	return 1 + n
}

// deliver fills p, a packet with a time, and counts it.
func (r *Reader) deliver(p *capture.Packet, t capture.Time, link capture.LinkType, iface int, wireLen uint32, data []byte) {
	r.first = min(r.first, t)
	r.last = max(r.last, t)
	r.prev = t
	r.deliverUntimed(p, link, iface, wireLen, data)
}

// deliverUntimed gives p the time of the packet before.
func (r *Reader) deliverUntimed(p *capture.Packet, link capture.LinkType, iface int, wireLen uint32, data []byte) {
	r.number++
	r.packets++
	r.bytes += uint64(wireLen)
	p.ID = capture.NewFrameID(r.file, r.number)
	p.Time = r.prev
	p.Link = link
	p.Iface = iface
	p.VLAN = capture.VLAN{}
	p.WireLen = int(min(wireLen, math.MaxInt32)) // int may have 32 bits
	p.Data = data
}

// fill makes at least n bytes available at buf[off:end]. The buffer grows
// only when it is full of bytes that have arrived, so a length that lies
// costs nothing.
func (r *Reader) fill(n int) bool {
	for empty := 0; r.end-r.off < n; {
		if r.err != nil {
			return false
		}
		if r.ahead != nil {
			if r.end-r.off <= frontRoom && (r.under == nil || r.under.Buffered() == 0) {
				r.exchange()
				continue
			}
			r.takeOwn()
		}
		if r.off > 0 && r.off+n > len(r.buf) {
			rest := r.buf[r.off:r.end]
			r.turn(len(rest))
			copy(r.buf, rest)
			r.base += int64(r.off)
			r.end -= r.off
			r.off = 0
		}
		if r.end == len(r.buf) {
			r.buf = append(r.buf, make([]byte, len(r.buf))...)
			r.own = r.buf
		}
		m, err := r.src.Read(r.buf[r.end:])
		r.end += m
		r.err = err
		if m > 0 {
			empty = 0
		} else if empty++; empty == 100 && err == nil {
			r.err = io.ErrNoProgress
		}
	}
	return true
}

// exchange takes the next buffer of ahead for the one that is used up; the rest
// of it comes along.
func (r *Reader) exchange() {
	buf, lo, hi, err := r.ahead.exchange(r.buf[r.off:r.end])
	r.err = err
	if buf == nil {
		return
	}
	r.base += int64(r.off - lo)
	r.buf, r.off, r.end, r.lent = buf, lo, hi, true
}

// takeOwn goes back to the Reader's own buffer, for a record that is longer than
// what fits in front of the next chunk.
func (r *Reader) takeOwn() {
	if !r.lent {
		return
	}
	if len(r.own) < r.end-r.off {
		r.own = make([]byte, 2*(r.end-r.off))
	}
	n := copy(r.own, r.buf[r.off:r.end])
	r.base += int64(r.off)
	r.buf, r.off, r.end, r.lent = r.own, 0, n, false
}

// skip passes over n bytes without keeping them.
func (r *Reader) skip(n int64) bool {
	for {
		have := int64(r.end - r.off)
		if n <= have {
			r.off += int(n)
			return true
		}
		n -= have
		r.off = r.end
		if !r.fill(1) {
			return false
		}
	}
}

// damage is an error at the record that starts at the read position.
func (r *Reader) damage(reason string) *Error {
	return &Error{File: r.name, Frame: r.number + 1, Offset: r.base + int64(r.off), Reason: reason}
}

// short explains why what should hold n bytes does not: r.fill(n) failed.
func (r *Reader) short(what string, n int) error {
	have := r.end - r.off
	if have == 0 && r.err == io.EOF {
		return io.EOF
	}
	return r.ended(r.damage("the file ends after " + strconv.Itoa(have) + " of the " + strconv.Itoa(n) + " bytes of a " + what))
}

// ended completes e, which says where the stream ended early, with the cause.
func (r *Reader) ended(e *Error) *Error {
	e.Truncated = isCut(r.err)
	if r.err != io.EOF {
		e.Err = r.err
		e.Reason = "read: " + r.err.Error()
		if e.Truncated {
			e.Reason = "the compressed data or the archive end early"
		}
	}
	return e
}

// keep keeps at most n bytes of b, as long as the file has not had too much.
func (r *Reader) keep(b []byte, n int) string {
	b = b[:min(len(b), n, maxText-r.text)]
	r.text += len(b)
	return string(b)
}

// Info describes the stream as far as it was read.
func (r *Reader) Info() capture.FileInfo {
	i := capture.FileInfo{
		Name: r.name, Format: r.format, Packets: r.packets, Bytes: r.bytes, Comment: r.comment, Dropped: r.dropped,
	}
	if r.first <= r.last { // some packet had a time
		i.First, i.Last = r.first, r.last
	}
	if e, ok := r.failed.(*Error); ok {
		i.Truncated, i.Damage = e.Truncated, e.Detail()
	}
	links, names := map[capture.LinkType]bool{}, map[string]bool{}
	for k := range r.ifaces {
		f := r.ifaces[k].resolve(r.file)
		if !links[f.Link] {
			links[f.Link] = true
			i.Links = append(i.Links, f.Link)
		}
		if f.Name != "" && !names[f.Name] {
			names[f.Name] = true
			i.Ifaces = append(i.Ifaces, f.Name)
		}
		if f.Dropped.Known {
			i.Dropped = capture.Count{Known: true, N: addSaturating(i.Dropped.N, f.Dropped.N)}
		}
	}
	return i
}

// Interfaces describes the capture interfaces seen so far; Packet.Iface
// indexes it. A pcap file has exactly one, without a name.
func (r *Reader) Interfaces() []capture.Interface {
	out := make([]capture.Interface, len(r.ifaces))
	for i := range r.ifaces {
		out[i] = r.ifaces[i].resolve(r.file)
	}
	return out
}

// resolve chooses between the two places where pcapng tells losses: the
// statistics of the interface count since the start of the capture, the drop
// counts beside packets since the packet before. They tell the same losses.
func (f *iface) resolve(file int) capture.Interface {
	i := f.Interface
	i.File = file
	if f.epbDrops.Known {
		i.Dropped = capture.Count{Known: true, N: max(i.Dropped.N, f.epbDrops.N)}
	}
	return i
}

func addSaturating(a, b uint64) uint64 {
	s, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return s
}
