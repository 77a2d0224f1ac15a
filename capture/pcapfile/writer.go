package pcapfile

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/pxescope/pxescope/capture"
)

// tagOffset is where libpcap puts back the 802.1Q tag that the kernel
// delivers beside a packet: before the type field.
func tagOffset(l capture.LinkType) int {
	switch l {
	case capture.LinkEthernet:
		return 12
	case capture.LinkSLL:
		return 14
	}
	return -1
}

// appendData appends the captured bytes of p, with its tag in place. It
// returns the two lengths of what a file says of the packet.
func appendData(b []byte, p *capture.Packet) (out []byte, capLen, wireLen int) {
	capLen, wireLen = len(p.Data), max(p.WireLen, len(p.Data))
	at := tagOffset(p.Link)
	if !p.VLAN.Present || at < 0 || len(p.Data) < at {
		return append(b, p.Data...), capLen, wireLen
	}
	b = append(b, p.Data[:at]...)
	b = binary.BigEndian.AppendUint16(b, p.VLAN.TPID)
	b = binary.BigEndian.AppendUint16(b, p.VLAN.TCI)
	return append(b, p.Data[at:]...), capLen + 4, wireLen + 4
}

// A PcapWriter writes a pcap file of one link type, little-endian. Each record
// is one Write.
type PcapWriter struct {
	w    io.Writer
	link capture.LinkType
	unit int64 // nanoseconds per unit of the second timestamp word
	buf  []byte
}

// NewPcapWriter writes the file header: with nanosecond timestamps when nano
// is set, else with microseconds. A snapLen of 0 is written as 262144 bytes,
// tcpdump's default: some readers refuse 0.
func NewPcapWriter(w io.Writer, link capture.LinkType, snapLen uint32, nano bool) (*PcapWriter, error) {
	magic, unit := uint32(magicMicro), int64(1000)
	if nano {
		magic, unit = magicNano, 1
	}
	if snapLen == 0 {
		snapLen = 262144
	}
	h := make([]byte, 0, pcapFileHeader)
	h = binary.LittleEndian.AppendUint32(h, magic)
	h = binary.LittleEndian.AppendUint16(h, 2)
	h = binary.LittleEndian.AppendUint16(h, 4)
	h = append(h, 0, 0, 0, 0, 0, 0, 0, 0) // time zone and accuracy, always 0
	h = binary.LittleEndian.AppendUint32(h, snapLen)
	h = binary.LittleEndian.AppendUint32(h, uint32(link))
	if _, err := w.Write(h); err != nil {
		return nil, fmt.Errorf("write pcap header: %w", err)
	}
	return &PcapWriter{w: w, link: link, unit: unit}, nil
}

// WritePacket writes p. A tag beside the packet goes back into its bytes. It
// refuses another link type, and a time that 32 bits of seconds cannot hold.
func (w *PcapWriter) WritePacket(p *capture.Packet) error {
	if p.Link != w.link {
		return fmt.Errorf("write pcap packet: link type %v in a file of %v: write pcapng", p.Link, w.link)
	}
	sec := int64(p.Time) / 1e9
	if p.Time < 0 || sec > math.MaxUint32 {
		return fmt.Errorf("write pcap packet: time %v does not fit: write pcapng", p.Time.Std())
	}
	b := append(w.buf[:0], make([]byte, pcapRecordHeader)...)
	b, capLen, wireLen := appendData(b, p)
	binary.LittleEndian.PutUint32(b, uint32(sec))
	binary.LittleEndian.PutUint32(b[4:], uint32(int64(p.Time)%1e9/w.unit))
	binary.LittleEndian.PutUint32(b[8:], uint32(capLen))
	binary.LittleEndian.PutUint32(b[12:], uint32(wireLen))
	w.buf = b
	if _, err := w.w.Write(b); err != nil {
		return fmt.Errorf("write pcap packet: %w", err)
	}
	return nil
}
