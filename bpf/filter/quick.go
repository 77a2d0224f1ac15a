package filter

import "encoding/binary"

// A quick is the graph worked out beforehand for each usual form of a frame: the
// headers are looked at once, and what is left to test are ports and payload.
// TestQuick holds it against the graph.
type quick struct {
	media media
	typ   int // of the link layer's type field
	ip    int // where IP starts without tags
	start [shapeCount]uint16
	steps []quickStep
}

// A shape is a form of frames: the tags in front, times what follows them.
const (
	shapeUDP4 = iota // IPv4 without options, not a later fragment
	shapeTCP4
	shapeOther4 // any other IPv4
	shapeUDP6   // right behind the IPv6 header
	shapeTCP6
	shapeOther6
	shapesEach
)

// shapeTags are the tags that shapes have in front.
var shapeTags = [...][]uint32{nil, {typeVLAN}, {typeQinQ}, {typeVLAN, typeVLAN}, {typeQinQ, typeVLAN}}

// noShape is every other frame, of which nothing is known.
const (
	noShape    = len(shapeTags) * shapesEach
	shapeCount = noShape + 1
)

// Bytes from the IP header on that a frame of a shape has at least: ports
// included.
const (
	leastIPv4 = 20 + 4
	leastIPv6 = 40 + 4
)

// shape finds the form of a frame.
func (q *quick) shape(packet []byte) int {
	at, n := q.ip, 0
	var typ uint16
	if q.media <= cooked2 {
		if len(packet) < at+8 {
			return noShape
		}
		typ = binary.BigEndian.Uint16(packet[q.typ:])
		if (typ == typeVLAN || typ == typeQinQ) && q.media == ethernet {
			n = shapesEach
			if typ == typeQinQ {
				n = 2 * shapesEach
			}
			typ, at = binary.BigEndian.Uint16(packet[16:]), 18
			if typ == typeVLAN {
				typ, at = binary.BigEndian.Uint16(packet[20:]), 22
				n += 2 * shapesEach
			}
		}
	} else if len(packet) > at {
		switch packet[at] >> 4 {
		case 4:
			typ = typeIP
		case 6:
			typ = typeIPv6
		}
	}
	switch {
	case typ == typeIP && len(packet) >= at+leastIPv4:
		h := packet[at : at+leastIPv4]
		if h[0]&15 == 5 && h[6]&0x1f|h[7] == 0 {
			switch h[9] {
			case 17:
				return n + shapeUDP4
			case 6:
				return n + shapeTCP4
			}
		}
		return n + shapeOther4
	case typ == typeIPv6 && len(packet) >= at+leastIPv6:
		switch packet[at+6] {
		case 17:
			return n + shapeUDP6
		case 6:
			return n + shapeTCP6
		}
		return n + shapeOther6
	}
	return noShape
}

type quickOp uint8

const (
	quickEnd    quickOp = iota // f: 0 rejects, 1 accepts
	quickRange1                // one byte, masked, within lo and span
	quickRange2
	quickRange4
	quickLength  // the length on the wire
	quickSet     // two bytes in a set
	quickPorts   // two bytes, or the two behind them, in a set
	quickExits1  // one byte picks the exit
	quickExits2  // two bytes do
	quickBehind  // bytes behind a place that another byte names
	quickGeneric // on with the graph
)

// A quickStep goes to t when value&mask - lo <= span, else to f.
type quickStep struct {
	op   quickOp
	size uint8
	t, f uint16
	off  uint32
	mask uint32
	lo   uint32 // quickGeneric: X
	span uint32

	set   *bitSet
	exits *exitTable
	index *[256]uint32 // quickBehind: by the byte at off, where to read
}

// The steps that every quick begins with.
const (
	quickReject = 0
	quickAccept = 1
)

type bitSet [1 << 16 / 64]uint64

func (s *bitSet) has(v uint16) bool { return s[v>>6]>>(v&63)&1 != 0 }

// An exitTable has the next step by value, as an index into to.
type exitTable struct {
	exit []uint8
	to   []uint16
}

// run goes on from a step.
func (m *Matcher) run(n uint16, packet []byte, wireLen int) bool {
	steps := m.quick.steps
	for n > quickAccept {
		s := &steps[n]
		var a uint32
		off := uint(s.off)
		switch s.op {
		case quickPorts: // within the shape's least length
			p := packet[off : off+4]
			if s.set.has(uint16(p[0])<<8|uint16(p[1])) || s.set.has(uint16(p[2])<<8|uint16(p[3])) {
				n = s.t
			} else {
				n = s.f
			}
			continue
		case quickSet:
			if off+2 > uint(len(packet)) {
				return false
			}
			n = s.f
			if s.set.has(binary.BigEndian.Uint16(packet[off:])) {
				n = s.t
			}
			continue
		case quickExits1:
			if off >= uint(len(packet)) {
				return false
			}
			n = s.exits.to[s.exits.exit[packet[off]]]
			continue
		case quickExits2:
			if off+2 > uint(len(packet)) {
				return false
			}
			n = s.exits.to[s.exits.exit[binary.BigEndian.Uint16(packet[off:])]]
			continue
		case quickRange1:
			if off >= uint(len(packet)) {
				return false
			}
			a = uint32(packet[off])
		case quickRange2:
			if off+2 > uint(len(packet)) {
				return false
			}
			a = uint32(binary.BigEndian.Uint16(packet[off:]))
		case quickRange4:
			if off+4 > uint(len(packet)) {
				return false
			}
			a = binary.BigEndian.Uint32(packet[off:])
		case quickBehind:
			if off >= uint(len(packet)) {
				return false
			}
			var ok bool
			if a, ok = read(packet, uint64(s.index[packet[off]]), s.size); !ok {
				return false
			}
		case quickLength:
			a = uint32(wireLen)
		case quickGeneric:
			return m.walk(s.t, s.lo, packet, wireLen)
		}
		n = s.f
		if a&s.mask-s.lo <= s.span {
			n = s.t
		}
	}
	return n == quickAccept
}
