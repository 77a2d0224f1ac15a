package wire

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/capture"
)

// Link types whose header tells what follows it, or leads to it.
const (
	nflogHeader  = 4 // https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html
	nflogPayload = 9 // NFULA_PAYLOAD
	nflogHWAddr  = 8 // NFULA_HWADDR: length, padding, eight bytes

	pktapMinHeader = 108 // https://www.tcpdump.org/linktypes/LINKTYPE_PKTAP.html
	pktapPacket    = 1   // PTH_TYPE_PACKET
	pktapOutgoing  = 2   // PTH_FLAG_DIR_OUT
)

// nflog reads the attributes of Linux's nflog device up to the IP packet.
// They are in the byte order of the host that captured, which is not told: of
// the two readings of a length only one is small.
func (d *Decoder) nflog(f *Frame, b []byte) {
	if len(b) < nflogHeader {
		f.linkShort()
		return
	}
	family := b[0]
	for b = b[nflogHeader:]; len(b) >= 4; {
		size, typ := int(binary.LittleEndian.Uint16(b)), binary.LittleEndian.Uint16(b[2:])
		if big := int(binary.BigEndian.Uint16(b)); big < size {
			size, typ = big, binary.BigEndian.Uint16(b[2:])
		}
		typ &= 0x3fff // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
		if size < 4 {
			break
		}
		value := b[4:min(size, len(b))]
		switch {
		case typ == nflogPayload:
			d.nflogPacket(f, family, value, size-4-len(value)) // what else was cut is padding
			return
		case typ == nflogHWAddr && len(value) >= 10 && binary.BigEndian.Uint16(value) == 6:
			f.SrcMAC = [6]byte(value[4:10])
		}
		if size = (size + 3) &^ 3; size > len(b) { // cut, or nonsense
			break
		}
		b = b[size:]
	}
	f.linkShort()
}

func (d *Decoder) nflogPacket(f *Frame, family byte, b []byte, cut int) {
	switch family {
	case 2, 10: // AF_INET, AF_INET6 of Linux
		d.rawIP(f, b, cut)
	default:
		f.stop(StopEtherType, b, cut)
	}
}

// pktap reads the header that macOS puts before packets of several devices.
func (d *Decoder) pktap(f *Frame, b []byte, cut int) {
	if len(b) < pktapMinHeader {
		f.linkShort()
		return
	}
	size, dlt := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[8:])
	if size < pktapMinHeader || size > uint32(len(b)) || binary.LittleEndian.Uint32(b[4:]) != pktapPacket {
		f.stop(StopLinkType, b, cut)
		return
	}
	f.Outgoing = binary.LittleEndian.Uint32(b[36:])&pktapOutgoing != 0
	b = b[size:]
	switch capture.LinkType(dlt) {
	case capture.LinkEthernet:
		d.ethernet(f, b, cut)
	case capture.LinkNull:
		d.loopback(f, b, cut)
	case capture.LinkRaw, capture.LinkRawBSD, capture.LinkRawOpenBSD:
		d.rawIP(f, b, cut)
	default: // never PKTAP again: no header nests
		f.stop(StopLinkType, b, cut)
	}
}
