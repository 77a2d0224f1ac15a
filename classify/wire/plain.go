package wire

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/capture"
)

// Offsets in a plain packet.
const (
	plainIP        = etherHeader
	plainTransport = plainIP + ip4Header
	plainMin       = plainTransport + udpHeader
)

// plain is the express way for what most packets are: UDP or TCP in IPv4
// without options in untagged Ethernet, whose headers were captured and whose
// lengths agree; no fragment, no tunnel, no SYN with options to read. It sets
// every field that general would, the same, checks the length once and clears
// nothing. For any other packet it reports false and may leave f half filled.
func (f *Frame) plain(p *capture.Packet) bool {
	b := p.Data
	if p.Link != capture.LinkEthernet || p.VLAN.Present || len(b) < plainMin || !f.tidy {
		return false
	}
	h := (*[plainMin]byte)(b)
	flags := binary.BigEndian.Uint16(h[plainIP+6:])
	if binary.BigEndian.Uint32(h[etherHeader-2:])>>8 != EtherIPv4<<8|0x45 || flags&(ip4More|ip4OffMask) != 0 {
		return false
	}
	sport, dport := binary.BigEndian.Uint16(h[plainTransport:]), binary.BigEndian.Uint16(h[plainTransport+2:])
	end := plainIP + int(binary.BigEndian.Uint16(h[plainIP+2:])) // of the datagram on the wire
	have := min(end, len(b))
	var start int // of the payload
	switch h[plainIP+9] {
	case ProtoUDP:
		start = plainMin
		if int(binary.BigEndian.Uint16(h[plainTransport+4:])) != end-plainTransport {
			return false
		}
		switch dport {
		case portVXLAN, portVXLANLinux, portVXLANGPE, portGeneve:
			return false
		}
		f.UDPSum, f.wholeUDP = binary.BigEndian.Uint16(h[plainTransport+6:]), end == have
		f.TCP = TCP{}
	case ProtoTCP:
		if len(b) < plainTransport+tcpHeader {
			return false
		}
		t := (*[tcpHeader]byte)(b[plainTransport:])
		start = plainTransport + int(t[12]>>4)*4
		if start < plainTransport+tcpHeader || t[13]&SYN != 0 {
			return false
		}
		f.UDPSum, f.wholeUDP = 0, false
		f.TCP.Seq, f.TCP.Ack = binary.BigEndian.Uint32(t[4:]), binary.BigEndian.Uint32(t[8:])
		f.TCP.Flags, f.TCP.Window, f.TCP.MSS = t[13], binary.BigEndian.Uint16(t[14:]), 0
	default:
		return false
	}
	if start > have {
		return false
	}
	f.Payload, f.PayloadLen = b[start:have], end-start
	f.Time, f.ID, f.Iface = p.Time, p.ID, p.Iface
	f.WireLen, f.CapLen = max(p.WireLen, len(b)), len(b)

	src, dst := mapped(h[plainIP+12:plainIP+16]), mapped(h[plainIP+16:plainIP+20])
	f.Src.setMapped(src)
	f.Dst.setMapped(dst)
	f.SrcPort, f.DstPort = sport, dport
	f.Hash = mixBoth(mixSide(src, sport), mixSide(dst, dport))
	f.TTL, f.Proto = h[plainIP+8], h[plainIP+9]
	f.IPID = uint32(binary.BigEndian.Uint16(h[plainIP+4:]))
	f.TOS, f.DF = h[plainIP+1], flags&ip4DF != 0

	f.DstMAC = MAC(h[:6])
	f.SrcMAC = MAC(h[6:12])
	f.HasDstMAC, f.Outgoing, f.Copy, f.IPVersion = true, false, false, 4
	f.Link, f.EtherType = capture.LinkEthernet, EtherIPv4
	f.Fragment, f.Stop, f.Tunnel, f.TagCount = Whole, StopNone, NoTunnel, 0
	f.Tags = [MaxTags]uint16{}
	return true
}
