package filter

import (
	"fmt"
	"slices"

	"github.com/pxescope/pxescope/capture"
)

// newQuick works a graph out for every shape; nil where it is too large. The
// Matcher's steps have the decisions' positions.
func newQuick(root *decision, link capture.LinkType) *quick {
	l, ok := links[link]
	if !ok {
		return nil
	}
	q := &quick{media: l.media, typ: int(l.typ), ip: int(l.payload), steps: make([]quickStep, 2, 64)}
	s := specializer{quick: q, unique: make(map[quickStep]uint16), sets: make(map[string]*bitSet), exits: make(map[string][]uint8)}
	for i, tags := range shapeTags {
		for j := range shapesEach {
			s.assume(&l, tags, j)
			q.start[i*shapesEach+j] = s.step(root, noX)
		}
		if l.media != ethernet {
			break
		}
	}
	s.done, s.known, s.header, s.least = make(map[decisionX]uint16), nil, 0, 0
	q.start[noShape] = s.step(root, noX)
	if len(s.steps) >= maxQuickSteps {
		return nil
	}
	return q
}

// A specializer works a graph out for one shape after the other.
type specializer struct {
	*quick

	known  map[uint32]bitsKnown // bytes of the shape, by offset
	header uint32               // of IPv4, with its options; 0: not known
	ipAt   uint32
	least  uint32 // how long the shape's frames are at least

	done   map[decisionX]uint16
	unique map[quickStep]uint16
	sets   map[string]*bitSet
	exits  map[string][]uint8
}

type decisionX struct {
	d *decision
	x uint32
}

// noX: nothing in X. Else it is what setX left there.
const noX = 0xffffffff

// maxQuickSteps bounds the memory, and keeps the numbers in 16 bits: a chain of
// decisions that is under way adds to it.
const maxQuickSteps = 1 << 14

// assume takes for known what shape says.
func (s *specializer) assume(l *layout, tags []uint32, shape int) {
	s.done = make(map[decisionX]uint16)
	s.known = make(map[uint32]bitsKnown)
	typ := uint32(typeIP)
	if shape >= shapeUDP6 {
		typ = typeIPv6
	}
	at := l.typ
	put := func(t uint32) {
		s.known[at], s.known[at+1] = bitsKnown{0xff, t >> 8}, bitsKnown{0xff, t & 0xff}
		at += 4
	}
	if l.media <= cooked2 {
		for _, t := range tags {
			put(t)
		}
		put(typ)
	}
	ip := l.payload + 4*uint32(len(tags))
	s.ipAt, s.header = ip, 0
	first := bitsKnown{}
	if l.media > cooked2 {
		first = bitsKnown{0xf0, map[uint32]uint32{typeIP: 0x40, typeIPv6: 0x60}[typ]}
	}
	switch shape {
	case shapeUDP4, shapeTCP4:
		first.add(0x0f, 5)
		s.header = 20
		s.known[ip+6], s.known[ip+7] = bitsKnown{0x1f, 0}, bitsKnown{0xff, 0}
		s.known[ip+9] = bitsKnown{0xff, map[int]uint32{shapeUDP4: 17, shapeTCP4: 6}[shape]}
	case shapeUDP6, shapeTCP6:
		s.known[ip+6] = bitsKnown{0xff, map[int]uint32{shapeUDP6: 17, shapeTCP6: 6}[shape]}
	}
	s.known[ip] = first
	s.least = ip + leastIPv4
	if typ == typeIPv6 {
		s.least = ip + leastIPv6
	}
}

// place is a value at an offset that the shape makes known.
func (s *specializer) place(v value, x uint32) (value, bool) {
	switch v.kind {
	case fixed, wireLength:
		return v, true
	case transport:
		if s.header == 0 || v.ip != s.ipAt {
			return v, false
		}
		x = s.header
	case shared:
		if x == noX {
			return v, false
		}
	default:
		return v, false
	}
	off := uint64(v.off) + uint64(x)
	return value{kind: fixed, off: uint32(off), size: v.size, mask: v.mask}, off < 1<<31
}

// outcome of a test, as far as the shape says.
func (s *specializer) outcome(v value, op cmp, k uint32) (result, sure bool) {
	if v.kind != fixed {
		return false, false
	}
	var b bitsKnown
	for i := range uint32(v.size) {
		byt := s.known[v.off+i]
		b.mask, b.value = b.mask<<8|byt.mask, b.value<<8|byt.value
	}
	m := v.mask
	if m == 0 {
		m = 0xffffffff >> (32 - 8*uint32(v.size))
	}
	if op == anyBit {
		m &= k
	}
	return decided(b.value&m, op, k), b.mask&m == m
}

// step is the number of the step that a decision is.
func (s *specializer) step(d *decision, x uint32) uint16 {
	key := decisionX{d, x}
	if n, ok := s.done[key]; ok {
		return n
	}
	n := s.work(d, x)
	s.done[key] = n
	return n
}

func (s *specializer) work(d *decision, x uint32) uint16 {
	switch {
	case d.kind == end && d.k != 0:
		return quickAccept
	case d.kind == end:
		return quickReject
	case len(s.steps) >= maxQuickSteps: // to be thrown away
		return quickReject
	case d.kind == setX && d.v.kind == transport && (s.header == 0 || d.v.ip != s.ipAt):
		return s.generic(d, x)
	case d.kind == setX && d.v.kind == transport:
		return s.step(d.t, s.header)
	case d.kind == setX:
		return s.step(d.t, d.v.off)
	case d.v.kind == calculated:
		return s.calculated(d, x)
	}
	v, ok := s.place(d.v, x)
	if !ok {
		return s.generic(d, x)
	}
	if result, sure := s.outcome(v, d.op, d.k); sure {
		if result {
			return s.step(d.t, x)
		}
		return s.step(d.f, x)
	}
	if v.kind == fixed && v.mask == 0 && d.op != anyBit {
		return s.choice(d, v, x)
	}
	return s.test(v, d.op, d.k, s.step(d.t, x), s.step(d.f, x))
}

func (s *specializer) add(n quickStep) uint16 {
	if have, ok := s.unique[n]; ok {
		return have
	}
	at := uint16(len(s.steps))
	s.steps = append(s.steps, n)
	s.unique[n] = at
	return at
}

func (s *specializer) generic(d *decision, x uint32) uint16 {
	return s.add(quickStep{op: quickGeneric, t: uint16(d.pos), lo: x})
}

// test is a step for one comparison.
func (s *specializer) test(v value, op cmp, k uint32, t, f uint16) uint16 {
	mask, lo, span, ok := asRange(v.mask, op, k)
	if !ok {
		t, mask, lo, span = f, 0, 0, 0 // holds for no value; the read may still fail
	}
	return s.within(v, mask, lo, span, t, f)
}

// asRange is a comparison as value&mask - lo <= span; false when it never holds.
func asRange(mask uint32, op cmp, k uint32) (m, lo, span uint32, ok bool) {
	if mask == 0 {
		mask = 0xffffffff
	}
	switch op {
	case above:
		return mask, k + 1, 0xffffffff - (k + 1), k != 0xffffffff
	case atLeast:
		return mask, k, 0xffffffff - k, true
	case anyBit:
		return mask & k, 1, 0xfffffffe, true
	}
	return mask, k, 0, true
}

func (s *specializer) within(v value, mask, lo, span uint32, t, f uint16) uint16 {
	if t == f && (v.kind == wireLength || v.off+uint32(v.size) <= s.least) {
		return t
	}
	op := quickLength
	if v.kind == fixed {
		op = map[uint8]quickOp{1: quickRange1, 2: quickRange2, 4: quickRange4}[v.size]
	}
	return s.add(quickStep{op: op, t: t, f: f, off: v.off, mask: mask, lo: lo, span: span})
}

// A stretch of values leads to the same step.
type stretch struct {
	lo, hi uint32
	to     uint16
}

// choice is the decisions from d on that look at the same bytes, as one.
func (s *specializer) choice(d *decision, v value, x uint32) uint16 {
	same := func(e *decision) bool {
		if e.kind != branch || e.op == anyBit || e.v.mask != 0 || e.v.size != v.size {
			return false
		}
		w, ok := s.place(e.v, x)
		return ok && w == v
	}
	limit := uint64(1) << (8 * uint(v.size))
	cuts := []uint64{0}
	seen := make(map[*decision]bool)
	var collect func(*decision)
	collect = func(e *decision) {
		if seen[e] || !same(e) {
			return
		}
		seen[e] = true
		for _, k := range [...]uint64{uint64(e.k), uint64(e.k) + 1} {
			if k < limit {
				cuts = append(cuts, k)
			}
		}
		collect(e.t)
		collect(e.f)
	}
	collect(d)
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var list []stretch
	for i, lo := range cuts {
		hi := limit - 1
		if i+1 < len(cuts) {
			hi = cuts[i+1] - 1
		}
		e := d
		for same(e) {
			if decided(uint32(lo), e.op, e.k) {
				e = e.t
			} else {
				e = e.f
			}
		}
		to := s.step(e, x)
		if n := len(list); n > 0 && list[n-1].to == to {
			list[n-1].hi = uint32(hi)
			continue
		}
		list = append(list, stretch{uint32(lo), uint32(hi), to})
	}
	return s.choose(v, list)
}

// choose makes the shortest steps for stretches of values.
func (s *specializer) choose(v value, list []stretch) uint16 {
	const all = 0xffffffff
	last := list[len(list)-1]
	var to []uint16
	for _, r := range list {
		if !slices.Contains(to, r.to) {
			to = append(to, r.to)
		}
	}
	switch {
	case len(list) == 1:
		return s.within(v, all, 0, all, last.to, last.to)
	case len(list) == 2:
		return s.within(v, all, last.lo, last.hi-last.lo, last.to, list[0].to)
	case len(list) == 3 && len(to) == 2:
		return s.within(v, all, list[1].lo, list[1].hi-list[1].lo, list[1].to, last.to)
	case len(to) == 2 && v.size == 2:
		return s.set(v, list)
	case len(to) <= 256 && v.size <= 2:
		return s.table(v, list, to)
	case list[0].to == last.to: // most values are beyond all that is asked for
		in := list[1 : len(list)-1]
		return s.within(v, all, in[0].lo, in[len(in)-1].hi-in[0].lo, s.choose(v, in), last.to)
	case last.hi-last.lo > all/2:
		return s.within(v, all, last.lo, last.hi-last.lo, last.to, s.choose(v, list[:len(list)-1]))
	}
	half := len(list) / 2
	return s.within(v, all, list[half].lo, all-list[half].lo, s.choose(v, list[half:]), s.choose(v, list[:half]))
}

// set takes every second stretch in.
func (s *specializer) set(v value, list []stretch) uint16 {
	var key string
	for i := 1; i < len(list); i += 2 {
		key += fmt.Sprintf("%d-%d,", list[i].lo, list[i].hi)
	}
	b := s.sets[key]
	if b == nil {
		b = new(bitSet)
		for i := 1; i < len(list); i += 2 {
			for x := list[i].lo; x <= list[i].hi; x++ {
				b[x>>6] |= 1 << (x & 63)
			}
		}
		s.sets[key] = b
	}
	n := quickStep{op: quickSet, t: list[1].to, f: list[0].to, off: v.off, set: b}
	// The source port first, then the destination port in the same set.
	if next := s.steps[n.f]; next.op == quickSet && next.set == b && next.t == n.t && next.off == v.off+2 && v.off+4 <= s.least {
		n.op, n.f = quickPorts, next.f
	}
	return s.add(n)
}

func (s *specializer) table(v value, list []stretch, to []uint16) uint16 {
	key := fmt.Sprint(v.size)
	for _, r := range list {
		key += fmt.Sprintf(",%d:%d", r.lo, slices.Index(to, r.to))
	}
	exit := s.exits[key]
	if exit == nil {
		exit = make([]uint8, 1<<(8*v.size))
		for _, r := range list {
			for x := r.lo; x <= r.hi; x++ {
				exit[x] = uint8(slices.Index(to, r.to))
			}
		}
		s.exits[key] = exit
	}
	op := quickExits1
	if v.size == 2 {
		op = quickExits2
	}
	at := uint16(len(s.steps))
	s.steps = append(s.steps, quickStep{op: op, off: v.off, exits: &exitTable{exit, to}})
	return at
}

// calculated works out arithmetic on one byte, and bytes at a place that one
// byte names, as the payload of TCP; the rest goes by the graph.
func (s *specializer) calculated(d *decision, x uint32) uint16 {
	c := d.v.calc
	if v, ok := s.oneByte(c); ok {
		var list []stretch
		t, f := s.step(d.t, x), s.step(d.f, x)
		for b := range uint32(256) {
			a, ok := withWord(c, b)
			to := f
			switch {
			case !ok:
				to = quickReject
			case decided(a, d.op, d.k):
				to = t
			}
			if n := len(list); n > 0 && list[n-1].to == to {
				list[n-1].hi = b
				continue
			}
			list = append(list, stretch{b, b, to})
		}
		return s.choose(v, list)
	}
	mask := uint32(0)
	if c.op == "&" && c.r.op == "n" && c.r.n != 0 {
		c, mask = c.l, c.r.n
	}
	if c.op != "load" {
		return s.generic(d, x)
	}
	v, ok := s.oneByte(c.l)
	if !ok {
		return s.generic(d, x)
	}
	base := uint64(c.v.off)
	if c.v.kind == transport {
		if s.header == 0 || c.v.ip != s.ipAt {
			return s.generic(d, x)
		}
	}
	n := quickStep{op: quickBehind, size: c.v.size, t: s.step(d.t, x), f: s.step(d.f, x), off: v.off}
	if n.mask, n.lo, n.span, ok = asRange(mask, d.op, d.k); !ok {
		return s.generic(d, x)
	}
	n.index = new([256]uint32)
	for b := range uint32(256) {
		at, ok := withWord(c.l, b)
		if c.v.kind == transport {
			at += s.header
		}
		off := uint64(at) + base
		if !ok || off >= 1<<31 {
			off = 1 << 31 // beyond every packet
		}
		n.index[b] = uint32(off)
	}
	return s.add(n)
}

// oneByte is the one byte that a calculation depends on.
func (s *specializer) oneByte(c *calc) (value, bool) {
	v, ok := oneWord(c)
	if !ok || v.size != 1 {
		return v, false
	}
	return s.place(v, noX)
}
