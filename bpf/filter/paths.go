package filter

// A pathSearch walks two decision graphs at once. What a path asks of the
// packet is on a stack; a pair of branches that no packet takes is left out.
type pathSearch struct {
	*differ
	ends bool // follow packets that end before what is read, too

	asked []asked
	reads []readAt
	calcs []calcOutcome

	steps     int
	paths     int  // leaves at which the two differ
	unsolved  int  // of these
	exhausted bool // gave up at MaxDiffSteps
	open      bool // a difference that could neither be shown nor ruled out
	done      bool // a witness was found
}

// asked is a test that a path has passed.
type asked struct {
	v       value
	op      cmp
	k       uint32
	outcome bool
}

// readAt is a read that succeeded, or one that was beyond the packet's end.
type readAt struct {
	v  value
	ok bool
}

// leafSteps is what a look for a packet counts as, by the time that it takes.
const leafSteps = 20

// calcOutcome is what a path supposes of arithmetic: the same calculation ends
// the same way, and no more is known.
type calcOutcome struct {
	v    value
	op   cmp
	k    uint32
	kind uint8 // calcFails, calcTrue, calcFalse
}

const (
	calcFalse uint8 = iota
	calcTrue
	calcFails
)

// An xState is what the register X holds in one of the programs.
type xState uint8

const (
	xUnset xState = iota
	x40           // the length of an IPv6 header
	xIPv4         // that of the IPv4 header
)

// resolved is the value that shared bytes are, X being known.
func (x xState) resolved(v value) value {
	if v.kind != shared {
		return v
	}
	if x == x40 {
		v.kind, v.off, v.ip = fixed, v.off+40, 0
	} else {
		v.kind = transport
	}
	return v
}

func (s *pathSearch) walk(a, b *decision, xa, xb xState) {
	if s.done || s.exhausted || a == b && xa == xb {
		return
	}
	if s.steps++; s.steps > MaxDiffSteps {
		s.exhausted = true
		return
	}
	if a.kind == end && b.kind == end {
		if (a.k != 0) != (b.k != 0) {
			s.leaf()
		}
		return
	}
	// The one that is higher up goes first, so that the two meet where they are
	// the same.
	if a.kind != end && (b.kind == end || a.id > b.id) {
		s.step(a, xa, func(d *decision, x xState) { s.walk(d, b, x, xb) })
		return
	}
	s.step(b, xb, func(d *decision, x xState) { s.walk(a, d, xa, x) })
}

// step goes on from d by every way that some packet may take.
func (s *pathSearch) step(d *decision, x xState, on func(*decision, xState)) {
	if d.kind == setX {
		x = x40
		if d.v.kind == transport {
			x = xIPv4
		}
		on(d.t, x)
		return
	}
	v := x.resolved(d.v)
	switch v.kind {
	case calculated, compared:
		s.calculated(d, x, on)
		return
	case fixed, transport:
		known, ok := s.hasRead(v)
		if !known {
			if s.ends {
				s.reads = append(s.reads, readAt{v, false})
				on(s.g.end(0), x)
				s.reads = s.reads[:len(s.reads)-1]
			}
			s.reads = append(s.reads, readAt{v, true})
			defer func() { s.reads = s.reads[:len(s.reads)-1] }()
		} else if !ok {
			on(s.g.end(0), x)
			return
		}
	}
	for _, outcome := range [...]bool{true, false} {
		s.asked = append(s.asked, asked{v, d.op, d.k, outcome})
		if possible(s.asked, v) {
			next := d.f
			if outcome {
				next = d.t
			}
			on(next, x)
		}
		s.asked = s.asked[:len(s.asked)-1]
	}
}

// hasRead says whether it is known that a read ends within the packet.
func (s *pathSearch) hasRead(v value) (known, ok bool) {
	for _, r := range s.reads {
		if r.v.kind != v.kind || r.v.ip != v.ip {
			continue
		}
		to, have := v.off+uint32(v.size), r.v.off+uint32(r.v.size)
		if r.ok && to <= have {
			return true, true
		}
		if !r.ok && to >= have {
			return true, false
		}
	}
	return false, false
}

// calculated follows a test of arithmetic all three ways.
func (s *pathSearch) calculated(d *decision, x xState, on func(*decision, xState)) {
	follow := func(kind uint8) {
		switch kind {
		case calcFails:
			on(s.g.end(0), x)
		case calcTrue:
			on(d.t, x)
		case calcFalse:
			on(d.f, x)
		}
	}
	worked := false
	for _, c := range s.calcs {
		if c.v != d.v {
			continue
		}
		if c.kind == calcFails || c.op == d.op && c.k == d.k {
			follow(c.kind)
			return
		}
		worked = true
	}
	for kind := calcFalse; kind <= calcFails; kind++ {
		if kind == calcFails && worked {
			continue
		}
		s.calcs = append(s.calcs, calcOutcome{d.v, d.op, d.k, kind})
		follow(kind)
		s.calcs = s.calcs[:len(s.calcs)-1]
	}
}

// leaf is where the filters differ: is there such a packet?
func (s *pathSearch) leaf() {
	s.steps += leafSteps
	s.paths++
	data, meta, status := solve(s.asked, s.reads)
	if status == unsolvable {
		return
	}
	if status == solved {
		before := s.found.Short
		if s.tryPlausible(data, meta) {
			s.done = true
			return
		}
		if s.found.Short != before {
			return
		}
		if s.ends && s.found.Short != nil && len(s.calcs) == 0 {
			return // one more of the short ones
		}
	}
	s.open = true
	s.unsolved++
}

// tryPlausible tries a packet with its free bytes filled in, then as it is.
func (s *pathSearch) tryPlausible(data []byte, meta beside) bool {
	short := s.found.Short
	if filled := plausible(data, s.asked, s.target.Link); filled != nil {
		if s.try(filled, meta, "") {
			return true
		}
		if s.found.Short != short {
			return false
		}
	}
	return s.try(data, meta, "")
}
