package wire

import "encoding/binary"

// IPv6 extension headers (RFC 8200 section 4) and what else looks like one.
const (
	extHopByHop = 0
	extRouting  = 43
	extFragment = 44
	extAH       = 51 // RFC 4302; IPv4 has it too
	extNone     = 59
	extDest     = 60
	extMobility = 135 // RFC 6275
	extHIP      = 139 // RFC 7401
	extShim6    = 140 // RFC 5533

	maxExtensions = 16
)

// isExtension reports whether p is a header that an IP packet of this version
// may carry before the transport layer.
func isExtension(version, p uint8) bool {
	switch p {
	case extAH:
		return true
	case extHopByHop, extRouting, extFragment, extDest, extMobility, extHIP, extShim6:
		return version == 6
	}
	return false
}

// extensions walks the chain that starts with the header f.Proto and goes on
// with the transport layer, or with a fragment.
func (d *Decoder) extensions(f *Frame, b []byte, cut int) {
	for range maxExtensions {
		if !isExtension(f.IPVersion, f.Proto) {
			d.transport(f, b, cut)
			return
		}
		if len(b) < 8 {
			f.short(StopExtension, b, cut)
			return
		}
		n := 8 + int(b[1])*8
		switch f.Proto {
		case extAH:
			n = 8 + int(b[1])*4
		case extFragment:
			off, more := int(binary.BigEndian.Uint16(b[2:])&^7), b[3]&1 != 0
			f.IPID = binary.BigEndian.Uint32(b[4:])
			f.Proto, b = b[0], b[8:]
			if off != 0 || more {
				if d.joined == d.depth { // a fragment of a fragment is never sent
					f.stop(StopExtension, b, cut)
					return
				}
				d.fragment(f, off, more, b, cut)
				return
			}
			continue // an atomic fragment is a whole datagram (RFC 6946)
		case extRouting:
			if b[3] != 0 { // segments left: Dst is not the last one
				d.routed = true
			}
		}
		if n > len(b) {
			f.short(StopExtension, b, cut)
			return
		}
		f.Proto, b = b[0], b[n:]
	}
	f.stop(StopExtension, b, cut)
}
