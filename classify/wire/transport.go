package wire

import "encoding/binary"

const (
	udpHeader  = 8
	tcpHeader  = 20
	icmpHeader = 8
)

// transport reads the header of f.Proto at the start of b.
func (d *Decoder) transport(f *Frame, b []byte, cut int) {
	switch f.Proto {
	case ProtoUDP:
		f.udp(b, cut)
	case ProtoTCP:
		f.tcp(b, cut)
	case ProtoICMP, ProtoICMPv6:
		f.icmp(b, cut)
	default:
		f.Stop = StopIPProto
		f.Payload, f.PayloadLen = b, len(b)+cut
	}
}

func (f *Frame) ports(b []byte) {
	if len(b) >= 4 {
		f.SrcPort = binary.BigEndian.Uint16(b)
		f.DstPort = binary.BigEndian.Uint16(b[2:])
	}
}

func (f *Frame) udp(b []byte, cut int) {
	f.ports(b)
	if len(b) < udpHeader {
		f.Stop = StopUDPShort
		return
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n != 0 && n < udpHeader {
		f.Stop = StopUDPShort
		return
	}
	f.UDPSum = binary.BigEndian.Uint16(b[6:])
	wire := len(b) + cut
	if n != 0 && n < wire {
		wire = n
		b = b[:min(n, len(b))]
	}
	f.Payload, f.PayloadLen = b[udpHeader:], wire-udpHeader
}

func (f *Frame) tcp(b []byte, cut int) {
	f.ports(b)
	if len(b) < tcpHeader {
		f.Stop = StopTCPShort
		return
	}
	hl := int(b[12]>>4) * 4
	if hl < tcpHeader || hl > len(b)+cut {
		f.Stop = StopTCPShort
		return
	}
	f.TCP = TCP{
		Seq: binary.BigEndian.Uint32(b[4:]), Ack: binary.BigEndian.Uint32(b[8:]),
		Flags: b[13], Window: binary.BigEndian.Uint16(b[14:]),
	}
	have := min(hl, len(b))
	if b[13]&SYN != 0 {
		f.TCP.MSS = mss(b[tcpHeader:have])
	}
	f.Payload, f.PayloadLen = b[have:], len(b)+cut-hl
}

// mss finds the maximum segment size among TCP options (RFC 9293 section 3.2).
func mss(o []byte) uint16 {
	for len(o) >= 2 && o[0] != 0 {
		if o[0] == 1 {
			o = o[1:]
			continue
		}
		n := int(o[1])
		if n < 2 || n > len(o) {
			return 0
		}
		if o[0] == 2 && n == 4 {
			return binary.BigEndian.Uint16(o[2:])
		}
		o = o[n:]
	}
	return 0
}
