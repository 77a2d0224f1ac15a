package filter

import "slices"

// A jumpTable decides a run of tests of the same bytes in one step: the value
// picks the exit. What a search among ports needs ten steps for, it does in one.
type jumpTable struct {
	exit []uint8 // by value, an index into to
	to   []uint16
}

// Tables are 64 KiB for two bytes; a matcher has at most maxTables of them.
const maxTables = 16

// tables finds the runs of a graph: the first test of each gets a table.
func tables(order []*decision, at map[*decision]uint16) map[*decision]*jumpTable {
	inner := make(map[*decision]bool) // entered only from tests of the same bytes
	entered := make(map[*decision]bool)
	for _, d := range order {
		for _, next := range [...]*decision{d.t, d.f} {
			if next == nil {
				continue
			}
			if inRun(d, next) {
				inner[next] = true
			} else {
				entered[next] = true
			}
		}
	}
	out := make(map[*decision]*jumpTable)
	for _, d := range order {
		if len(out) == maxTables {
			break
		}
		if inRun(d, d) && (!inner[d] || entered[d]) && (inRun(d, d.t) || inRun(d, d.f)) {
			if t := newJumpTable(d, at); t != nil {
				out[d] = t
			}
		}
	}
	return out
}

// inRun reports whether two decisions compare the same one or two bytes.
func inRun(a, b *decision) bool {
	return a.kind == branch && b.kind == branch && a.v == b.v && a.v.mask == 0 && a.v.calc == nil && a.v.size <= 2 &&
		a.v.kind <= shared && a.op != anyBit && b.op != anyBit
}

func newJumpTable(head *decision, at map[*decision]uint16) *jumpTable {
	limit := uint32(1) << (8 * head.v.size)
	// Between two constants the outcome is the same.
	cuts := []uint32{0, limit}
	seen := make(map[*decision]bool)
	var collect func(*decision)
	collect = func(d *decision) {
		if seen[d] || !inRun(head, d) {
			return
		}
		seen[d] = true
		for _, k := range [...]uint32{d.k, d.k + 1} {
			if k < limit {
				cuts = append(cuts, k)
			}
		}
		collect(d.t)
		collect(d.f)
	}
	collect(head)
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	t := &jumpTable{exit: make([]uint8, limit)}
	for i, v := range cuts[:len(cuts)-1] {
		d := head
		for inRun(head, d) {
			if decided(v, d.op, d.k) {
				d = d.t
			} else {
				d = d.f
			}
		}
		n := slices.Index(t.to, at[d])
		if n < 0 {
			n = len(t.to)
			t.to = append(t.to, at[d])
		}
		if n > 255 {
			return nil
		}
		for x := v; x < cuts[i+1]; x++ {
			t.exit[x] = uint8(n)
		}
	}
	return t
}
