package filter

import (
	"golang.org/x/net/bpf"
)

// A Clause is an expression with its own snap length.
type Clause struct {
	Expr *Expr
	Keep uint32 // bytes to keep of a packet that matches; 0: the Target's
}

// Compile makes the classic BPF program of an expression. The error is an
// *Error: a term that t cannot express, or a program that is too long or that
// would reject every packet.
func Compile(e *Expr, t Target) ([]bpf.RawInstruction, error) {
	return CompileClauses([]Clause{{Expr: e}}, t)
}

// CompileClauses makes one program of several expressions. The first one that
// matches says how much of the packet is kept.
func CompileClauses(clauses []Clause, t Target) ([]bpf.RawInstruction, error) {
	root, err := decide(clauses, t)
	if err != nil {
		return nil, err
	}
	if root.kind == end && root.k == 0 {
		return nil, errRejectsAll()
	}
	return emit(root)
}

func errRejectsAll() error {
	return &Error{Msg: "the expression rejects every packet", Hint: "a packet cannot be tcp and udp, or behind a tag that its link type does not have"}
}

// decide builds and simplifies the graph of clauses.
func decide(clauses []Clause, t Target) (*decision, error) {
	g := newGraph()
	root, err := g.clauses(clauses, t)
	if err != nil {
		return nil, err
	}
	return simplify(g, root), nil
}

// clauses builds the graph for a target.
func (g *graph) clauses(clauses []Clause, t Target) (*decision, error) {
	keep := t.Snaplen
	if keep == 0 {
		keep = DefaultSnaplen
	}
	build := func(beside bool) (*decision, bool, error) {
		l, err := t.layout()
		if err != nil {
			return nil, false, err
		}
		l.live, l.beside = t.Live && l.media == ethernet, beside
		var conds []*cond
		tags := false
		for _, c := range clauses {
			// Each clause is a text of its own: vlan in one moves nothing in the next.
			r := &resolver{layout: l, link: t.Link, calcs: g.calcs}
			cond, err := r.node(c.Expr.root)
			if err != nil {
				return nil, false, err
			}
			tags = tags || r.tags > 0
			conds = append(conds, cond)
		}
		d := g.end(0)
		for i := len(clauses) - 1; i >= 0; i-- {
			k := keep
			if clauses[i].Keep != 0 {
				k = clauses[i].Keep
			}
			d = g.build(conds[i], g.end(k), d)
		}
		return d, tags, nil
	}
	root, tags, err := build(false)
	if err != nil {
		return nil, err
	}
	if tags && t.Live {
		beside, _, err := build(true)
		if err != nil {
			return nil, err
		}
		root = g.test(value{kind: metadata, off: metaVLANPresent, size: 1}, equal, 1, beside, root)
	}
	return root, nil
}
