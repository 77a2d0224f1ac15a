package filter

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/capture"
)

// A Matcher decides packets in hand. It holds no state and is safe for
// concurrent use.
type Matcher struct {
	steps []matchStep
	quick *quick
}

// A matchStep is a decision as a table row: a load and a comparison in one.
type matchStep struct {
	kind valueKind
	end  bool
	setX bool
	size uint8
	op   cmp
	off  uint32
	ip   uint32
	mask uint32
	k    uint32
	t, f uint16
	calc *calc
	keep uint32
}

// maxSteps keeps the rows' numbers in 16 bits; programs are far smaller.
const maxSteps = 1 << 16

// NewMatcher prepares an expression for packets of a link type. Unlike
// Compile, it accepts an expression that rejects every packet.
func NewMatcher(e *Expr, link capture.LinkType) (*Matcher, error) {
	root, err := decide([]Clause{{Expr: e}}, Target{Link: link})
	if err != nil {
		return nil, err
	}
	order := reachable(root)
	if len(order) > maxSteps {
		return nil, &Error{Msg: "the expression is too long"}
	}
	m := &Matcher{steps: make([]matchStep, len(order))}
	for i, d := range order {
		s := &m.steps[i]
		*s = matchStep{kind: d.v.kind, end: d.kind == end, setX: d.kind == setX, size: d.v.size, op: d.op,
			off: d.v.off, ip: d.v.ip, mask: d.v.mask, k: d.k, calc: d.v.calc}
		if s.mask == 0 {
			s.mask = 0xffffffff
		}
		if s.end {
			s.keep = d.k
		}
		if d.t != nil {
			s.t = uint16(d.t.pos)
		}
		if d.f != nil {
			s.f = uint16(d.f.pos)
		}
	}
	if len(order) <= MaxInstructions {
		m.quick = newQuick(root, link)
	}
	return m, nil
}

// Match is a predicate for packets of a link type, as a capture file has them.
// It is what NewMatcher makes, for callers that need no more.
func Match(e *Expr, link capture.LinkType) (func(packet []byte, wireLen int) bool, error) {
	m, err := NewMatcher(e, link)
	if err != nil {
		return nil, err
	}
	return m.Match, nil
}

// Match reports whether a packet matches. As in the BPF machine, a packet that
// is too short for a test it comes to does not. It allocates nothing.
func (m *Matcher) Match(packet []byte, wireLen int) bool {
	if m.quick != nil {
		return m.run(m.quick.start[m.quick.shape(packet)], packet, wireLen)
	}
	return m.walk(0, 0, packet, wireLen)
}

// walk goes by the graph from a step on, with what X holds there.
func (m *Matcher) walk(from uint16, x uint32, packet []byte, wireLen int) bool {
	s := &m.steps[from]
	for {
		var a uint32
		var ok bool
		switch {
		case s.end:
			return s.keep != 0
		case s.setX:
			x = s.off
			if s.kind == transport {
				if x, ok = headerLength(packet, s.ip); !ok {
					return false
				}
			}
			s = &m.steps[s.t]
			continue
		}
		switch s.kind {
		case fixed:
			a, ok = read(packet, uint64(s.off), s.size)
		case shared:
			a, ok = read(packet, uint64(x)+uint64(s.off), s.size)
		case transport:
			var h uint32
			if h, ok = headerLength(packet, s.ip); ok {
				a, ok = read(packet, uint64(h)+uint64(s.off), s.size)
			}
		case wireLength:
			a, ok = uint32(wireLen), true
		case calculated:
			a, ok = s.calc.eval(packet, wireLen)
		case compared:
			var b uint32
			if b, ok = s.calc.r.eval(packet, wireLen); ok {
				a, ok = s.calc.l.eval(packet, wireLen)
			}
			if !ok {
				return false
			}
			s = &m.steps[s.next(decided(a, s.op, b))]
			continue
		}
		if !ok {
			return false
		}
		s = &m.steps[s.next(decided(a&s.mask, s.op, s.k))]
	}
}

func (s *matchStep) next(outcome bool) uint16 {
	if outcome {
		return s.t
	}
	return s.f
}

// headerLength is what an IPv4 header at off says of its length.
func headerLength(packet []byte, off uint32) (uint32, bool) {
	if uint64(off) >= uint64(len(packet)) {
		return 0, false
	}
	return uint32(packet[off]&15) * 4, true
}

func read(packet []byte, off uint64, size uint8) (uint32, bool) {
	if off+uint64(size) > uint64(len(packet)) {
		return 0, false
	}
	switch size {
	case 1:
		return uint32(packet[off]), true
	case 2:
		return uint32(binary.BigEndian.Uint16(packet[off:])), true
	}
	return binary.BigEndian.Uint32(packet[off:]), true
}

// eval is what the BPF machine computes; false where it gives up on a packet.
func (c *calc) eval(packet []byte, wireLen int) (uint32, bool) {
	switch c.op {
	case "n":
		return c.n, true
	case "len":
		return uint32(wireLen), true
	case "neg":
		n, ok := c.l.eval(packet, wireLen)
		return -n, ok
	case "load":
		at, ok := c.l.eval(packet, wireLen)
		if ok && c.v.kind == transport {
			var h uint32
			h, ok = headerLength(packet, c.v.ip)
			at += h
		}
		if !ok {
			return 0, false
		}
		return read(packet, uint64(at)+uint64(c.v.off), c.v.size)
	}
	l, ok := c.l.eval(packet, wireLen)
	if !ok {
		return 0, false
	}
	r, ok := c.r.eval(packet, wireLen)
	if !ok {
		return 0, false
	}
	return calculate(c.op, l, r)
}
