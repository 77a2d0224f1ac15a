package wire

import "encoding/binary"

const (
	etherHeader = 14
	vidMask     = 0x0fff

	etherQ     = 0x8100 // IEEE 802.1Q C-tag
	etherAD    = 0x88a8 // IEEE 802.1ad S-tag
	etherQinQ  = 0x9100 // S-tag of switches older than 802.1ad
	maxLength3 = 1500   // a type field up to here is an IEEE 802.3 length
)

func (d *Decoder) ethernet(f *Frame, b []byte, cut int) {
	if len(b) < etherHeader {
		f.Stop = StopLinkShort
		return
	}
	f.DstMAC = MAC(b[0:6])
	f.SrcMAC = MAC(b[6:12])
	f.HasDstMAC = true
	d.network(f, binary.BigEndian.Uint16(b[12:14]), b[etherHeader:], cut)
}

// network reads what follows an Ethernet type: tags, then the network layer.
func (d *Decoder) network(f *Frame, typ uint16, b []byte, cut int) {
	for typ == etherQ || typ == etherAD || typ == etherQinQ {
		f.EtherType = typ
		if len(b) < 4 {
			f.Stop = StopLinkShort
			return
		}
		if f.TagCount == MaxTags {
			f.Stop = StopTagDepth
			return
		}
		f.Tags[f.TagCount] = binary.BigEndian.Uint16(b) & vidMask
		f.TagCount++
		typ = binary.BigEndian.Uint16(b[2:])
		b = b[4:]
	}
	f.EtherType = typ
	switch typ {
	case EtherIPv4:
		d.ipv4(f, b, cut)
	case EtherIPv6:
		d.ipv6(f, b, cut)
	case EtherARP:
		f.arp(b)
	default:
		f.Payload, f.PayloadLen = b, len(b)+cut
		if typ <= maxLength3 {
			f.Stop = StopLLC
			return
		}
		f.Stop = StopEtherType
	}
}
