package filter

// maxRounds bounds the passes over a graph; each makes it smaller or is the last.
const maxRounds = 20

// simplify follows every edge of the graph past the decisions whose outcome is
// known on the way, and drops those that make no difference. It never repeats
// a part of the graph, so the result is never larger.
func simplify(g *graph, root *decision) *decision {
	var mem memory
	for range maxRounds {
		next := thread(g, root, &mem)
		if next == root {
			break
		}
		root = next
	}
	return root
}

// thread is one pass: facts flow down, decisions are built again from below.
func thread(g *graph, root *decision, mem *memory) *decision {
	order := reachable(root)
	type point struct {
		facts facts
		alive bool
		t, f  *decision // where the edges lead now
	}
	at := make([]point, len(order))
	at[0].alive = true
	arrive := func(d *decision, m facts) *decision {
		for d.kind == branch {
			outcome, sure := m.decide(d)
			if !sure {
				break
			}
			if outcome {
				d = d.t
			} else {
				d = d.f
			}
		}
		if p := &at[d.pos]; p.alive {
			p.facts = p.facts.or(m, mem)
		} else {
			p.alive, p.facts = true, m
		}
		return d
	}
	for i, d := range order {
		p := &at[i]
		if !p.alive {
			continue
		}
		switch d.kind {
		case branch:
			p.t = arrive(d.t, p.facts.after(d, true, mem))
			p.f = arrive(d.f, p.facts.after(d, false, mem))
		case setX:
			p.t = arrive(d.t, p.facts)
		}
		p.facts = nil
	}
	fresh := make([]*decision, len(order))
	for i := len(order) - 1; i >= 0; i-- {
		d, p := order[i], &at[i]
		switch {
		case d.kind == end:
			fresh[i] = d
		case !p.alive:
		case d.kind == branch:
			fresh[i] = g.to(d, fresh[p.t.pos], fresh[p.f.pos])
		case d.kind == setX:
			fresh[i] = g.to(d, fresh[p.t.pos], nil)
		}
	}
	return fresh[0]
}
