package wire

import "github.com/pxescope/pxescope/capture"

// DecodeGeneral is Decode without the express way.
func (d *Decoder) DecodeGeneral(p *capture.Packet, f *Frame) { d.general(p, f) }

// Generals is how many packets went the general way.
func (d *Decoder) Generals() uint64 { return d.frags.packet }
