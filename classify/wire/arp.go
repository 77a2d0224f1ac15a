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
	a := &f.ARP
	f.tidy = false
	a.Op = binary.BigEndian.Uint16(b[6:])
	a.SenderMAC, a.TargetMAC = MAC(b[8:14]), MAC(b[18:24])
	a.Sender.set4(b[14:18])
	a.Target.set4(b[24:28])
}
