package wire

import "github.com/pxescope/pxescope/capture"

// A Decoder turns packets into Frames. It keeps the IP fragments of datagrams
// that are not complete yet, so it belongs to one stream of packets and to one
// goroutine.
type Decoder struct {
	depth int // tunnels entered in the present packet
}

// NewDecoder makes a Decoder.
func NewDecoder() *Decoder { return &Decoder{} }

// Decode reads p into f, which loses what it held. Slices of f point into
// p.Data, or into the Decoder where f.Fragment is Reassembled: both are valid
// until the next packet. A tick yields a Frame with only Time and ID.
func (d *Decoder) Decode(p *capture.Packet, f *Frame) {
	*f = Frame{
		Time: p.Time, ID: p.ID, Iface: p.Iface, WireLen: max(p.WireLen, len(p.Data)), CapLen: len(p.Data), Link: p.Link,
	}
	d.depth = 0
	if p.VLAN.Present {
		f.Tags[0], f.TagCount = p.VLAN.TCI&vidMask, 1
	}
	// cut is how many bytes of the present layer are on the wire but not in b.
	b, cut := p.Data, f.WireLen-len(p.Data)
	switch p.Link {
	case capture.LinkEthernet:
		d.ethernet(f, b, cut)
	case capture.LinkRaw, capture.LinkRawBSD, capture.LinkRawOpenBSD, capture.LinkIPv4, capture.LinkIPv6:
		d.rawIP(f, b, cut)
	default:
		f.Stop = StopLinkType
	}
}
