package pcapfile

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/pxescope/pxescope/capture"
)

// Block types of pcapng
// (https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/ section 10.1).
// All others are skipped.
const (
	blockSection    = 0x0a0d0d0a
	blockInterface  = 1
	blockPacket     = 2 // obsolete
	blockSimple     = 3
	blockStatistics = 5
	blockEnhanced   = 6
	blockJournal    = 9 // systemd journal entry
	blockCustom     = 0x0bad
	blockCustomKeep = 0x40000bad // not to be copied
)

const (
	byteOrderMagic = 0x1a2b3c4d
	blockOverhead  = 12 // type, length, length again
	sectionMin     = blockOverhead + 16
	enhancedHeader = 8 + 20 // of an Enhanced Packet Block, up to the data
)

// An ngInterface is what a packet block needs of its interface.
type ngInterface struct {
	mul   uint64 // nanoseconds per tick, while ticks < limit
	limit uint64
	res   resolution
	link  capture.LinkType
	snap  uint32
	no    int // index in Reader.ifaces
}

// openNg reads the first section header.
func (r *Reader) openNg() error {
	r.format = "pcapng"
	r.next = (*Reader).nextNg
	r.follow = (*Reader).followNg
	err := r.sectionHeader()
	if e, ok := err.(*Error); ok {
		e.Frame = 0
	}
	return err
}

func (r *Reader) u16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if r.big {
		v = bits.ReverseBytes16(v)
	}
	return v
}

func (r *Reader) u32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if r.big {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func (r *Reader) u64(b []byte) uint64 {
	v := binary.LittleEndian.Uint64(b)
	if r.big {
		v = bits.ReverseBytes64(v)
	}
	return v
}

func (r *Reader) nextNg(p *capture.Packet) error {
	for {
		if r.end-r.off < blockOverhead && !r.fill(blockOverhead) {
			return r.short("block", blockOverhead)
		}
		b := r.buf[r.off:r.end]
		typ, length := r.u32(b), r.u32(b[4:])
		if typ == blockSection {
			if err := r.sectionHeader(); err != nil {
				return err
			}
			continue
		}
		if length < blockOverhead || length%4 != 0 {
			return r.damage(fmt.Sprintf("block length %d is impossible", length))
		}
		if uint64(length) > uint64(r.limit) {
			switch typ {
			case blockInterface, blockPacket, blockSimple, blockEnhanced, blockStatistics:
				return r.damage(fmt.Sprintf("record length %d exceeds the limit of %d bytes", length, r.limit))
			}
			at := r.damage(fmt.Sprintf("the file ends inside a block of %d bytes", length))
			if !r.skip(int64(length)) {
				return r.ended(at)
			}
			continue
		}
		n := int(length)
		if len(b) < n {
			if !r.fill(n) {
				return r.short("block", n)
			}
			b = r.buf[r.off:r.end]
		}
		if again := r.u32(b[n-4:]); again != length {
			return r.damage(fmt.Sprintf("block length is %d at its start and %d at its end", length, again))
		}
		body := b[8 : n-4]
		got, err := false, error(nil)
		switch typ {
		case blockEnhanced:
			got, err = true, r.enhanced(p, body)
		case blockSimple:
			got, err = true, r.simple(p, body)
		case blockPacket:
			got, err = true, r.obsolete(p, body)
		case blockInterface:
			err = r.interfaceDescription(body)
		case blockStatistics:
			r.statistics(body)
		case blockCustom, blockCustomKeep, blockJournal:
			r.number++ // no packet, but Wireshark shows a frame
		}
		if err != nil {
			return err
		}
		r.off += n
		if got {
			return nil
		}
	}
}

// sectionHeader reads a Section Header Block: it sets the byte order and
// starts a new list of interfaces (section 4.1).
func (r *Reader) sectionHeader() error {
	if !r.fill(sectionMin) {
		return r.short("section header", sectionMin)
	}
	b := r.buf[r.off:r.end]
	switch m := binary.LittleEndian.Uint32(b[8:]); m {
	case byteOrderMagic:
		r.big = false
	case bits.ReverseBytes32(byteOrderMagic):
		r.big = true
	default:
		return r.damage(fmt.Sprintf("section header with byte-order magic %#x, not %#x", m, byteOrderMagic))
	}
	length := r.u32(b[4:])
	if length < sectionMin || length%4 != 0 {
		return r.damage(fmt.Sprintf("section header length %d is impossible", length))
	}
	if uint64(length) > uint64(r.limit) {
		return r.damage(fmt.Sprintf("section header length %d exceeds the limit of %d bytes", length, r.limit))
	}
	n := int(length)
	if !r.fill(n) {
		return r.short("section header", n)
	}
	b = r.buf[r.off:r.end]
	if again := r.u32(b[n-4:]); again != length {
		return r.damage(fmt.Sprintf("section header length is %d at its start and %d at its end", length, again))
	}
	if major, minor := r.u16(b[12:]), r.u16(b[14:]); major != 1 {
		return r.damage(fmt.Sprintf("pcapng version %d.%d is not supported, only 1", major, minor))
	}
	for o := b[24 : n-4]; ; {
		code, v, rest, err := r.option(o)
		if err != nil {
			return err
		}
		if code == optEnd {
			break
		}
		if code == optComment && len(r.comment) < maxComment {
			if r.comment != "" {
				r.comment += "\n"
			}
			r.comment += r.keep(v, maxComment-len(r.comment))
		}
		o = rest
	}
	r.section = r.section[:0]
	r.off += n
	return nil
}

// timed converts a timestamp of interface i.
func (i *ngInterface) timed(ticks uint64) capture.Time {
	if ticks < i.limit {
		return capture.Time(ticks * i.mul)
	}
	return i.res.time(ticks)
}

// enhanced reads an Enhanced Packet Block (section 4.3).
func (r *Reader) enhanced(p *capture.Packet, b []byte) error {
	if len(b) < 20 {
		return r.damage(fmt.Sprintf("packet block of %d bytes is too short", len(b)+blockOverhead))
	}
	var id, hi, lo, capLen, wireLen uint32
	if h := b[:20]; r.big {
		id, hi, lo = binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:])
		capLen, wireLen = binary.BigEndian.Uint32(h[12:]), binary.BigEndian.Uint32(h[16:])
	} else {
		id, hi, lo = binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint32(h[8:])
		capLen, wireLen = binary.LittleEndian.Uint32(h[12:]), binary.LittleEndian.Uint32(h[16:])
	}
	if uint64(id) >= uint64(len(r.section)) {
		return r.undescribed(id)
	}
	i := &r.section[id]
	data := b[20:]
	if uint64(capLen) > uint64(len(data)) {
		return r.damage(fmt.Sprintf("packet of %d bytes in a block with room for %d", capLen, len(data)))
	}
	if padded := int(capLen+3) &^ 3; len(data) > padded {
		r.packetOptions(i.no, data[padded:])
	}
	r.deliver(p, i.timed(uint64(hi)<<32|uint64(lo)), i.link, i.no, wireLen, data[:capLen:capLen])
	return nil
}

// followNg is follow for Enhanced Packet Blocks of a file's only interface,
// without options and little-endian. As in followPcap, none ends b.
func (r *Reader) followNg(b []byte, p []capture.Packet, bound capture.Time) (n, used int) {
	if r.big {
		return 0, 0
	}
	only := &r.section[0] // a packet of it came just before
	mul, limit, size := only.mul, only.limit, len(b)
	for ; n < len(p) && len(b) > enhancedHeader; n++ {
		h, body := b[:enhancedHeader], b[enhancedHeader:]
		capLen, wireLen := uint64(binary.LittleEndian.Uint32(h[20:])), binary.LittleEndian.Uint32(h[24:])
		padded := (capLen + 3) &^ 3
		if padded+4 >= uint64(len(body)) {
			break
		}
		tail := body[padded:len(body):len(body)]
		length := enhancedHeader + padded + 4
		ticks := uint64(binary.LittleEndian.Uint32(h[12:]))<<32 | uint64(binary.LittleEndian.Uint32(h[16:]))
		t := capture.Time(ticks * mul)
		if binary.LittleEndian.Uint32(h) != blockEnhanced || uint64(binary.LittleEndian.Uint32(h[4:])) != length ||
			binary.LittleEndian.Uint32(h[8:]) != 0 || uint64(binary.LittleEndian.Uint32(tail)) != length ||
			ticks >= limit || t >= bound || wireLen > math.MaxInt32 {
			break
		}
		q := &p[n]
		q.Time = t
		q.WireLen = int(wireLen)
		q.Data = body[:capLen:capLen]
		b = tail[4:]
	}
	return n, size - len(b)
}

func (r *Reader) undescribed(id uint32) error {
	return r.damage(fmt.Sprintf("interface %d is not described: the section has %d", id, len(r.section)))
}

// packetOptions looks for epb_dropcount. Broken options do not spoil the
// packet before them.
func (r *Reader) packetOptions(iface int, b []byte) {
	for len(b) >= 4 {
		code, n := r.u16(b), int(r.u16(b[2:]))
		b = b[4:]
		if code == optEnd || n > len(b) {
			return
		}
		if code == epbDropCount && n == 8 {
			d := &r.ifaces[iface].epbDrops
			*d = capture.Count{Known: true, N: addSaturating(d.N, r.u64(b))}
		}
		b = b[min(len(b), (n+3)&^3):]
	}
}

// simple reads a Simple Packet Block (section 4.4). It has no timestamp: the
// time is that of the packet before, and 0 when there is none.
func (r *Reader) simple(p *capture.Packet, b []byte) error {
	if len(b) < 4 {
		return r.damage(fmt.Sprintf("packet block of %d bytes is too short", len(b)+blockOverhead))
	}
	if len(r.section) == 0 {
		return r.undescribed(0)
	}
	i := &r.section[0]
	wireLen := r.u32(b)
	data := b[4:]
	capLen := min(uint64(wireLen), uint64(len(data)))
	if i.snap != 0 {
		capLen = min(capLen, uint64(i.snap))
	}
	r.deliverUntimed(p, i.link, i.no, wireLen, data[:capLen:capLen])
	return nil
}

// obsolete reads a Packet Block (appendix A).
func (r *Reader) obsolete(p *capture.Packet, b []byte) error {
	if len(b) < 20 {
		return r.damage(fmt.Sprintf("packet block of %d bytes is too short", len(b)+blockOverhead))
	}
	id, drops := uint32(r.u16(b)), r.u16(b[2:])
	hi, lo, capLen, wireLen := r.u32(b[4:]), r.u32(b[8:]), r.u32(b[12:]), r.u32(b[16:])
	if uint64(id) >= uint64(len(r.section)) {
		return r.undescribed(id)
	}
	i := &r.section[id]
	data := b[20:]
	if uint64(capLen) > uint64(len(data)) {
		return r.damage(fmt.Sprintf("packet of %d bytes in a block with room for %d", capLen, len(data)))
	}
	if drops != 0xffff { // unknown
		d := &r.ifaces[i.no].epbDrops
		*d = capture.Count{Known: true, N: addSaturating(d.N, uint64(drops))}
	}
	r.deliver(p, i.timed(uint64(hi)<<32|uint64(lo)), i.link, i.no, wireLen, data[:capLen:capLen])
	return nil
}
