package filter

// maxRounds bounds the passes over a graph; each makes it smaller or is the last.
const maxRounds = 20

// simplify follows every edge of the graph past the decisions whose outcome is
// known on the way, and drops those that make no difference. It never repeats
// a part of the graph, so the result is never larger.
func simplify(g *graph, root *decision) *decision {
	for range maxRounds {
		next := thread(g, root)
		if next == root {
			break
		}
		root = next
	}
	return root
}

// thread is one pass: facts flow down, decisions are built again from below.
func thread(g *graph, root *decision) *decision {
	order := reachable(root)
	state := map[*decision]facts{root: nil}
	type edges struct{ t, f *decision }
	to := make(map[*decision]edges, len(order))
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
		if have, ok := state[d]; ok {
			state[d] = have.or(m)
		} else {
			state[d] = m
		}
		return d
	}
	for _, d := range order {
		m, alive := state[d]
		if !alive {
			continue
		}
		switch d.kind {
		case branch:
			to[d] = edges{arrive(d.t, m.after(d, true)), arrive(d.f, m.after(d, false))}
		case setX:
			to[d] = edges{t: arrive(d.t, m)}
		}
		delete(state, d)
	}
	fresh := make(map[*decision]*decision, len(order))
	for i := len(order) - 1; i >= 0; i-- {
		d := order[i]
		e, alive := to[d]
		switch {
		case d.kind == end:
			fresh[d] = d
		case !alive:
		case d.kind == branch:
			if d.ranged {
				fresh[d] = g.inRange(d.v, d.op, d.k, fresh[e.t], fresh[e.f])
			} else {
				fresh[d] = g.test(d.v, d.op, d.k, fresh[e.t], fresh[e.f])
			}
		case d.kind == setX:
			fresh[d] = g.setX(d.v, fresh[e.t])
		}
	}
	return fresh[root]
}
