package pcapfile

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strconv"
	"testing"

	"github.com/pxescope/pxescope/capture"
)

// A stream under construction, in one byte order.
type raw struct {
	b     []byte
	order order
}

type order interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func (r *raw) u16(v uint16) *raw { r.b = r.order.AppendUint16(r.b, v); return r }
func (r *raw) u32(v ...uint32) *raw {
	for _, x := range v {
		r.b = r.order.AppendUint32(r.b, x)
	}
	return r
}
func (r *raw) u64(v uint64) *raw  { r.b = r.order.AppendUint64(r.b, v); return r }
func (r *raw) add(b ...byte) *raw { r.b = append(r.b, b...); return r }
func (r *raw) text(s string) *raw { return r.add([]byte(s)...) }
func newRaw(big bool) *raw {
	if big {
		return &raw{order: binary.BigEndian}
	}
	return &raw{order: binary.LittleEndian}
}

// pcapHeader starts a pcap file.
func (r *raw) pcapHeader(magic uint32, major, minor uint16, snap, link uint32) *raw {
	return r.u32(magic).u16(major).u16(minor).u32(0, 0, snap, link)
}

// block appends a pcapng block around body.
func (r *raw) block(typ uint32, body func(b *raw)) *raw {
	inner := &raw{order: r.order}
	body(inner)
	for len(inner.b)%4 != 0 {
		inner.add(0)
	}
	n := uint32(len(inner.b) + 12)
	return r.u32(typ, n).add(inner.b...).u32(n)
}

func (r *raw) option(code uint16, v ...byte) *raw {
	r.u16(code).u16(uint16(len(v))).add(v...)
	for len(r.b)%4 != 0 {
		r.add(0)
	}
	return r
}

func (r *raw) section(opts func(b *raw)) *raw {
	return r.block(blockSection, func(b *raw) {
		b.u32(byteOrderMagic).u16(1).u16(0).u64(1<<64 - 1)
		if opts != nil {
			opts(b)
		}
	})
}

func (r *raw) iface(link uint16, snap uint32, opts func(b *raw)) *raw {
	return r.block(blockInterface, func(b *raw) {
		b.u16(link).u16(0).u32(snap)
		if opts != nil {
			opts(b)
		}
	})
}

func (r *raw) epb(iface uint32, ticks uint64, data string, opts func(b *raw)) *raw {
	return r.block(blockEnhanced, func(b *raw) {
		b.u32(iface, uint32(ticks>>32), uint32(ticks), uint32(len(data)), uint32(len(data))).text(data)
		for len(b.b)%4 != 0 {
			b.add(0)
		}
		if opts != nil {
			opts(b)
		}
	})
}

// A seen is a packet with a copy of its bytes.
type seen struct {
	File    int
	Number  uint64
	Time    capture.Time
	Link    capture.LinkType
	Iface   int
	WireLen int
	Data    string
}

// nexter is a Reader or a Timeline.
type nexter interface{ Next(*capture.Packet) error }

// drain reads all packets; err is nil at the end.
func drain(r nexter) (out []seen, err error) {
	var p capture.Packet
	for {
		if err := r.Next(&p); err == io.EOF {
			return out, nil
		} else if err != nil {
			return out, err
		}
		out = append(out, seen{p.ID.File(), p.ID.Number(), p.Time, p.Link, p.Iface, p.WireLen, string(p.Data)})
	}
}

// pcapAt is a nanosecond pcap of Ethernet packets at these seconds; the data
// of each names the file and the second.
func pcapAt(t testing.TB, name string, secs ...int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewPcapWriter(&b, capture.LinkEthernet, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secs {
		if err := w.WritePacket(&capture.Packet{Time: at(s), Link: capture.LinkEthernet, Data: []byte(label(name, s))}); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func at(sec int) capture.Time { return capture.Time(1_700_000_000+int64(sec)) * 1e9 }

func label(name string, sec int) string { return name + " " + strconv.Itoa(sec) }

// fixCRC sets the checksum at the end of an xz header.
func fixCRC(h []byte) {
	binary.LittleEndian.PutUint32(h[len(h)-4:], crc32.ChecksumIEEE(h[:len(h)-4]))
}
