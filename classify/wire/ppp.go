package wire

import "encoding/binary"

// PPP protocol numbers (IANA ppp-numbers).
const (
	pppIPv4  = 0x0021
	pppIPv6  = 0x0057
	pppMPLS  = 0x0281
	pppMPLSM = 0x0283
)

// ppp reads a PPP frame, with the address and control bytes of HDLC-like
// framing or without (RFC 1662 section 3.1); the protocol may be compressed to
// one byte (RFC 1661 section 2).
func (d *Decoder) ppp(f *Frame, b []byte, cut int) {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 3 {
		b = b[2:]
	}
	var proto uint16
	switch {
	case len(b) >= 1 && b[0]&1 == 1:
		proto, b = uint16(b[0]), b[1:]
	case len(b) >= 2:
		proto, b = binary.BigEndian.Uint16(b), b[2:]
	default:
		f.linkShort()
		return
	}
	switch proto {
	case pppIPv4:
		f.EtherType = EtherIPv4
		d.ipv4(f, b, cut)
	case pppIPv6:
		f.EtherType = EtherIPv6
		d.ipv6(f, b, cut)
	case pppMPLS, pppMPLSM:
		d.mpls(f, b, cut)
	default: // LCP, IPCP ...
		f.EtherType = 0
		f.stop(StopEtherType, b, cut)
	}
}

// hdlc reads PPP in HDLC-like framing, or Cisco HDLC, whose first byte is 0x0f
// (unicast) or 0x8f (broadcast) and whose protocol is an Ethernet type
// (RFC 1547 section 4.3.1).
func (d *Decoder) hdlc(f *Frame, b []byte, cut int) {
	if len(b) == 0 || b[0] != 0x0f && b[0] != 0x8f {
		d.ppp(f, b, cut)
		return
	}
	if len(b) < 4 {
		f.linkShort()
		return
	}
	typ := binary.BigEndian.Uint16(b[2:])
	if typ < minType {
		f.stop(StopEtherType, b[4:], cut)
		return
	}
	d.network(f, typ, b[4:], cut)
}

// pppoe reads a PPPoE session packet (RFC 2516 section 4): version and type 1,
// code 0, session id, length.
func (d *Decoder) pppoe(f *Frame, b []byte, cut int) {
	if len(b) < 6 {
		f.linkShort()
		return
	}
	if b[0] != 0x11 || b[1] != 0 {
		f.stop(StopEtherType, b, cut)
		return
	}
	// Length 0 comes with segmentation offload; PPP always has a protocol.
	n := int(binary.BigEndian.Uint16(b[4:]))
	b = b[6:]
	if n != 0 {
		b, cut = trim(b, cut, n)
	}
	d.ppp(f, b, cut)
}
