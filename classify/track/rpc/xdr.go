package rpc

import "encoding/binary"

// An xdr reads XDR (RFC 4506) items from captured bytes. Past the end it
// yields zeros and short stays set, so that a reader asks once, at the end.
type xdr struct {
	b     []byte
	short bool
}

func (x *xdr) u32() uint32 {
	if len(x.b) < 4 {
		x.b, x.short = nil, true
		return 0
	}
	v := binary.BigEndian.Uint32(x.b)
	x.b = x.b[4:]
	return v
}

// skip passes n bytes of fixed-length data.
func (x *xdr) skip(n int) {
	if len(x.b) < n {
		x.b, x.short = nil, true
		return
	}
	x.b = x.b[n:]
}

// opaque is variable-length data or a string of at most limit bytes, with its
// padding to four bytes passed. The bytes alias the packet.
func (x *xdr) opaque(limit uint32) []byte {
	n := x.u32()
	if x.short || n > limit || uint32(len(x.b)) < n {
		x.b, x.short = nil, true
		return nil
	}
	v := x.b[:n]
	x.b = x.b[n:]
	x.skip(min(int(-n&3), len(x.b))) // the last item of a cut packet may lack its padding
	return v
}
