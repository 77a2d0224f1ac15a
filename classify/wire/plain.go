package wire

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/capture"
)

// Plain packets: Ethernet without tags, IPv4 without options, UDP or TCP.
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
	if p.Link != capture.LinkEthernet || p.VLAN.Present || len(b) < plainMin {
		return false
	}
	h := (*[plainMin]byte)(b)
	typeVersion := binary.BigEndian.Uint32(h[etherHeader-2:]) >> 8
	flags := binary.BigEndian.Uint16(h[plainIP+6:])
	if typeVersion != EtherIPv4<<8|0x45 || flags&(ip4More|ip4OffMask) != 0 {
		return false
	}
	if !f.tidy {
		f.reset()
	}
	end := plainIP + int(binary.BigEndian.Uint16(h[plainIP+2:])) // of the datagram on the wire
	sport, dport := binary.BigEndian.Uint16(h[plainTransport:]), binary.BigEndian.Uint16(h[plainTransport+2:])
	var start int // of the payload
	switch h[plainIP+9] {
	case ProtoUDP:
		start = plainMin
		if int(binary.BigEndian.Uint16(h[plainTransport+4:])) != end-plainTransport || end < start {
			return false
		}
		switch dport {
		case portVXLAN, portVXLANLinux, portVXLANGPE, portGeneve:
			return false
		}
		f.UDPSum = binary.BigEndian.Uint16(h[plainTransport+6:])
		f.wholeUDP = end <= len(b)
		f.TCP = TCP{}
	case ProtoTCP:
		if len(b) < plainTransport+tcpHeader {
			return false
		}
		t := (*[tcpHeader]byte)(b[plainTransport:])
		n := int(t[12]>>4) * 4
		start = plainTransport + n
		if n < tcpHeader || start > end || start > len(b) || t[13]&SYN != 0 {
			return false
		}
		f.UDPSum, f.wholeUDP = 0, false
		f.TCP.Seq, f.TCP.Ack = binary.BigEndian.Uint32(t[4:]), binary.BigEndian.Uint32(t[8:])
		f.TCP.Flags, f.TCP.Window, f.TCP.MSS = t[13], binary.BigEndian.Uint16(t[14:]), 0
	default:
		return false
	}
	f.Time, f.ID, f.Iface = p.Time, p.ID, p.Iface
	f.WireLen, f.CapLen = max(p.WireLen, len(b)), len(b)
	f.Src.set4(h[plainIP+12 : plainIP+16])
	f.Dst.set4(h[plainIP+16 : plainIP+20])
	f.SrcPort, f.DstPort = sport, dport
	f.hash()
	f.TTL, f.Proto = h[plainIP+8], h[plainIP+9]
	f.IPID = uint32(binary.BigEndian.Uint16(h[plainIP+4:]))
	f.TOS, f.DF, f.routed = h[plainIP+1], flags&ip4DF != 0, false
	f.DstMAC, f.SrcMAC = MAC(h[:6]), MAC(h[6:12])
	f.HasDstMAC, f.Outgoing, f.Copy, f.IPVersion = true, false, false, 4
	f.Link, f.EtherType = capture.LinkEthernet, EtherIPv4
	f.Fragment, f.Stop, f.Tunnel, f.TagCount = Whole, StopNone, NoTunnel, 0
	f.Tags = [MaxTags]uint16{}
	f.Payload, f.PayloadLen = b[start:min(end, len(b))], end-start
	return true
}
