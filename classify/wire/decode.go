package wire

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/capture"
)

// A Decoder turns packets into Frames. It keeps the IP fragments of datagrams
// that are not complete yet, so it belongs to one stream of packets and to one
// goroutine.
type Decoder struct {
	base   int       // depth that a packet starts at: MaxTunnels enters no tunnel
	depth  int       // tunnels entered in the present packet
	joined int       // depth at which the present packet completed a datagram, or -1
	routed bool      // a routing header of the present packet has segments left: Dst is not the last destination
	frags  fragments // datagrams that wait for fragments
}

// NewDecoder makes a Decoder.
func NewDecoder() *Decoder { return &Decoder{} }

// NewOuterDecoder makes a Decoder that enters no tunnel: the Frame is the
// outermost packet, with StopTunnelDepth or StopTunnelShort where that carries
// another. The kernel's counter looks no deeper.
func NewOuterDecoder() *Decoder { return &Decoder{base: MaxTunnels} }

// Offsets in a plain packet (see Decode), where it is tagged less tagLen; and its
// Ethernet type, IP version and header length in words.
const (
	plainType      = etherHeader - 2
	plainIP        = etherHeader
	plainTransport = plainIP + ip4Header
	plainMin       = plainTransport + udpHeader

	plainIPv4 = EtherIPv4<<8 | 4<<4 | ip4Header/4
)

// Decode reads p into f, which loses what it held. Slices of f point into
// p.Data, or into the Decoder where f.Fragment is Reassembled: both are valid
// until the next packet. A tick yields a Frame with only the time and the id.
//
// This is the express way for plain packets, which most are: UDP or TCP in IPv4
// without options in Ethernet with one tag or none, whose headers were captured
// and whose lengths agree; no fragment, no tunnel, no SYN with options to read.
// It clears nothing, but sets every field in front of Frame.FragOffset as general
// would. All else goes the general way from the start.
func (d *Decoder) Decode(p *capture.Packet, f *Frame) {
	b := p.Data
	if p.Link != capture.LinkEthernet || p.VLAN.Present || len(b) < plainMin || !f.tidy {
		d.general(p, f)
		return
	}
	h := (*[plainMin]byte)(b)
	macs, macsEnd := binary.LittleEndian.Uint64(h[:8]), binary.LittleEndian.Uint32(h[8:12])
	f.Time, f.ID, f.Iface = p.Time, p.ID, p.Iface
	f.WireLen, f.CapLen = max(p.WireLen, len(b)), len(b)
	f.DstMAC = MAC(h[:6])
	f.SrcMAC = MAC(h[6:12])
	f.HasDstMAC, f.Outgoing, f.Copy, f.IPVersion = true, false, false, 4
	f.Link, f.EtherType = capture.LinkEthernet, EtherIPv4
	f.Fragment, f.Stop, f.Tunnel, f.TagCount = Whole, StopNone, NoTunnel, 0
	f.Tags = [MaxTags]uint16{}
	var vlan uint16
	if typ := binary.BigEndian.Uint32(h[plainType:]); typ>>8 != plainIPv4 {
		if typ>>16 != etherQ || len(b) < tagLen+plainMin || binary.BigEndian.Uint32(b[tagLen+plainType:])>>8 != plainIPv4 {
			d.general(p, f)
			return
		}
		vlan = uint16(typ) & vidMask
		f.Tags[0], f.TagCount = vlan, 1
		b = b[tagLen:]
		h = (*[plainMin]byte)(b)
	}
	flags := binary.BigEndian.Uint16(h[plainIP+6:])
	if flags&(ip4More|ip4OffMask) != 0 {
		d.general(p, f)
		return
	}
	sport, dport := binary.BigEndian.Uint16(h[plainTransport:]), binary.BigEndian.Uint16(h[plainTransport+2:])
	end := plainIP + int(binary.BigEndian.Uint16(h[plainIP+2:])) // of the datagram on the wire
	have := min(end, len(b))
	var start int // of the payload
	switch h[plainIP+9] {
	case ProtoUDP:
		start = plainMin
		if int(binary.BigEndian.Uint16(h[plainTransport+4:])) != end-plainTransport || isTunnelPort(dport) {
			d.general(p, f)
			return
		}
		f.UDPSum, f.wholeUDP = binary.BigEndian.Uint16(h[plainTransport+6:]), end == have
		f.TCP = TCP{}
	case ProtoTCP:
		if len(b) < plainTransport+tcpHeader {
			d.general(p, f)
			return
		}
		t := (*[tcpHeader]byte)(b[plainTransport:])
		start = plainTransport + int(t[12]&0xf0)>>2
		if start < plainTransport+tcpHeader || t[13]&SYN != 0 {
			d.general(p, f)
			return
		}
		f.UDPSum, f.wholeUDP = 0, false
		f.TCP.Seq, f.TCP.Ack = binary.BigEndian.Uint32(t[4:]), binary.BigEndian.Uint32(t[8:])
		f.TCP.Flags, f.TCP.Window, f.TCP.MSS = t[13], binary.BigEndian.Uint16(t[14:]), 0
	default:
		d.general(p, f)
		return
	}
	if start > have {
		d.general(p, f)
		return
	}
	f.Payload, f.PayloadLen = b[start:have:have], end-start
	src := mapped4 | uint64(binary.LittleEndian.Uint32(h[plainIP+12:]))<<32
	dst := mapped4 | uint64(binary.LittleEndian.Uint32(h[plainIP+16:]))<<32
	binary.LittleEndian.PutUint64(f.Src[0:8], 0)
	binary.LittleEndian.PutUint64(f.Src[8:16], src)
	binary.LittleEndian.PutUint64(f.Dst[0:8], 0)
	binary.LittleEndian.PutUint64(f.Dst[8:16], dst)
	f.SrcPort, f.DstPort = sport, dport
	f.Hash = mixBoth(mixSide(src, sport), mixSide(dst, dport))
	f.Headers = mixHeaders(macs, binary.LittleEndian.Uint64(h[plainIP+12:]), macsEnd, sport, dport, place(f.Iface, capture.LinkEthernet, vlan, h[plainIP+9]), second(src, dst, sport, dport))
	f.TTL, f.Proto = h[plainIP+8], h[plainIP+9]
	f.IPID = uint32(binary.BigEndian.Uint16(h[plainIP+4:]))
	f.TOS, f.DF = h[plainIP+1], flags&ip4DF != 0
}

// general is Decode for any packet.
func (d *Decoder) general(p *capture.Packet, f *Frame) {
	f.reset()
	f.Time, f.ID, f.Iface, f.Link = p.Time, p.ID, p.Iface, p.Link
	f.WireLen, f.CapLen = max(p.WireLen, len(p.Data)), len(p.Data)
	d.depth, d.joined, d.routed = d.base, -1, false
	d.frags.packet++
	// cut is how many bytes of the present layer were on the wire beyond b.
	b, cut := p.Data, f.WireLen-len(p.Data)
	if p.VLAN.Present {
		f.Tags[0], f.TagCount = p.VLAN.TCI&vidMask, 1
		f.WireLen, f.CapLen = f.WireLen+tagLen, f.CapLen+tagLen
	}
	if p.Link == capture.LinkEthernet {
		d.ethernet(f, b, cut)
	} else {
		d.otherLink(f, b, cut)
	}
	f.identify()
}

func (d *Decoder) otherLink(f *Frame, b []byte, cut int) {
	switch f.Link {
	case capture.LinkSLL:
		d.sll(f, b, cut)
	case capture.LinkSLL2:
		d.sll2(f, b, cut)
	case capture.LinkRaw, capture.LinkRawBSD, capture.LinkRawOpenBSD, capture.LinkIPv4, capture.LinkIPv6:
		d.rawIP(f, b, cut)
	case capture.LinkNull, capture.LinkLoop:
		d.loopback(f, b, cut)
	case capture.LinkPPP:
		d.ppp(f, b, cut)
	case capture.LinkPPPHDLC:
		d.hdlc(f, b, cut)
	case capture.LinkPPPEther:
		d.pppoe(f, b, cut)
	case capture.LinkNFLOG:
		d.nflog(f, b)
	case capture.LinkPKTAP, capture.LinkUser2:
		d.pktap(f, b, cut)
	default:
		f.Stop = StopLinkType
	}
}

// reset empties f. Clearing all of a Frame in place takes half the time of
// assigning a literal, which goes over the stack, and less than clearing field
// by field.
func (f *Frame) reset() {
	*f = Frame{}
	f.tidy = true
}
