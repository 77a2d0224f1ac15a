//go:build linux

package follow

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify"
)

// conclusions are what an analysis tells people: findings and nodes. Counts of
// packets differ, of course, and what is said of the capture itself.
func conclusions(e *classify.Engine, src capture.Source) (out []string) {
	e.Finish()
	r := e.Report(src)
	for _, f := range r.Findings {
		out = append(out, fmt.Sprintf("finding %s %s %s node %s server %s: %s", f.ID, f.Severity, f.Confidence, f.Node, f.Server, f.Summary))
	}
	for _, n := range r.Nodes {
		out = append(out, fmt.Sprintf("node %s %v: %s, %s, boots %d, cause %s, %s", n.Name(), n.Addresses, n.Stage, n.Outcome, n.Boots, n.RootCause, strings.Join(n.Findings, " ")))
	}
	slices.Sort(out)
	return out
}

// The analysis of what the filter passes comes to the same conclusions as the
// analysis of everything. Where a packet is dropped the analysis gets the time,
// as it does from an idle interface.
func TestSameConclusions(t *testing.T) {
	for _, phase := range []string{"provisioning", "day2", "power", ""} {
		t.Run("phase "+phase, func(t *testing.T) {
			files, all, dropped, said := 0, 0, 0, 0
			for _, f := range captures(t) {
				ref, err := NewReference(Config{Phase: phase})
				if err != nil {
					t.Fatal(err)
				}
				o := classify.Options{Phase: phase}
				whole, passed := classify.New(o), classify.New(o)
				src := eachPacket(t, f, func(p *capture.Packet) {
					whole.Packet(p)
					all++
					if p.Link == capture.LinkEthernet && !p.Tick() && !ref.Passes(p.Data, p.Time) {
						dropped++
						passed.Packet(&capture.Packet{Time: p.Time, Link: p.Link, Iface: p.Iface})
						return
					}
					passed.Packet(p)
				})
				if src == nil {
					continue
				}
				files++
				want, got := conclusions(whole, src), conclusions(passed, src)
				said += len(want)
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s: with the filter (-without +with):\n%s", filepath.Base(f), d)
				}
			}
			t.Logf("%d files, %d packets, %d dropped; %d findings and nodes", files, all, dropped, said)
			if dropped == 0 || files < 50 || phase == "provisioning" && said < 200 {
				t.Errorf("got %d files, %d packets dropped, %d findings and nodes: nothing was tested", files, dropped, said)
			}
		})
	}
}

// The comparison would tell: without what the filter learns, transfers and
// mounts seem to hang.
func TestStatelessConclusions(t *testing.T) {
	different := 0
	for _, f := range captures(t) {
		ref, err := NewReference(Config{Phase: "provisioning"})
		if err != nil {
			t.Fatal(err)
		}
		for i := range ref.r.ports {
			for j := range ref.r.ports[i] {
				ref.r.ports[i][j] &^= portTeaches
			}
		}
		o := classify.Options{Phase: "provisioning"}
		whole, passed := classify.New(o), classify.New(o)
		src := eachPacket(t, f, func(p *capture.Packet) {
			whole.Packet(p)
			if p.Link != capture.LinkEthernet || ref.Passes(p.Data, p.Time) {
				passed.Packet(p)
			}
		})
		if src != nil && !slices.Equal(conclusions(whole, src), conclusions(passed, src)) {
			different++
		}
	}
	t.Logf("%d files differ", different)
	if different < 10 {
		t.Errorf("got %d files with other conclusions for a filter without memory, want 10 at least: the comparison sees nothing", different)
	}
}
