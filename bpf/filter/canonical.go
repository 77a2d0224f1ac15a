package filter

import (
	"fmt"
	"math/bits"
	"slices"
)

// A canon writes arithmetic in one form, so that two filters which mean the same
// by it are seen to: for Diff, which runs no program made of it.
type canon struct {
	g      *graph
	tables map[string]*calc
}

// graph rewrites every test of arithmetic below root.
func (c *canon) graph(root *decision) *decision {
	order := reachable(root)
	fresh := make([]*decision, len(order))
	for i := len(order) - 1; i >= 0; i-- {
		d := order[i]
		var t, f *decision
		if d.t != nil {
			t = fresh[d.t.pos]
		}
		if d.f != nil {
			f = fresh[d.f.pos]
		}
		switch {
		case d.kind == branch && d.v.kind == calculated:
			fresh[i] = c.calculated(d, t, f)
		case d.kind == branch && d.v.kind == compared:
			fresh[i] = c.compared(d, t, f)
		default:
			fresh[i] = c.g.to(d, t, f)
		}
	}
	return fresh[0]
}

func (c *canon) calculated(d, t, f *decision) *decision {
	x := c.calc(d.v.calc)
	if v, ok := plain(x); ok {
		return c.g.test(v, d.op, d.k, t, f)
	}
	if v, ok := oneWord(x); ok {
		if n := c.ofWord(v, x, d, t, f); n != nil {
			return n
		}
	}
	k := d.k
	if d.op == equal && x.op == "+" && x.r.op == "n" { // x + 3 = 5
		x, k = x.l, k-x.r.n
		if v, ok := plain(x); ok {
			return c.g.test(v, equal, k, t, f)
		}
	}
	return c.g.test(value{kind: calculated, calc: x}, d.op, k, t, f)
}

// compared has the operand first that sorts first: a > b is no b >= a.
func (c *canon) compared(d, t, f *decision) *decision {
	l, r, op := c.calc(d.v.calc.l), c.calc(d.v.calc.r), d.op
	if l == r && (op == above || op == equal || op == atLeast) && !divides(l) {
		if op == above {
			return f
		}
		return t
	}
	if l.key > r.key {
		switch op {
		case equal:
			l, r = r, l
		case above:
			l, r, op, t, f = r, l, atLeast, f, t
		case atLeast:
			l, r, op, t, f = r, l, above, f, t
		}
	}
	return c.g.test(value{kind: compared, calc: c.intern(calc{op: "?", l: l, r: r})}, op, 0, t, f)
}

// divides reports whether a calculation may give up on a packet that is whole.
func divides(c *calc) bool {
	return c != nil && (c.op == "/" || c.op == "%" || divides(c.l) || divides(c.r))
}

func (c *canon) intern(x calc) *calc { return (&resolver{calcs: c.g.calcs}).intern(x) }

func (c *canon) number(n uint32) *calc { return c.intern(calc{op: "n", n: n}) }

// calc is a calculation with sums, products and negations in one order.
func (c *canon) calc(x *calc) *calc {
	switch x.op {
	case "n", "len", "table":
		return x
	case "neg":
		return c.times(c.calc(x.l), 0xffffffff)
	case "load":
		return c.load(x)
	}
	l, r := c.calc(x.l), c.calc(x.r)
	op := x.op
	switch {
	case op == "-":
		return c.calc(c.intern(calc{op: "+", l: l, r: c.times(r, 0xffffffff)}))
	case op == "<<" && r.op == "n" && r.n < 32:
		return c.times(l, 1<<r.n)
	case op == "*" && r.op == "n":
		return c.times(l, r.n)
	case op == "*" && l.op == "n":
		return c.times(r, l.n)
	}
	if op == "+" || op == "*" || op == "&" || op == "|" || op == "^" {
		if l.op == "n" || r.op != "n" && l.key > r.key { // a number comes last
			l, r = r, l
		}
		if r.op == "n" && l.op == op && l.r.op == "n" {
			n, _ := calculate(op, l.r.n, r.n)
			l, r = l.l, c.number(n)
		}
		if r.op == "n" && r.n == 0 && op != "*" && op != "&" {
			return l
		}
	}
	if l.op == "n" && r.op == "n" {
		if n, ok := calculate(op, l.n, r.n); ok {
			return c.number(n)
		}
	}
	return c.intern(calc{op: op, l: l, r: r})
}

// times is a product with a number.
func (c *canon) times(x *calc, n uint32) *calc {
	if x.op == "*" && x.r.op == "n" {
		x, n = x.l, n*x.r.n
	}
	switch {
	case x.op == "n":
		return c.number(x.n * n)
	case n == 1:
		return x
	}
	return c.intern(calc{op: "*", l: x, r: c.number(n)})
}

// load has its place as a table where one byte names it: 'tcp[tcp[12] >> 4 << 2]'
// and 'tcp[(tcp[12] & 0xf0) >> 2]' are the same byte.
func (c *canon) load(x *calc) *calc {
	at := c.calc(x.l)
	if v, ok := oneWord(at); ok && v.size == 1 {
		key := fmt.Sprint("table", v.kind, v.off, v.ip, ":")
		for b := range uint32(256) {
			n, ok := withWord(at, b)
			key += fmt.Sprint(" ", n, ok)
		}
		if c.tables[key] == nil {
			c.tables[key] = &calc{op: "table", key: fmt.Sprint("table", len(c.tables))}
		}
		at = c.tables[key]
	}
	return c.intern(calc{op: "load", l: at, v: x.v})
}

// oneWord is the one or two bytes that a calculation depends on.
func oneWord(c *calc) (value, bool) {
	var v value
	found, ok := false, true
	var look func(*calc)
	look = func(c *calc) {
		switch {
		case c == nil || c.op == "n":
		case c.op == "len" || c.op == "table":
			ok = false
		case c.op == "load":
			w := c.v
			if c.l.op != "n" || w.size > 2 {
				ok = false
				return
			}
			w.off += c.l.n
			if found && w != v {
				ok = false
			}
			v, found = w, true
		default:
			look(c.l)
			look(c.r)
		}
	}
	look(c)
	return v, ok && found
}

// withWord is a calculation, every load of which gives n.
func withWord(c *calc, n uint32) (uint32, bool) {
	switch c.op {
	case "n":
		return c.n, true
	case "load":
		return n, true
	case "neg":
		n, ok := withWord(c.l, n)
		return -n, ok
	}
	l, ok := withWord(c.l, n)
	if !ok {
		return 0, false
	}
	r, ok := withWord(c.r, n)
	if !ok {
		return 0, false
	}
	return calculate(c.op, l, r)
}

// maxStretches bounds the tests that one calculation becomes.
const maxStretches = 256

// ofWord is a test of arithmetic on one word as ranges of the word, of those of
// its bits that count; nil where there are too many ranges.
func (c *canon) ofWord(v value, x *calc, d, t, f *decision) *decision {
	width := 8 * uint(v.size)
	outcome := make([]uint8, 1<<width)
	for n := range outcome {
		a, ok := withWord(x, uint32(n))
		switch {
		case !ok:
			outcome[n] = 2
		case decided(a, d.op, d.k):
			outcome[n] = 1
		}
	}
	mask := uint32(0)
	for b := range width {
		for n := range outcome {
			if outcome[n] != outcome[n^1<<b] {
				mask |= 1 << b
				break
			}
		}
	}
	to := [...]*decision{f, t, c.g.end(0)}
	if mask == 0 {
		return to[outcome[0]]
	}
	var list []stretch
	var count, one [3]uint32 // values by how they end, and the last of each
	for n, o := range outcome {
		if uint32(n)&^mask != 0 {
			continue // as without those bits
		}
		count[o]++
		one[o] = uint32(n)
		if len(list) > 0 && list[len(list)-1].to == uint16(o) {
			continue
		}
		if list = append(list, stretch{lo: uint32(n), to: uint16(o)}); len(list) > maxStretches {
			return nil
		}
	}
	if bits.OnesCount32(mask) == 1 {
		return c.g.test(v, anyBit, mask, to[list[1].to], to[list[0].to])
	}
	v = v.masked(mask)
	if n := count[0] + count[1] + count[2]; n == count[0]+1 || n == count[1]+1 {
		same := uint16(0) // all but one value end like this
		if count[1] > 1 {
			same = 1
		}
		for o := range uint16(3) {
			if o != same && count[o] == 1 {
				return c.g.test(v, equal, one[o], to[o], to[same])
			}
		}
	}
	slices.Reverse(list)
	next := to[list[len(list)-1].to]
	for i := len(list) - 2; i >= 0; i-- {
		next = c.g.test(v, atLeast, list[i].lo, to[list[i].to], next)
	}
	return next
}
