package pcapfile

import (
	"encoding/binary"
	"fmt"

	"github.com/pxescope/pxescope/capture"
)

// Snoop files (RFC 1761): a header of 16 bytes, then records of 24 bytes and
// the packet padded to 4; all fields big-endian.
const (
	snoopMagic        = "snoop\x00\x00\x00"
	snoopFileHeader   = 16
	snoopRecordHeader = 24
)

// snoopLinks maps the datalink types of RFC 1761 section 4 that libpcap has
// too. IEEE 802.3 and Ethernet are the same on disk.
var snoopLinks = map[uint32]capture.LinkType{
	0: capture.LinkEthernet, // IEEE 802.3
	2: 6,                    // IEEE 802.5 token ring
	4: capture.LinkEthernet,
	8: 10, // FDDI
}

func (r *Reader) openSnoop() error {
	r.format = "snoop"
	if !r.fill(snoopFileHeader) {
		e := r.short("snoop file header", snoopFileHeader).(*Error)
		e.Frame = 0
		return e
	}
	h := r.buf[r.off : r.off+snoopFileHeader]
	if v := binary.BigEndian.Uint32(h[8:]); v != 2 {
		return &Error{File: r.name, Reason: fmt.Sprintf("snoop version %d is not supported, only 2", v), Remedy: "convert it with editcap"}
	}
	dl := binary.BigEndian.Uint32(h[12:])
	link, ok := snoopLinks[dl]
	if !ok {
		return &Error{File: r.name, Reason: fmt.Sprintf("snoop data link type %d is not supported", dl), Remedy: "convert it with editcap"}
	}
	r.link = link
	r.ifaces = []iface{{Interface: capture.Interface{Link: link}}}
	r.off += snoopFileHeader
	r.next = (*Reader).nextSnoop
	return nil
}

func (r *Reader) nextSnoop(p *capture.Packet) error {
	if r.end-r.off < snoopRecordHeader && !r.fill(snoopRecordHeader) {
		return r.short("record header", snoopRecordHeader)
	}
	h := r.buf[r.off : r.off+snoopRecordHeader]
	wireLen, capLen, recLen := binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:])
	drops, sec, usec := binary.BigEndian.Uint32(h[12:]), binary.BigEndian.Uint32(h[16:]), binary.BigEndian.Uint32(h[20:])
	if uint64(recLen) > uint64(r.limit) {
		return r.damage(fmt.Sprintf("record length %d exceeds the limit of %d bytes", recLen, r.limit))
	}
	if uint64(recLen) < snoopRecordHeader+uint64(capLen) {
		return r.damage(fmt.Sprintf("record length %d does not hold its %d bytes of packet", recLen, capLen))
	}
	total := int(recLen)
	if !r.fill(total) {
		return r.short("record", total)
	}
	end := r.off + snoopRecordHeader + int(capLen)
	data := r.buf[r.off+snoopRecordHeader : end : end]
	r.off += total
	r.dropped = capture.Count{Known: true, N: uint64(drops)} // cumulative
	r.deliver(p, capture.Time(int64(sec)*1e9+int64(usec)*1000), r.link, 0, wireLen, data)
	return nil
}
