package classify_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/catalog"
)

// filtered holds what `pxescope filter` prints against a fixture: what it keeps
// has every packet of the services that it is for, none of those that it
// leaves, and is judged like the whole; of a part that leaves services nothing
// is said that is not said of the whole.
func (e *expectation) filtered(t *testing.T, args []string, whole *classify.Report) {
	var leaves []string
	if i := slices.Index(args, "leaves"); i >= 0 {
		args, leaves = args[:i], args[i+1:]
	}
	r := filterRequest(t, args)
	f, err := filter.Build(r)
	if err != nil {
		t.Fatal(err)
	}
	kept := e.analyze(t, func(src capture.Source) capture.Source { return &matching{Source: src, t: t, expr: f.Expr} })
	e.hold(t, kept, len(leaves) > 0)
	for _, s := range whole.Services {
		if slices.Contains(r.Names, s.ID) || r.Phase != "" && s.Phase == string(r.Phase) {
			if got := packets(kept, s.ID); got != int(s.Packets) {
				t.Errorf("%s: got %d packets of %d", s.ID, got, s.Packets)
			}
		}
	}
	for _, id := range r.Names {
		if packets(whole, id) == 0 {
			t.Errorf("%s: the capture has none", id)
		}
	}
	for _, id := range leaves {
		if n, got := packets(whole, id), packets(kept, id); n == 0 || got != 0 {
			t.Errorf("%s: got %d packets of %d, want none of some", id, got, n)
		}
	}
}

// filterRequest reads the arguments of `pxescope filter` that scenarios use.
func filterRequest(t *testing.T, args []string) *filter.Request {
	t.Helper()
	r := &filter.Request{}
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--complete":
			r.Complete = true
		case args[i] == "--phase" && i+1 < len(args):
			i++
			r.Phase, r.Complete = catalog.Phase(args[i]), true
		case args[i] == "--mac" && i+1 < len(args):
			i++
			mac, err := filter.ParseMAC(args[i])
			if err != nil {
				t.Fatal(err)
			}
			r.MACs = append(r.MACs, mac)
		case args[i] == "-y" && i+1 < len(args):
			i++
			link, err := filter.ParseLinkType(args[i])
			if err != nil {
				t.Fatal(err)
			}
			r.Link = link
		case strings.HasPrefix(args[i], "-"):
			t.Fatalf("filter %s: this test does not read %s", strings.Join(args, " "), args[i])
		default:
			r.Names = append(r.Names, args[i])
		}
	}
	return r
}

// matching yields the packets that match, as tcpdump -r -w would keep them.
type matching struct {
	capture.Source
	t    *testing.T
	expr *filter.Expr
	by   map[capture.LinkType]*filter.Matcher
}

func (m *matching) Next(p *capture.Packet) error {
	for {
		if err := m.Source.Next(p); err != nil || p.Tick() {
			return err
		}
		if m.by[p.Link] == nil {
			made, err := filter.NewMatcher(m.expr, p.Link)
			if err != nil {
				m.t.Fatal(err)
			}
			if m.by == nil {
				m.by = make(map[capture.LinkType]*filter.Matcher)
			}
			m.by[p.Link] = made
		}
		if m.by[p.Link].Match(p.Data, p.WireLen) {
			return nil
		}
	}
}

func packets(r *classify.Report, id string) int {
	for _, s := range r.Services {
		if s.ID == id {
			return int(s.Packets)
		}
	}
	return 0
}

// counted is the number at a path of the report's counts; 0 where there is
// none, as there is no message of a kind that was not seen.
func counted(t *testing.T, r *classify.Report, path string) int {
	t.Helper()
	text, err := json.Marshal(r.Counts)
	if err != nil {
		t.Fatal(err)
	}
	var at any
	if err := json.Unmarshal(text, &at); err != nil {
		t.Fatal(err)
	}
	parent := ""
	for key := range strings.SplitSeq(path, ".") {
		object, _ := at.(map[string]any)
		value, ok := object[key]
		if !ok && !slices.Contains([]string{"messages", "errors", "calls", "unanswered"}, parent) {
			t.Fatalf("counts have no %s", path)
		}
		at, parent = value, key
	}
	switch n := at.(type) {
	case float64:
		return int(n)
	case nil:
		return 0
	}
	t.Fatalf("counts %s: got %v, want a number", path, at)
	return 0
}
