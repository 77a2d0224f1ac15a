package pcapfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/pxescope/pxescope/capture"
)

// A Section holds the texts of a pcapng section header; empty ones are left
// out. Texts longer than 65535 bytes are cut.
type Section struct {
	Hardware    string
	OS          string
	Application string
	Comment     string
}

// An NgWriter writes pcapng, little-endian, with timestamps in nanoseconds.
// Each block is one Write, so that a writer that is killed leaves no half
// block in the file.
type NgWriter struct {
	w     io.Writer
	buf   []byte
	links []capture.LinkType // of the interfaces of this section
}

// NewNgWriter writes the first section header.
func NewNgWriter(w io.Writer, s Section) (*NgWriter, error) {
	n := &NgWriter{w: w}
	if err := n.Section(s); err != nil {
		return nil, err
	}
	return n, nil
}

// Section starts a section, in which interfaces count from 0 again.
func (w *NgWriter) Section(s Section) error {
	b := w.begin(blockSection)
	b = binary.LittleEndian.AppendUint32(b, byteOrderMagic)
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint64(b, math.MaxUint64) // length not known
	start := len(b)
	b = appendText(b, optComment, s.Comment)
	b = appendText(b, shbHardware, s.Hardware)
	b = appendText(b, shbOS, s.OS)
	b = appendText(b, shbUserAppl, s.Application)
	w.links = w.links[:0]
	return w.end(endOptions(b, start), "section header")
}

// Interface describes a capture interface by Name, Link, SnapLen and Filter;
// what it returns is the Packet.Iface of its packets in this section.
func (w *NgWriter) Interface(i capture.Interface) (int, error) {
	b := w.begin(blockInterface)
	b = binary.LittleEndian.AppendUint16(b, uint16(i.Link))
	b = append(b, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, i.SnapLen)
	start := len(b)
	b = appendText(b, ifName, i.Name)
	if i.Filter != "" {
		b = appendText(b, ifFilter, "\x00"+i.Filter)
	}
	b = appendOption(b, ifTSResol, []byte{9})
	if err := w.end(endOptions(b, start), "interface"); err != nil {
		return 0, err
	}
	w.links = append(w.links, i.Link)
	return len(w.links) - 1, nil
}

// WritePacket writes p, with a comment if there is one. p.Iface is an
// interface of this section and has p's link type. A tag beside the packet
// goes back into its bytes.
func (w *NgWriter) WritePacket(p *capture.Packet, comment string) error {
	if p.Iface < 0 || p.Iface >= len(w.links) {
		return fmt.Errorf("write pcapng packet: interface %d is not described", p.Iface)
	}
	if l := w.links[p.Iface]; l != p.Link {
		return fmt.Errorf("write pcapng packet: link type %v on interface %d of %v", p.Link, p.Iface, l)
	}
	if p.Time < 0 {
		return fmt.Errorf("write pcapng packet: time %v is before 1970", p.Time.Std())
	}
	b := append(w.begin(blockEnhanced), make([]byte, 20)...)
	b, capLen, wireLen := appendData(b, p)
	h := b[8:]
	binary.LittleEndian.PutUint32(h, uint32(p.Iface))
	binary.LittleEndian.PutUint32(h[4:], uint32(uint64(p.Time)>>32))
	binary.LittleEndian.PutUint32(h[8:], uint32(p.Time))
	binary.LittleEndian.PutUint32(h[12:], uint32(capLen))
	binary.LittleEndian.PutUint32(h[16:], uint32(wireLen))
	b = pad(b)
	start := len(b)
	b = appendText(b, optComment, comment)
	return w.end(endOptions(b, start), "packet")
}

// Statistics writes what interface iface received and lost from start to end;
// unknown counts are left out.
func (w *NgWriter) Statistics(iface int, start, end capture.Time, received, dropped capture.Count) error {
	if iface < 0 || iface >= len(w.links) {
		return fmt.Errorf("write pcapng statistics: interface %d is not described", iface)
	}
	if start < 0 || end < 0 {
		return errors.New("write pcapng statistics: time before 1970")
	}
	stamp := func(b []byte, t capture.Time) []byte {
		b = binary.LittleEndian.AppendUint32(b, uint32(uint64(t)>>32))
		return binary.LittleEndian.AppendUint32(b, uint32(t))
	}
	b := w.begin(blockStatistics)
	b = binary.LittleEndian.AppendUint32(b, uint32(iface))
	b = stamp(b, end)
	opts := len(b)
	b = appendOption(b, isbStartTime, stamp(nil, start))
	b = appendOption(b, isbEndTime, stamp(nil, end))
	if received.Known {
		b = appendOption(b, isbIfRecv, binary.LittleEndian.AppendUint64(nil, received.N))
	}
	if dropped.Known {
		b = appendOption(b, isbIfDrop, binary.LittleEndian.AppendUint64(nil, dropped.N))
	}
	return w.end(endOptions(b, opts), "statistics")
}

// begin starts a block in the writer's buffer; its length comes at the end.
func (w *NgWriter) begin(typ uint32) []byte {
	b := binary.LittleEndian.AppendUint32(w.buf[:0], typ)
	return append(b, 0, 0, 0, 0)
}

// end completes the block and writes it.
func (w *NgWriter) end(b []byte, what string) error {
	n := uint32(len(b) + 4)
	b = binary.LittleEndian.AppendUint32(b, n)
	binary.LittleEndian.PutUint32(b[4:], n)
	w.buf = b
	if _, err := w.w.Write(b); err != nil {
		return fmt.Errorf("write pcapng %s: %w", what, err)
	}
	return nil
}

func appendOption(b []byte, code uint16, v []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(v)))
	return pad(append(b, v...))
}

func appendText(b []byte, code uint16, s string) []byte {
	if s == "" {
		return b
	}
	s = s[:min(len(s), math.MaxUint16)]
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
	return pad(append(b, s...))
}

// endOptions ends the list of options if there are any after start.
func endOptions(b []byte, start int) []byte {
	if len(b) == start {
		return b
	}
	return append(b, 0, 0, 0, 0)
}

// pad fills up to a multiple of four; blocks start at 0.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
