package wire

import "encoding/binary"

const (
	udpHeader  = 8
	tcpHeader  = 20
	icmpHeader = 8

	protoIPv4 = 4  // RFC 2003
	protoIPv6 = 41 // RFC 4213
	protoGRE  = 47
	protoMPLS = 137 // RFC 4023
)

// transport reads the header of f.Proto, at the start of b.
func (d *Decoder) transport(f *Frame, b []byte, cut int) {
	switch f.Proto {
	case ProtoUDP:
		d.udp(f, b, cut)
	case ProtoTCP:
		f.tcp(b, cut)
	default:
		d.otherProto(f, b, cut)
	}
}

func (d *Decoder) otherProto(f *Frame, b []byte, cut int) {
	switch {
	case f.Proto == ProtoICMP && f.IPVersion == 4, f.Proto == ProtoICMPv6 && f.IPVersion == 6:
		f.icmp(b, cut)
	case isExtension(f.IPVersion, f.Proto):
		d.extensions(f, b, cut)
	case f.Fragment == First:
		f.stop(StopFragment, b, cut) // a tunnel's inner packet is read when it is complete
	case f.Proto == protoIPv4, f.Proto == protoIPv6, f.Proto == protoMPLS:
		d.ipip(f, b, cut)
	case f.Proto == protoGRE:
		d.gre(f, b, cut)
	default:
		f.stop(StopIPProto, b, cut)
	}
}

// short stops at a header that is not all there. In a first fragment that is
// no damage: the rest is in the next.
func (f *Frame) short(why Stop, b []byte, cut int) {
	if f.Fragment == First {
		why = StopFragment
	}
	f.stop(why, b, cut)
}

// udp reads a UDP header (RFC 768). A length that is 0 (a jumbogram, RFC 2675,
// or segmentation offload) or more than IP carries stands for all of the IP
// payload; what follows a smaller one is no part of the datagram.
func (d *Decoder) udp(f *Frame, b []byte, cut int) {
	if len(b) < udpHeader {
		f.ports(b)
		f.short(StopUDPShort, b, cut)
		return
	}
	f.SrcPort = binary.BigEndian.Uint16(b)
	f.DstPort = binary.BigEndian.Uint16(b[2:])
	f.hash()
	n := int(binary.BigEndian.Uint16(b[4:]))
	f.UDPSum = binary.BigEndian.Uint16(b[6:])
	if n < udpHeader && n != 0 {
		f.stop(StopUDPShort, b, cut)
		return
	}
	if n != 0 && n < len(b)+cut {
		b, cut = trim(b, cut, n)
	}
	f.Payload, f.PayloadLen = b[udpHeader:], len(b)+cut-udpHeader
	if f.Fragment == First {
		return
	}
	f.wholeUDP = cut == 0 && n == len(b) && !d.routed
	if isTunnelPort(f.DstPort) {
		d.udpTunnel(f)
	}
}

// hash sets f.Hash. Each side is mixed by itself before the sides are added, or
// numbers that count up on both would cancel out.
func (f *Frame) hash() {
	f.Hash = mixBoth(mixSide(f.Src.fold(), f.SrcPort), mixSide(f.Dst.fold(), f.DstPort))
}

// hashPrime is the golden ratio in 64 bits.
const hashPrime = 0x9e3779b97f4a7c15

// mixSide mixes an address, folded, with its port.
func mixSide(addr uint64, port uint16) uint64 {
	x := (addr ^ uint64(port)<<16) * hashPrime
	return x ^ x>>29
}

func mixBoth(src, dst uint64) uint64 {
	h := (src + dst) * hashPrime
	return h ^ h>>32
}

// ports reads what is there of the ports, for a header that is short.
func (f *Frame) ports(b []byte) {
	if len(b) >= 4 {
		f.SrcPort = binary.BigEndian.Uint16(b)
		f.DstPort = binary.BigEndian.Uint16(b[2:])
	}
}

// tcp reads a TCP header (RFC 9293 section 3.1). Options that the snap length
// cut are missing, which is no reason to stop.
func (f *Frame) tcp(b []byte, cut int) {
	if len(b) < tcpHeader {
		f.ports(b)
		f.short(StopTCPShort, b, cut)
		return
	}
	f.SrcPort = binary.BigEndian.Uint16(b)
	f.DstPort = binary.BigEndian.Uint16(b[2:])
	f.hash()
	hl := int(b[12]>>4) * 4
	f.TCP.Seq = binary.BigEndian.Uint32(b[4:])
	f.TCP.Ack = binary.BigEndian.Uint32(b[8:])
	f.TCP.Flags = b[13]
	f.TCP.Window = binary.BigEndian.Uint16(b[14:])
	if hl < tcpHeader || hl > len(b)+cut {
		f.short(StopTCPShort, b, cut)
		return
	}
	have := min(hl, len(b))
	if b[13]&SYN != 0 {
		f.TCP.MSS = mss(b[tcpHeader:have])
	}
	f.Payload, f.PayloadLen = b[have:], len(b)+cut-hl
}

// mss finds the maximum segment size among TCP options (RFC 9293 section 3.2).
func mss(o []byte) uint16 {
	const end, nop, maxSegment = 0, 1, 2
	for len(o) >= 2 && o[0] != end {
		if o[0] == nop {
			o = o[1:]
			continue
		}
		n := int(o[1])
		if n < 2 || n > len(o) {
			break
		}
		if o[0] == maxSegment && n == 4 {
			return binary.BigEndian.Uint16(o[2:])
		}
		o = o[n:]
	}
	return 0
}
