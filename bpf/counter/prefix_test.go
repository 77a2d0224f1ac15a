//go:build linux

package counter

import (
	"path/filepath"
	"testing"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/track/tracktest"
)

func parsed(t testing.TB, text string) *filter.Expr {
	t.Helper()
	e, err := filter.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func provisioning(t testing.TB) *filter.Expr {
	t.Helper()
	f, err := filter.Build(&filter.Request{Phase: catalog.Provisioning})
	if err != nil {
		t.Fatal(err)
	}
	return f.Expr
}

// prefixes reach near and far into packets, by fixed and by computed offsets.
func prefixes(t testing.TB) []*filter.Expr {
	list := []*filter.Expr{provisioning(t)}
	for _, s := range []string{
		"udp port 67 or udp port 68 or (vlan and udp port 67)", "port 69 or vlan 120", "not ip", "len > 100 and udp",
		"host 10.20.0.2 or ether host 52:54:00:a1:00:02", "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", "udp[200] = 0 or ether[700:4] != 0",
		"ip6 or pppoes", "greater 0",
	} {
		list = append(list, parsed(t, s))
	}
	return list
}

// Every frame that was ever captured for us gets the predicate's verdict in
// the kernel, and what matches lands where it does without a filter.
func TestPrefixCaptures(t *testing.T) {
	files := tracktest.Captures(t)
	l := testLayout(t)
	for _, c := range testPrograms {
		t.Run(c.name, func(t *testing.T) {
			for _, e := range prefixes(t) {
				match, err := filter.NewMatcher(e, capture.LinkEthernet)
				if err != nil {
					t.Fatal(err)
				}
				r := newFilterRunner(t, l, e, c.hook, c.xdpFrags)
				frames, matched, wrong := 0, 0, 0
				for _, f := range files {
					ref := NewReference(l)
					if err := r.m.forget(); err != nil {
						t.Fatal(err)
					}
					eachFrame(t, f, func(p *capture.Packet) {
						want := Cell{Slot: slotFiltered}
						yes := match.Match(p.Data, len(p.Data))
						if yes {
							want = ref.Cell(p)
						}
						got, ok := r.cell(p.Data)
						if !ok {
							return
						}
						if frames++; yes {
							matched++
						}
						if !l.same(want, got) {
							if wrong++; wrong < 5 {
								t.Errorf("%.80s: %s frame %d: got %s, want %s\n% x", e, filepath.Base(f), p.ID.Number(),
									l.describe(got), l.describe(want), p.Data[:min(96, len(p.Data))])
							}
						}
					})
				}
				if matched == 0 || frames < 1000 {
					t.Errorf("%.80s: got %d of %d frames that match", e, matched, frames)
				}
				t.Logf("%.60s: %d of %d frames match, %d wrong", e, matched, frames, wrong)
			}
		})
	}
}
