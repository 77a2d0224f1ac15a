package wire

import "encoding/binary"

const arpLen = 28 // with Ethernet and IPv4 addresses

// arp reads an ARP packet for Ethernet and IPv4 (RFC 826); other address
// families stop with StopEtherType. Hardware type 6, IEEE 802, has the same
// addresses.
func (f *Frame) arp(b []byte, cut int) {
	if len(b) < 8 {
		f.Stop = StopARPShort
		return
	}
	hardware, protocol := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if hardware != 1 && hardware != 6 || protocol != EtherIPv4 || b[4] != 6 || b[5] != 4 {
		f.stop(StopEtherType, b, cut)
		return
	}
	if len(b) < arpLen {
		f.Stop = StopARPShort
		return
	}
	f.marks |= markARP
	f.ARP = ARP{
		Op:        binary.BigEndian.Uint16(b[6:]),
		SenderMAC: MAC(b[8:14]), Sender: Addr4([4]byte(b[14:18])),
		TargetMAC: MAC(b[18:24]), Target: Addr4([4]byte(b[24:28])),
	}
}
