package catalog

import (
	"slices"
	"strconv"
	"strings"
)

// Near are the ids of services that somebody may have meant by a word that is
// no id: the name or the port of a row, a part of an id, or one with up to two
// letters wrong. others are names that count beside ids. The best guesses,
// three at most.
func (c *Catalog) Near(word string, others ...string) []string {
	word = strings.ToLower(word)
	port, err := strconv.ParseUint(word, 10, 16)
	number := err == nil && port > 0
	const far = 100
	type guess struct {
		id   string
		cost int
	}
	var all []guess
	like := func(id string) int {
		if number || len(word) < 3 {
			return far
		}
		for i := 1; i < len(word); i++ {
			if word[:i-1]+word[i:i+1]+word[i-1:i]+word[i+1:] == id {
				return 1
			}
		}
		if d := edits(word, id); d <= min(2, len(word)/3) {
			return d
		}
		if strings.Contains(id, word) || len(id) > 2 && strings.Contains(word, id) {
			return 3
		}
		return far
	}
	for _, name := range others {
		if cost := like(name); cost < far && c.ByID(name) == nil {
			all = append(all, guess{name, cost})
		}
	}
	for i := range c.services {
		s := &c.services[i]
		cost := like(s.ID)
		for _, r := range s.Rows {
			if strings.EqualFold(r.Name, word) {
				cost = 0
			} else if len(word) > 2 && edits(word, strings.ToLower(r.Name)) == 1 {
				cost = min(cost, 2)
			}
		}
		if number {
			for _, p := range s.Ports {
				if p.Use != Listed && p.Contains(uint16(port)) {
					cost = min(cost, 1+int(p.Last-p.First))
				}
			}
		}
		if cost < far {
			all = append(all, guess{s.ID, cost})
		}
	}
	slices.SortStableFunc(all, func(a, b guess) int { return a.cost - b.cost })
	var out []string
	for _, g := range all[:min(3, len(all))] {
		if g.cost == all[0].cost {
			out = append(out, g.id)
		}
	}
	return out
}
