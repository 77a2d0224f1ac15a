package wire

import "encoding/binary"

// UDP ports of tunnels.
const (
	portVXLAN      = 4789 // RFC 7348
	portVXLANLinux = 8472 // the kernel's default, older than the RFC
	portVXLANGPE   = 4790 // draft-ietf-nvo3-vxlan-gpe
	portGeneve     = 6081 // RFC 8926
)

func isTunnelPort(p uint16) bool {
	return p == portVXLAN || p == portVXLANLinux || p == portVXLANGPE || p == portGeneve
}

// enter notes that decoding goes into a tunnel and forgets the outer network
// and transport layers. Fragment and Datagram stay: when the outer datagram
// was put together, so was what it carries. Where it is one tunnel too many, b
// is left as the payload.
func (d *Decoder) enter(f *Frame, t Tunnel, vni uint32, b []byte, cut int) bool {
	if d.depth == MaxTunnels {
		f.stop(StopTunnelDepth, b, cut)
		return false
	}
	d.depth++
	f.Tunnel, f.VNI, f.tidy = t, vni, false
	f.EtherType = 0
	f.IPVersion, f.Src, f.Dst = 0, Addr{}, Addr{}
	f.TTL, f.TOS, f.IPID, f.DF, f.Proto = 0, 0, 0, false, 0
	f.SrcPort, f.DstPort, f.UDPSum, f.Hash = 0, 0, 0, 0
	f.Payload, f.PayloadLen, f.wholeUDP = nil, 0, false
	d.routed = false
	return true
}

// innerEthernet reads an Ethernet frame in a tunnel: its addresses and tags
// take the place of the outer ones.
func (d *Decoder) innerEthernet(f *Frame, b []byte, cut int) {
	f.SrcMAC, f.DstMAC, f.HasDstMAC = MAC{}, MAC{}, false
	f.Tags, f.TagCount = [MaxTags]uint16{}, 0
	d.ethernet(f, b, cut)
}

// innerType reads what a tunnel header's Ethernet type announces, after enter.
func (d *Decoder) innerType(f *Frame, typ uint16, b []byte, cut int) {
	if typ == etherTEB {
		d.innerEthernet(f, b, cut)
		return
	}
	d.network(f, typ, b, cut)
}

// udpTunnel enters VXLAN or Geneve in the UDP datagram f. Any service may use
// these ports: where the header is not plausible, or the inner packet turns
// out to be damaged although all of it was captured, f stays the outer datagram.
func (d *Decoder) udpTunnel(f *Frame) {
	b, cut := f.Payload, f.PayloadLen-len(f.Payload)
	if len(b) < 8 || b[7] != 0 {
		return
	}
	tunnel, typ, vni, n := VXLAN, uint16(etherTEB), binary.BigEndian.Uint32(b[4:])>>8, 8
	ok := false
	switch f.DstPort {
	case portVXLAN, portVXLANLinux:
		ok = isVXLAN(b)
	case portVXLANGPE:
		typ, ok = typeVXLANGPE(b)
	case portGeneve:
		// Version, option length, two flags, type, VNI (RFC 8926 section 3.4).
		tunnel, typ, n = Geneve, binary.BigEndian.Uint16(b[2:]), 8+int(b[0]&0x3f)*4
		ok = b[0]>>6 == 0 && b[1]&0x3f == 0 && (typ == etherTEB || typ == EtherIPv4 || typ == EtherIPv6)
	}
	if !ok || n > len(b) {
		return
	}
	outer, depth := *f, d.depth
	if !d.enter(f, tunnel, vni, b, cut) {
		return
	}
	d.innerType(f, typ, b[n:], cut)
	switch f.Stop {
	case StopLinkShort, StopIPShort, StopIPHeader, StopARPShort:
		if cut == 0 {
			*f, d.depth = outer, depth
		}
	}
}

// isVXLAN reports whether b starts with a VXLAN header: the I flag and no
// other (RFC 7348 section 5), except G of the group policy extension, which
// also uses the next three bytes.
func isVXLAN(b []byte) bool {
	const i, g = 0x08, 0x80
	return b[0] == i && b[1]|b[2]|b[3] == 0 || b[0] == i|g
}

// typeVXLANGPE is the Ethernet type for the next protocol of a VXLAN header
// with the generic protocol extension (draft-ietf-nvo3-vxlan-gpe).
func typeVXLANGPE(b []byte) (typ uint16, ok bool) {
	const i, p = 0x08, 0x04
	if b[0]&^1 != i|p || b[1]|b[2] != 0 { // bit 0 is O, which may be set
		return 0, false
	}
	switch b[3] {
	case 1:
		return EtherIPv4, true
	case 2:
		return EtherIPv6, true
	case 3:
		return etherTEB, true
	}
	return 0, false
}

// ipip reads IP or MPLS straight in IP.
func (d *Decoder) ipip(f *Frame, b []byte, cut int) {
	proto := f.Proto
	if proto == protoMPLS {
		d.mpls(f, b, cut)
		return
	}
	if len(b) == 0 {
		f.stop(StopTunnelShort, b, cut)
		return
	}
	if !d.enter(f, IPIP, 0, b, cut) {
		return
	}
	if proto == protoIPv4 {
		f.EtherType = EtherIPv4
		d.ipv4(f, b, cut)
		return
	}
	f.EtherType = EtherIPv6
	d.ipv6(f, b, cut)
}

// mpls reads a label stack (RFC 3032 section 2.1). Nothing names what follows;
// the first nibble tells (RFC 4928): 4 and 6 are IP, 0 is the control word of
// an Ethernet pseudowire (RFC 4385), anything else the pseudowire's Ethernet
// frame without one. Destination addresses may start with these nibbles too:
// IP's own length and the Ethernet type tell.
func (d *Decoder) mpls(f *Frame, b []byte, cut int) {
	var label uint32
	for rest := b; ; {
		if len(rest) < 4 {
			f.stop(StopTunnelShort, b, cut)
			return
		}
		entry := binary.BigEndian.Uint32(rest)
		label, rest = entry>>12, rest[4:]
		if entry&0x100 != 0 { // bottom of stack
			b = rest
			break
		}
	}
	if len(b) == 0 {
		f.stop(StopTunnelShort, b, cut)
		return
	}
	if !d.enter(f, MPLS, label, b, cut) {
		return
	}
	switch {
	case looksIPv4(b, cut):
		f.EtherType = EtherIPv4
		d.ipv4(f, b, cut)
	case looksIPv6(b, cut):
		f.EtherType = EtherIPv6
		d.ipv6(f, b, cut)
	case b[0]>>4 == 0 && len(b) >= 4 && (knownType(b[4:]) || !knownType(b)):
		d.innerEthernet(f, b[4:], cut)
	default:
		d.innerEthernet(f, b, cut)
	}
}

func looksIPv4(b []byte, cut int) bool {
	if b[0]>>4 != 4 || b[0]&15 < 5 {
		return false
	}
	return len(b) < 4 || int(binary.BigEndian.Uint16(b[2:])) <= len(b)+cut
}

func looksIPv6(b []byte, cut int) bool {
	if b[0]>>4 != 6 {
		return false
	}
	return len(b) < 6 || ip6Header+int(binary.BigEndian.Uint16(b[4:])) <= len(b)+cut
}

// knownType reports whether b looks like an Ethernet frame that Decode reads on.
func knownType(b []byte) bool {
	if len(b) < etherHeader {
		return false
	}
	switch binary.BigEndian.Uint16(b[12:]) {
	case EtherIPv4, EtherIPv6, EtherARP, etherQ, etherAD, etherQinQ, etherMPLS, etherPPPoE:
		return true
	}
	return false
}
