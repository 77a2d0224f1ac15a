package wire

import "encoding/binary"

// The cooked headers of Linux captures on "any"
// (https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html and _SLL2.html).
const (
	sllHeader  = 16
	sll2Header = 20

	packetOutgoing = 4 // PACKET_OUTGOING

	arphrdNetlink   = 824
	arphrdWiFi      = 801 // 802.11, and 802 and 803 with radio headers
	arphrdWiFiRadio = 803

	// Protocols of cooked headers that are no Ethernet types.
	cookedNovell = 1 // 802.3 without LLC
	cookedLLC    = 4
)

func (d *Decoder) sll(f *Frame, b []byte, cut int) {
	if len(b) < sllHeader {
		f.linkShort()
		return
	}
	f.cookedSource(binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[4:])), [6]byte(b[6:12]))
	d.cooked(f, binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[14:]), b[sllHeader:], cut)
}

func (d *Decoder) sll2(f *Frame, b []byte, cut int) {
	if len(b) < sll2Header {
		f.linkShort()
		return
	}
	f.tidy = false
	f.IfIndex = binary.BigEndian.Uint32(b[4:])
	f.cookedSource(uint16(b[10]), int(b[11]), [6]byte(b[12:18]))
	d.cooked(f, binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b), b[sll2Header:], cut)
}

func (f *Frame) cookedSource(packetType uint16, addrLen int, addr [6]byte) {
	f.Outgoing = packetType == packetOutgoing
	if addrLen == 6 {
		f.SrcMAC = addr
	}
}

// cooked reads what follows a cooked header. The interface's ARPHRD type
// decides what the protocol means: for most it is an Ethernet type.
func (d *Decoder) cooked(f *Frame, arphrd, proto uint16, b []byte, cut int) {
	switch {
	case arphrd == arphrdNetlink:
		f.stop(StopEtherType, b, cut)
	case arphrd >= arphrdWiFi && arphrd <= arphrdWiFiRadio:
		f.stop(StopLinkType, b, cut)
	case proto == cookedLLC:
		d.llc(f, b, cut)
	case proto == cookedNovell:
		f.stop(StopLLC, b, cut)
	case proto == etherTEB:
		// A GRE device carries the type of its GRE header.
		d.ethernet(f, b, cut)
	case proto < minType:
		f.EtherType = proto
		f.stop(StopEtherType, b, cut)
	default:
		d.network(f, proto, b, cut)
	}
}

// loopback reads BSD's 4-byte address family, in the byte order of the host
// that captured (NULL) or of the network (LOOP): the families are small, so
// the zeros tell. AF_INET6 differs between systems.
func (d *Decoder) loopback(f *Frame, b []byte, cut int) {
	if len(b) < 4 {
		f.linkShort()
		return
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = binary.BigEndian.Uint32(b)
	}
	b = b[4:]
	switch family {
	case 2: // AF_INET everywhere
		f.EtherType = EtherIPv4
		d.ipv4(f, b, cut)
	case 10, 23, 24, 26, 28, 30: // Linux, Windows, NetBSD and OpenBSD, Solaris, FreeBSD, Darwin
		f.EtherType = EtherIPv6
		d.ipv6(f, b, cut)
	default:
		f.stop(StopEtherType, b, cut)
	}
}
