package filter

import "slices"

// A graph is a set of decisions, each different from all others: equal ones
// are one. It has no cycles.
type graph struct {
	unique map[decisionKey]*decision
	values map[value]int32
	calcs  map[string]*calc
	order  int32
	// strict keeps tests that make no difference, for what they read: the
	// truth tests tell by it why two programs differ.
	strict bool
}

// A decision goes to t or to f by a test, sets X and goes to t, or ends with a
// number of bytes to keep.
type decision struct {
	kind decisionKind
	// ranged decisions may be decided by ranges, others only by equal tests and
	// known values, as libpcap does. To know more would drop reads beyond the
	// end of a packet that libpcap keeps, and reading there rejects the packet.
	ranged bool
	v      value
	op     cmp
	k      uint32
	t, f   *decision
	id     int32 // creation order: what it leads to is smaller
	vid    int32 // the number of v
	pos    int32 // among those that reachable found last
}

// A decisionKey is all that makes a decision what it is.
type decisionKey struct {
	kind      decisionKind
	ranged    bool
	op        cmp
	vid, t, f int32
	k         uint32
}

func (d *decision) number() int32 {
	if d == nil {
		return 0
	}
	return d.id
}

type decisionKind uint8

const (
	end decisionKind = iota
	branch
	setX
)

func newGraph() *graph {
	return &graph{unique: make(map[decisionKey]*decision), values: make(map[value]int32), calcs: make(map[string]*calc)}
}

func (g *graph) add(d decision) *decision {
	vid, ok := g.values[d.v]
	if !ok {
		vid = int32(len(g.values))
		g.values[d.v] = vid
	}
	d.vid = vid
	return g.again(d)
}

// again is add for a value that has its number.
func (g *graph) again(d decision) *decision {
	key := decisionKey{kind: d.kind, ranged: d.ranged, op: d.op, vid: d.vid, t: d.t.number(), f: d.f.number(), k: d.k}
	if have, ok := g.unique[key]; ok {
		return have
	}
	g.order++
	n := d
	n.id = g.order
	g.unique[key] = &n
	return &n
}

func (g *graph) end(keep uint32) *decision { return g.add(decision{k: keep}) }

func (g *graph) setX(v value, then *decision) *decision {
	return g.add(decision{kind: setX, v: v, t: then})
}

// test adds a decision, or nothing where it would make no difference.
func (g *graph) test(v value, op cmp, k uint32, t, f *decision) *decision {
	if t == f && !g.strict {
		return t
	}
	return g.add(decision{kind: branch, v: v, op: op, k: k, t: t, f: f})
}

// inRange is test for the halves of a search, where what is known of the other
// halves counts.
func (g *graph) inRange(v value, op cmp, k uint32, t, f *decision) *decision {
	if t == f {
		return t
	}
	return g.add(decision{kind: branch, ranged: true, v: v, op: op, k: k, t: t, f: f})
}

// build adds a condition that leads to t or f. The right side comes first:
// everything is built from its end.
func (g *graph) build(c *cond, t, f *decision) *decision {
	switch c.kind {
	case condAnd:
		return g.build(c.l, g.build(c.r, t, f), f)
	case condOr:
		return g.build(c.l, t, g.build(c.r, t, f))
	case condNot:
		return g.build(c.l, f, t)
	case condTrue:
		return t
	case condFalse:
		return f
	case condPorts:
		return c.ports.build(g, t, f)
	}
	return g.test(c.v, c.op, c.k, t, f)
}

// to is d with other ends.
func (g *graph) to(d, t, f *decision) *decision {
	switch {
	case d.t == t && d.f == f:
		return d
	case d.kind == branch && t == f && (d.ranged || !g.strict):
		return t
	}
	n := *d
	n.t, n.f = t, f
	return g.again(n)
}

// reachable are the decisions below root, every one before those it leads to.
func reachable(root *decision) []*decision {
	var out []*decision
	seen := make([]bool, root.id+1)
	// An explicit stack: a long expression makes a long chain.
	type visit struct {
		d    *decision
		step int
	}
	stack := []visit{{d: root}}
	seen[root.id] = true
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		next := top.d.f
		if top.step == 1 {
			next = top.d.t
		}
		top.step++
		if top.step > 2 {
			out = append(out, top.d)
			stack = stack[:len(stack)-1]
			continue
		}
		if next != nil && !seen[next.id] {
			seen[next.id] = true
			stack = append(stack, visit{d: next})
		}
	}
	slices.Reverse(out)
	for i, d := range out {
		d.pos = int32(i)
	}
	return out
}
