package wire

import "encoding/binary"

const (
	ip4Header = 20
	ip6Header = 40

	ip4More    = 0x2000
	ip4DF      = 0x4000
	ip4OffMask = 0x1fff // in units of 8 bytes
)

// rawIP reads a packet that starts with an IP header of either version.
func (d *Decoder) rawIP(f *Frame, b []byte, cut int) {
	if len(b) == 0 {
		if f.CapLen > 0 || f.ID.Number() != 0 {
			f.Stop = StopIPShort
		}
		return
	}
	switch b[0] >> 4 {
	case 4:
		f.EtherType = EtherIPv4
		d.ipv4(f, b, cut)
	case 6:
		f.EtherType = EtherIPv6
		d.ipv6(f, b, cut)
	default:
		f.Stop = StopIPHeader
	}
}

// ipv4 reads an IPv4 header (RFC 791 section 3.1) and what it carries.
func (d *Decoder) ipv4(f *Frame, b []byte, cut int) {
	if len(b) < ip4Header {
		f.Stop = StopIPShort
		return
	}
	hl := int(b[0]&15) * 4
	total := int(binary.BigEndian.Uint16(b[2:]))
	if b[0]>>4 != 4 || hl < ip4Header || total != 0 && total < hl {
		f.Stop = StopIPHeader
		return
	}
	f.IPVersion = 4
	f.TOS, f.TTL, f.Proto = b[1], b[8], b[9]
	f.IPID = uint32(binary.BigEndian.Uint16(b[4:]))
	f.Src.set4(b[12:16])
	f.Dst.set4(b[16:20])
	flags := binary.BigEndian.Uint16(b[6:])
	f.DF = flags&ip4DF != 0
	if len(b) < hl {
		f.Stop = StopIPShort
		return
	}
	// Total length 0 is segmentation offload: the length is the frame's.
	if total != 0 {
		b, cut = trim(b, cut, total)
	}
	b = b[hl:]
	if flags&(ip4More|ip4OffMask) != 0 {
		d.fragment(f, int(flags&ip4OffMask)*8, flags&ip4More != 0, b, cut)
		return
	}
	d.transport(f, b, cut)
}

// mapped4 is what stands before an IPv4 address in the second half of its Addr,
// as a little-endian number.
const mapped4 = 0xffff0000

// set4 is a = Addr4 of b, in two stores.
func (a *Addr) set4(b []byte) {
	binary.LittleEndian.PutUint64(a[0:8], 0)
	binary.LittleEndian.PutUint64(a[8:16], mapped4|uint64(binary.LittleEndian.Uint32(b))<<32)
}

// fold is a in 64 bits, for hashing: of an IPv4 address its second half.
func (a *Addr) fold() uint64 {
	return binary.LittleEndian.Uint64(a[8:]) ^ binary.LittleEndian.Uint64(a[:8])*3
}

// ipv6 reads an IPv6 header (RFC 8200 section 3) and what it carries.
func (d *Decoder) ipv6(f *Frame, b []byte, cut int) {
	if len(b) < ip6Header {
		f.Stop = StopIPShort
		return
	}
	if b[0]>>4 != 6 {
		f.Stop = StopIPHeader
		return
	}
	f.IPVersion = 6
	f.TOS = b[0]<<4 | b[1]>>4
	n := int(binary.BigEndian.Uint16(b[4:]))
	f.Proto, f.TTL = b[6], b[7]
	f.Src, f.Dst = Addr(b[8:24]), Addr(b[24:40])
	b = b[ip6Header:]
	// Payload length 0 is a jumbogram (RFC 2675) or segmentation offload: the
	// length is the frame's.
	if n != 0 {
		b, cut = trim(b, cut, n)
	}
	d.transport(f, b, cut)
}
