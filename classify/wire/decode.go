package wire

import "github.com/pxescope/pxescope/capture"

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

// Decode reads p into f, which loses what it held. Slices of f point into
// p.Data, or into the Decoder where f.Fragment is Reassembled: both are valid
// until the next packet. A tick yields a Frame with only the time and the id.
func (d *Decoder) Decode(p *capture.Packet, f *Frame) {
	if !f.plain(p) {
		d.general(p, f)
	}
}

// general decodes any packet.
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
		return
	}
	d.otherLink(f, b, cut)
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
