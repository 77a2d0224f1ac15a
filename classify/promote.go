package classify

import (
	"fmt"
	"slices"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
)

// promote makes one finding of the site out of what at least that many nodes
// share with one server, or in one VLAN where no server is to blame.
func promote(list []Finding, atLeast int) []Finding {
	type key struct {
		id, server, severity string
		vlan                 uint16
	}
	keyOf := func(f *Finding) key { return key{f.ID, f.Server, f.Severity, f.VLAN} }
	type group struct {
		nodes []string
		has   map[string]bool
		at    int // place of the group's finding in out, from 1
	}
	groups := make(map[key]*group)
	for i := range list {
		f := &list[i]
		if f.Node == "" {
			continue
		}
		g := groups[keyOf(f)]
		if g == nil {
			g = &group{has: make(map[string]bool)}
			groups[keyOf(f)] = g
		}
		if !g.has[f.Node] {
			g.has[f.Node] = true
			g.nodes = append(g.nodes, f.Node)
		}
	}
	out := make([]Finding, 0, len(list))
	for _, f := range list {
		g := groups[keyOf(&f)]
		if f.Node == "" || len(g.nodes) < atLeast {
			out = append(out, f)
			continue
		}
		if g.at == 0 {
			out = append(out, f)
			g.at = len(out)
			s := &out[g.at-1]
			s.Summary = fmt.Sprintf("%d nodes: %s (first of them)", len(g.nodes), f.Summary)
			s.Nodes, s.Node = g.nodes, ""
			s.ref = findingRef{id: s.ID, group: s.Server, severity: s.Severity, vlan: s.VLAN}
			continue
		}
		out[g.at-1].absorb(&f)
	}
	return out
}

// absorb takes the evidence of f, the same finding about another node, into s.
func (s *Finding) absorb(f *Finding) {
	s.First, s.Last = min(s.First, f.First), max(s.Last, f.Last)
	s.RootCauseOf = append(s.RootCauseOf, f.RootCauseOf...)
	for _, by := range f.LoweredBy {
		if !slices.Contains(s.LoweredBy, by) {
			s.LoweredBy = append(s.LoweredBy, by)
		}
	}
	if c, ok := finding.ParseConfidence(f.Confidence); ok {
		if mine, _ := finding.ParseConfidence(s.Confidence); c < mine {
			s.Confidence = f.Confidence
		}
	}
	if len(f.Frames) == 0 || len(s.Frames) >= finding.MaxFrames {
		return
	}
	ids := append(s.ids(), f.ids()...)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	s.File, s.Frames, s.Files = refs(ids[:min(len(ids), finding.MaxFrames)])
}

// ids are the frames of f with their files.
func (f *Finding) ids() []capture.FrameID {
	ids := make([]capture.FrameID, len(f.Frames), 2*len(f.Frames))
	for i, n := range f.Frames {
		file := f.File
		if f.Files != nil {
			file = f.Files[i]
		}
		ids[i] = capture.NewFrameID(file, n)
	}
	return ids
}
