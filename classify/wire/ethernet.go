package wire

import "encoding/binary"

const (
	etherHeader = 14
	vidMask     = 0x0fff
	tagLen      = 4

	etherQ     = 0x8100 // IEEE 802.1Q C-tag
	etherAD    = 0x88a8 // IEEE 802.1ad S-tag
	etherQinQ  = 0x9100 // S-tag of switches older than 802.1ad
	etherMPLS  = 0x8847 // RFC 3032 section 5
	etherMPLSM = 0x8848 // upstream-assigned labels, RFC 5332
	etherPPPoE = 0x8864 // session stage, RFC 2516 section 4
	etherTEB   = 0x6558 // transparent Ethernet bridging, RFC 1701

	maxLength3 = 1500 // a type field up to here is an IEEE 802.3 length
	minType    = 0x600
)

func (d *Decoder) ethernet(f *Frame, b []byte, cut int) {
	if len(b) < etherHeader {
		f.linkShort()
		return
	}
	f.DstMAC = MAC(b[0:6])
	f.SrcMAC = MAC(b[6:12])
	f.HasDstMAC = true
	typ := binary.BigEndian.Uint16(b[12:14])
	if typ == EtherIPv4 {
		f.EtherType = EtherIPv4
		d.ipv4(f, b[etherHeader:], cut)
		return
	}
	d.network(f, typ, b[etherHeader:], cut)
}

// linkShort stops at a link layer that is not all there; a tick has none.
func (f *Frame) linkShort() {
	if f.CapLen > 0 || f.ID.Number() != 0 {
		f.Stop = StopLinkShort
	}
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
	if typ <= maxLength3 {
		// What follows the length is padding (IEEE 802.3 section 3.2.7).
		b, cut = trim(b, cut, int(typ))
		d.llc(f, b, cut)
		return
	}
	f.EtherType = typ
	switch typ {
	case EtherIPv4:
		d.ipv4(f, b, cut)
	case EtherIPv6:
		d.ipv6(f, b, cut)
	case EtherARP:
		f.arp(b, cut)
	case etherMPLS, etherMPLSM:
		d.mpls(f, b, cut)
	case etherPPPoE:
		if d.base != 0 {
			f.stop(StopTunnelDepth, b, cut)
			return
		}
		d.pppoe(f, b, cut)
	default:
		f.stop(StopEtherType, b, cut)
	}
}

// llc reads an IEEE 802.2 header. Of LLC only what carries IP or ARP goes on:
// SNAP with an Ethernet type (RFC 1042), and IP's own SAP.
func (d *Decoder) llc(f *Frame, b []byte, cut int) {
	const ui = 3 // unnumbered information
	f.EtherType = 0
	if len(b) >= 3 && b[2] == ui {
		switch {
		case b[0] == 0xaa && b[1] == 0xaa && len(b) >= 8:
			oui := [3]byte(b[3:6])
			// 00-00-f8 is the bridge tunnel encapsulation of IEEE 802.1H.
			if typ := binary.BigEndian.Uint16(b[6:]); typ >= minType && (oui == [3]byte{} || oui == [3]byte{2: 0xf8}) {
				d.network(f, typ, b[8:], cut)
				return
			}
		case b[0] == 6 && b[1] == 6:
			f.EtherType = EtherIPv4
			d.ipv4(f, b[3:], cut)
			return
		}
	}
	f.stop(StopLLC, b, cut)
}

// stop ends decoding for a reason and leaves the rest as the payload.
func (f *Frame) stop(why Stop, b []byte, cut int) {
	f.Stop = why
	f.Payload, f.PayloadLen = b, len(b)+cut
}

// trim shortens a layer of len(b)+cut bytes to n, the length that its header
// states; where the header states more than there is, the rest counts as cut.
func trim(b []byte, cut, n int) ([]byte, int) {
	if n <= len(b) {
		return b[:n], 0
	}
	return b, n - len(b)
}
