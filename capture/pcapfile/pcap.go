package pcapfile

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/pxescope/pxescope/capture"
)

// Magic numbers of pcap files, as the writer's byte order shows them
// (https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/ section 4).
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // A. Kuznetzov's patch: 8 more bytes per record
)

const (
	pcapFileHeader   = 24
	pcapRecordHeader = 16
)

// A lengthOrder says which of the two lengths of a record comes first.
type lengthOrder uint8

const (
	capturedFirst lengthOrder = iota
	wireFirst                 // files before version 2.3
	smallerFirst              // version 2.3 and DG/UX: either; the captured one is the smaller
)

// openPcap reads the file header.
func (r *Reader) openPcap() error {
	r.format = "pcap"
	if !r.fill(pcapFileHeader) {
		e := r.short("pcap file header", pcapFileHeader).(*Error)
		e.Frame = 0
		return e
	}
	h := r.buf[r.off : r.off+pcapFileHeader]
	var order binary.ByteOrder = binary.LittleEndian
	magic := order.Uint32(h)
	if magic>>24 != 0xa1 {
		order, r.big = binary.BigEndian, true
		magic = order.Uint32(h)
	}
	r.header, r.perTick = pcapRecordHeader, 1000
	switch magic {
	case magicNano:
		r.perTick = 1
	case magicModified:
		r.header = 24
	}
	major, minor := order.Uint16(h[4:]), order.Uint16(h[6:])
	switch {
	case major == 2 && minor < 3:
		r.swapped = wireFirst
	case major == 2 && minor == 3, major == 543 && minor == 0:
		r.swapped = smallerFirst
	case major != 2:
		return &Error{File: r.name, Reason: fmt.Sprintf("pcap version %d.%d is not supported, only 2", major, minor)}
	}
	// The upper half of the link type field tells the length of the frame
	// check sequence and is otherwise reserved.
	r.link = capture.LinkType(order.Uint32(h[20:]))
	r.ifaces = []iface{{Interface: capture.Interface{Link: r.link, SnapLen: order.Uint32(h[16:])}}}
	r.off += pcapFileHeader
	r.next = (*Reader).nextPcap
	if r.swapped == capturedFirst && r.header == pcapRecordHeader && !r.big {
		r.follow = (*Reader).followPcap
	}
	return nil
}

func (r *Reader) nextPcap(p *capture.Packet) error {
	if r.end-r.off < r.header && !r.fill(r.header) {
		return r.short("record header", r.header)
	}
	b := r.buf[r.off:r.end]
	h := b[:pcapRecordHeader]
	sec, frac := binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:])
	capLen, wireLen := binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[12:])
	if r.big {
		sec, frac = bits.ReverseBytes32(sec), bits.ReverseBytes32(frac)
		capLen, wireLen = bits.ReverseBytes32(capLen), bits.ReverseBytes32(wireLen)
	}
	if r.swapped == wireFirst || r.swapped == smallerFirst && capLen > wireLen {
		capLen, wireLen = wireLen, capLen
	}
	if uint64(capLen) > uint64(r.limit) {
		return r.damage(fmt.Sprintf("record length %d exceeds the limit of %d bytes", capLen, r.limit))
	}
	if sec|frac|capLen|wireLen == 0 && r.zeroTail() {
		return r.damage("only zero bytes follow: the rest of the file was never written")
	}
	total := r.header + int(capLen)
	if r.end-r.off < total && !r.fill(total) {
		return r.short("record", total)
	}
	b = r.buf[r.off:r.end]
	r.off += total
	t := capture.Time(int64(sec)*1e9 + int64(frac)*int64(r.perTick))
	r.deliver(p, t, r.link, 0, wireLen, b[r.header:total:total])
	return nil
}

// followPcap is follow for the usual pcap. Records of the first second of 1970
// are left to nextPcap: they may be a zero tail. So is the one that ends b: what
// is left after each is not empty then, and the compiler need not check it.
func (r *Reader) followPcap(b []byte, p []capture.Packet, bound capture.Time) (n, used int) {
	perTick, size := int64(r.perTick), len(b)
	for ; n < len(p) && len(b) > pcapRecordHeader; n++ {
		h, body := b[:pcapRecordHeader], b[pcapRecordHeader:]
		sec, frac := binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:])
		capLen, wireLen := uint(binary.LittleEndian.Uint32(h[8:])), binary.LittleEndian.Uint32(h[12:])
		t := capture.Time(int64(sec)*1e9 + int64(frac)*perTick)
		if capLen >= uint(len(body)) || wireLen > math.MaxInt32 || sec == 0 || t >= bound {
			break
		}
		q := &p[n]
		q.Time = t
		q.WireLen = int(wireLen)
		q.Data = body[:capLen:capLen]
		b = body[capLen:len(body):len(body)]
	}
	return n, size - len(b)
}

// zeroTail reports whether what follows is zero for 64 bytes or up to the end:
// a machine that crashed leaves such files. A packet without length and time
// alone could be meant.
func (r *Reader) zeroTail() bool {
	r.fill(64)
	for _, c := range r.buf[r.off:min(r.off+64, r.end)] {
		if c != 0 {
			return false
		}
	}
	return true
}
