package filter

import "slices"

// A fact is what is known of a value at some point of the graph. The zero
// fact is not used; anything is the widest.
type fact struct {
	lo, hi uint32
	among  []uint32 // sorted; it is one of these. nil: not known
	tests  []tested
}

// tested is how a test ended.
type tested struct {
	op      cmp
	k       uint32
	outcome bool
}

// Facts are kept small: forgetting one costs an instruction, no more.
const maxFact = 16

func anything() fact { return fact{hi: 0xffffffff} }

// decide says how a test of the value ends, if that is known. Without ranged,
// only from the values that it may have and from equal tests.
func (f *fact) decide(op cmp, k uint32, ranged bool) (result, known bool) {
	if f.among != nil && (op == equal || ranged) {
		first := decided(f.among[0], op, k)
		for _, x := range f.among[1:] {
			if decided(x, op, k) != first {
				return false, false
			}
		}
		return first, true
	}
	for _, t := range f.tests {
		if t.op == op && t.k == k {
			return t.outcome, true
		}
	}
	if !ranged {
		return false, false
	}
	switch op {
	case equal:
		return false, k < f.lo || k > f.hi
	case above:
		return f.lo > k, f.lo > k || f.hi <= k
	case atLeast:
		return f.lo >= k, f.lo >= k || f.hi < k
	}
	return false, false
}

// after is the fact once a test ended with an outcome.
func (f fact) after(op cmp, k uint32, outcome bool, m *memory) fact {
	if f.among != nil {
		f.among = slices.DeleteFunc(slices.Clone(f.among), func(x uint32) bool { return decided(x, op, k) != outcome })
		if len(f.among) == 0 { // cannot happen on any packet
			f.among = []uint32{k}
		}
		f.lo, f.hi = f.among[0], f.among[len(f.among)-1]
	}
	switch {
	case op == equal && outcome:
		return fact{lo: k, hi: k, among: []uint32{k}}
	case op == above && outcome:
		f.lo = max(f.lo, k+1)
	case op == above:
		f.hi = min(f.hi, k)
	case op == atLeast && outcome:
		f.lo = max(f.lo, k)
	case op == atLeast && k > 0:
		f.hi = min(f.hi, k-1)
	}
	if n := len(f.tests); n < maxFact {
		tests := m.tests.take(n + 1)
		copy(tests, f.tests)
		tests[n] = tested{op, k, outcome}
		f.tests = tests
	}
	return f
}

// or is what holds in both cases.
func (f fact) or(o fact) fact {
	u := fact{lo: min(f.lo, o.lo), hi: max(f.hi, o.hi)}
	if f.among != nil && o.among != nil && len(f.among)+len(o.among) <= maxFact {
		u.among = slices.Compact(slices.Sorted(slices.Values(slices.Concat(f.among, o.among))))
	}
	for _, t := range f.tests {
		if slices.Contains(o.tests, t) || t.op == equal && !t.outcome && o.among != nil && !slices.Contains(o.among, t.k) {
			u.tests = append(u.tests, t)
		}
	}
	for _, t := range o.tests {
		if len(u.tests) < maxFact && t.op == equal && !t.outcome && f.among != nil && !slices.Contains(f.among, t.k) {
			u.tests = append(u.tests, t)
		}
	}
	return u
}

// facts are what is known of values, in the order in which they were first
// tested. They are never changed, only copied; one fact is shared by many.
type facts []known

type known struct {
	vid int32
	*fact
}

// maxFacts bounds the work on long expressions. The first facts, about the
// link and the protocol, are worth the most.
const (
	maxFacts  = 48
	keptFacts = 16
)

func (m facts) of(vid int32) *fact {
	for i := range m {
		if m[i].vid == vid {
			return m[i].fact
		}
	}
	return nil
}

// decide says how a decision ends, if that is known.
func (m facts) decide(d *decision) (result, sure bool) {
	if f := m.of(d.vid); f != nil {
		return f.decide(d.op, d.k, d.ranged)
	}
	return false, false
}

func (m facts) after(d *decision, outcome bool, mem *memory) facts {
	n := facts(mem.known.take(len(m) + 1))
	n = n[:copy(n, m)]
	for i := range n {
		if n[i].vid == d.vid {
			n[i].fact = mem.fact(n[i].after(d.op, d.k, outcome, mem))
			return n
		}
	}
	if len(n) == maxFacts {
		n = slices.Delete(n, keptFacts, keptFacts+1)
	}
	return append(n, known{d.vid, mem.fact(anything().after(d.op, d.k, outcome, mem))})
}

// or is what holds in both cases.
func (m facts) or(o facts, mem *memory) facts {
	n := facts(mem.known.take(min(len(m), len(o))))[:0]
	for i := range m {
		x := o.of(m[i].vid)
		switch {
		case x == m[i].fact:
			n = append(n, m[i])
		case x != nil:
			n = append(n, known{m[i].vid, mem.fact(m[i].or(*x))})
		}
	}
	return n
}

// memory is where facts are, in few pieces: compiling takes most
// of its time for them.
type memory struct {
	known pieces[known]
	facts pieces[fact]
	tests pieces[tested]
}

func (m *memory) fact(f fact) *fact {
	p := &m.facts.take(1)[0]
	*p = f
	return p
}

type pieces[T any] struct {
	free []T
	size int
}

// take is n of them, with nothing behind to append to.
func (p *pieces[T]) take(n int) []T {
	if len(p.free) < n {
		p.size = min(max(2*p.size, 32), 1024)
		p.free = make([]T, max(n, p.size))
	}
	out := p.free[:n:n]
	p.free = p.free[n:]
	return out
}
