package wire

import "encoding/binary"

// arp reads an ARP packet for Ethernet and IPv4 (RFC 826); other address
// families stop with StopEtherType.
func (f *Frame) arp(b []byte) {
	if len(b) < 8 {
		f.Stop = StopARPShort
		return
	}
	htype := binary.BigEndian.Uint16(b)
	if htype != 1 && htype != 6 || binary.BigEndian.Uint16(b[2:]) != EtherIPv4 || b[4] != 6 || b[5] != 4 {
		f.Stop = StopEtherType
		return
	}
	if len(b) < 28 {
		f.Stop = StopARPShort
		return
	}
	f.ARP = ARP{
		Op:        binary.BigEndian.Uint16(b[6:]),
		SenderMAC: MAC(b[8:14]), Sender: Addr4([4]byte(b[14:18])),
		TargetMAC: MAC(b[18:24]), Target: Addr4([4]byte(b[24:28])),
	}
}
