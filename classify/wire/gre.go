package wire

import "encoding/binary"

const (
	greChecksum = 0x8000
	greRouting  = 0x4000 // deprecated by RFC 2784
	greKey      = 0x2000
	greSequence = 0x1000
	greAck      = 0x0080 // version 1 only
	greVersion  = 0x0007 // 1 is PPTP's

	// Protocol types of Cisco's mirror sessions (draft-foschiano-erspan).
	greERSPAN2 = 0x88be // type II with a sequence number, type I without
	greERSPAN3 = 0x22eb

	grePPP = 0x880b
)

// gre reads a GRE header (RFC 2784, RFC 2890). What it does not carry on into
// stays an IP packet of protocol 47.
func (d *Decoder) gre(f *Frame, b []byte, cut int) {
	if len(b) < 4 {
		f.stop(StopTunnelShort, b, cut)
		return
	}
	flags, typ := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if flags&greVersion == 1 && typ == grePPP {
		d.pptp(f, b, cut, flags)
		return
	}
	if flags&(greVersion|greRouting) != 0 {
		f.stop(StopIPProto, b, cut)
		return
	}
	n, keyAt := 4, 4
	if flags&greChecksum != 0 {
		n, keyAt = n+4, keyAt+4
	}
	if flags&greKey != 0 {
		n += 4
	}
	if flags&greSequence != 0 {
		n += 4
	}
	if n > len(b) {
		f.stop(StopTunnelShort, b, cut)
		return
	}
	var key uint32
	if flags&greKey != 0 {
		key = binary.BigEndian.Uint32(b[keyAt:])
	}
	inner := b[n:]
	switch typ {
	case EtherIPv4, EtherIPv6, EtherARP, etherTEB, etherMPLS, etherMPLSM:
		if d.enter(f, GRE, key, b, cut) {
			d.innerType(f, typ, inner, cut)
		}
	case greERSPAN2:
		if flags&greSequence == 0 {
			d.erspan(f, inner, cut, 0, 0)
			return
		}
		d.erspan(f, inner, cut, 1, 8)
	case greERSPAN3:
		d.erspan(f, inner, cut, 2, 12)
	default:
		f.stop(StopIPProto, b, cut)
	}
}

// pptp reads PPTP's GRE (RFC 2637 section 4.1): payload length and call id in
// place of the key, then a sequence and an acknowledgement number if flagged.
// A packet without a sequence number acknowledges and carries nothing.
func (d *Decoder) pptp(f *Frame, b []byte, cut int, flags uint16) {
	n := 8
	if flags&greSequence != 0 {
		n += 4
	}
	if flags&greAck != 0 {
		n += 4
	}
	if n > len(b) {
		f.stop(StopTunnelShort, b, cut)
		return
	}
	length, call := int(binary.BigEndian.Uint16(b[4:])), uint32(binary.BigEndian.Uint16(b[6:]))
	if flags&greSequence == 0 || length == 0 {
		f.stop(StopIPProto, b, cut)
		return
	}
	if !d.enter(f, GRE, call, b, cut) {
		return
	}
	inner, innerCut := trim(b[n:], cut, length)
	d.ppp(f, inner, innerCut)
}

// erspan reads a mirrored frame behind an ERSPAN header of n bytes whose
// version field must be version; n 0 is type I, which has no header.
func (d *Decoder) erspan(f *Frame, b []byte, cut int, version byte, n int) {
	if len(b) < n {
		f.stop(StopTunnelShort, b, cut)
		return
	}
	var session uint32
	bare := false
	if n > 0 {
		if b[0]>>4 != version {
			f.stop(StopIPProto, b, cut)
			return
		}
		session = uint32(binary.BigEndian.Uint16(b[2:]) & 0x3ff)
	}
	if version == 2 {
		const frameType, frameIP, platformHeader = 0x7c, 2 << 2, 1
		bare = b[10]&frameType == frameIP
		if b[11]&platformHeader != 0 {
			n += 8
		}
		if len(b) < n {
			f.stop(StopTunnelShort, b, cut)
			return
		}
	}
	if !d.enter(f, ERSPAN, session, b, cut) {
		return
	}
	if bare {
		d.rawIP(f, b[n:], cut)
		return
	}
	d.innerEthernet(f, b[n:], cut)
}
