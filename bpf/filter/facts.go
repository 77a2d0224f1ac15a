package filter

import "slices"

// A fact is what is known of a value at some point of the graph. The zero
// fact is not used; anything is the widest.
type fact struct {
	lo, hi uint32
	among  []uint32 // sorted; it is one of these. nil: not known
	except []uint32 // sorted; it is none of these
	bits   []bitsFact
}

// bitsFact is the outcome of an anyBit test.
type bitsFact struct {
	mask uint32
	set  bool
}

// Facts are kept small: forgetting one costs an instruction, no more.
const maxFact = 16

func anything() fact { return fact{hi: 0xffffffff} }

// decide says how a test of the value ends, if that is known.
func (f *fact) decide(op cmp, k uint32) (result, known bool) {
	if f.among != nil {
		first := decided(f.among[0], op, k)
		for _, x := range f.among[1:] {
			if decided(x, op, k) != first {
				return false, false
			}
		}
		return first, true
	}
	switch op {
	case equal:
		if k < f.lo || k > f.hi || slices.Contains(f.except, k) {
			return false, true
		}
		return true, f.lo == f.hi
	case above:
		if f.lo > k {
			return true, true
		}
		return false, f.hi <= k
	case atLeast:
		if f.lo >= k {
			return true, true
		}
		return false, f.hi < k
	}
	for _, b := range f.bits {
		if b.mask == k || b.set && b.mask&^k == 0 || !b.set && k&^b.mask == 0 {
			return b.set, true
		}
	}
	return false, false
}

// after is the fact once a test ended with an outcome.
func (f fact) after(op cmp, k uint32, outcome bool) fact {
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
	case op == equal:
		if len(f.except) < maxFact {
			f.except = slices.Clone(f.except)
			at, _ := slices.BinarySearch(f.except, k)
			f.except = slices.Insert(f.except, at, k)
		}
	case op == above && outcome:
		f.lo = max(f.lo, k+1)
	case op == above:
		f.hi = min(f.hi, k)
	case op == atLeast && outcome:
		f.lo = max(f.lo, k)
	case op == atLeast && k > 0:
		f.hi = min(f.hi, k-1)
	case op == anyBit && len(f.bits) < maxFact:
		f.bits = append(slices.Clone(f.bits), bitsFact{k, outcome})
	}
	return f
}

// or is what holds in both cases.
func (f fact) or(o fact) fact {
	u := fact{lo: min(f.lo, o.lo), hi: max(f.hi, o.hi)}
	if f.among != nil && o.among != nil && len(f.among)+len(o.among) <= maxFact {
		u.among = slices.Compact(slices.Sorted(slices.Values(slices.Concat(f.among, o.among))))
	}
	for _, x := range f.except {
		if no, known := o.decide(equal, x); known && !no {
			u.except = append(u.except, x)
		}
	}
	for _, x := range o.except {
		if no, known := f.decide(equal, x); known && !no && !slices.Contains(u.except, x) && len(u.except) < maxFact {
			u.except = append(u.except, x)
		}
	}
	slices.Sort(u.except)
	for _, b := range f.bits {
		if slices.Contains(o.bits, b) {
			u.bits = append(u.bits, b)
		}
	}
	return u
}

// facts are what is known of values, in the order in which they were first
// tested. They are never changed, only copied.
type facts []known

type known struct {
	v value
	fact
}

// maxFacts bounds the work on long expressions. The first facts, about the
// link and the protocol, are worth the most.
const (
	maxFacts  = 48
	keptFacts = 16
)

func (m facts) of(v value) *fact {
	for i := range m {
		if m[i].v == v {
			return &m[i].fact
		}
	}
	return nil
}

// decide says how a decision ends, if that is known.
func (m facts) decide(d *decision) (result, sure bool) {
	if f := m.of(d.v); f != nil {
		if r, sure := f.decide(d.op, d.k); sure {
			return r, true
		}
	}
	if d.v.mask != 0 { // bits of a value that is known itself
		whole := d.v
		whole.mask = 0
		if f := m.of(whole); f != nil && f.among != nil {
			bits := fact{among: slices.Clone(f.among)}
			for i := range bits.among {
				bits.among[i] &= d.v.mask
			}
			return bits.decide(d.op, d.k)
		}
		return false, false
	}
	if d.op == equal && (d.v.kind == fixed || d.v.kind == transport) { // a value of which bits are known
		for i := range m {
			part := m[i].v
			mask := part.mask
			part.mask = 0
			if mask != 0 && part == d.v {
				if r, sure := m[i].decide(equal, d.k&mask); sure && !r {
					return false, true
				}
			}
		}
	}
	return false, false
}

func (m facts) after(d *decision, outcome bool) facts {
	n := make(facts, len(m), len(m)+1)
	copy(n, m)
	if f := n.of(d.v); f != nil {
		*f = f.after(d.op, d.k, outcome)
		return n
	}
	if len(n) == maxFacts {
		n = slices.Delete(n, keptFacts, keptFacts+1)
	}
	return append(n, known{d.v, anything().after(d.op, d.k, outcome)})
}

// or is what holds in both cases.
func (m facts) or(o facts) facts {
	var n facts
	for i := range m {
		if x := o.of(m[i].v); x != nil {
			n = append(n, known{m[i].v, m[i].fact.or(*x)})
		}
	}
	return n
}
