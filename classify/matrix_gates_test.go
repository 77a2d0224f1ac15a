package classify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify"
)

// ends is the capture ended at x, where some other packet came.
func (s *story) ends(x float64) *synth.Capture {
	c := s.Until(secs(x) - 1)
	return c.Add(secs(x), synth.UDP(bystander, gateway, 5000, 5001, []byte("tick")))
}

// A capture that ends just before the deadline says nothing, or less, and calls
// the exchange open; just after it the finding is there in full.
func TestMatrixDeadline(t *testing.T) {
	each(t, func(t *testing.T, x *row) {
		if x.due == 0 {
			return
		}
		const step = 0.02
		s := tell(x.fires)
		first := x.first
		if first == 0 {
			first = x.due
		}
		r := analyze(t, s.ends(first-step), x.site)
		if f := find(r, x.rule, x.node); f != nil {
			t.Errorf("before %v s: got %s, want nothing%s", first, f.Severity, gist(r))
		}
		if x.node != "" {
			pending := false
			for _, n := range r.Nodes {
				for _, st := range n.Timeline {
					pending = pending || st.Outcome == "open" || st.Op == "RRQ" && strings.Contains(st.Detail, "running when the capture ended")
				}
				pending = pending || n.Name() == x.node && (n.Outcome != "stopped" || n.RootCause != x.rule)
			}
			if !pending {
				t.Errorf("before %v s: got no open exchange of %s%s", first, x.node, gist(r))
			}
		}
		if first < x.due {
			r = analyze(t, s.ends(x.due-step), x.site)
			if f := find(r, x.rule, x.node); f == nil || f.Severity == x.want() {
				t.Errorf("before %v s: got %v, want less than %s%s", x.due, f, x.want(), gist(r))
			}
		}
		r = analyze(t, s.ends(x.due+step), x.site)
		if f := find(r, x.rule, x.node); f == nil || f.Severity != x.want() {
			t.Errorf("after %v s: got %v, want %s%s", x.due, f, x.want(), gist(r))
		}
	})
}

// said is what must be the same however a capture was made.
type said struct {
	Rule, Severity, Confidence, Node, Server, Summary string
	Facts                                             classify.Facts
}

func all(r *classify.Report) []said {
	var out []said
	for _, f := range r.Findings {
		out = append(out, said{f.ID, f.Severity, f.Confidence, f.Node, f.Server, f.Summary, f.Facts})
	}
	slices.SortStableFunc(out, func(a, b said) int {
		return strings.Compare(fmt.Sprint(a.Rule, a.Node, a.Server, a.Summary), fmt.Sprint(b.Rule, b.Node, b.Server, b.Summary))
	})
	return out
}

// A SPAN port of both directions changes nothing: not what is found, not how
// many tries are counted, and the frames are still those of the evidence.
func TestMatrixDoubled(t *testing.T) {
	each(t, func(t *testing.T, x *row) {
		s := tell(x.fires)
		c := s.Doubled()
		want, r := analyze(t, &s.Capture, x.site), analyze(t, c, x.site)
		if d := cmp.Diff(all(want), all(r)); d != "" {
			t.Errorf("findings (-once +doubled):\n%s", d)
		}
		for _, f := range r.Findings {
			if f.ID != x.rule || f.Node != x.node {
				continue
			}
			for _, n := range f.Frames {
				if !s.evidence[&c.Packets[n-1].Data[0]] {
					t.Errorf("got frame %d, which is no evidence%s", n, gist(r))
				}
			}
		}
	})
	for _, x := range matrix() {
		for _, n := range x.normal {
			if n.known == "" && x.known == "" {
				t.Run(x.rule+"/"+n.name, func(t *testing.T) {
					s := tell(n.tell)
					if d := cmp.Diff(all(analyze(t, &s.Capture, x.site)), all(analyze(t, s.Doubled(), x.site))); d != "" {
						t.Errorf("findings (-once +doubled):\n%s", d)
					}
				})
			}
		}
	}
}

// Inside a VLAN all is the same, and the finding names the VLAN.
func TestMatrixTagged(t *testing.T) {
	each(t, func(t *testing.T, x *row) {
		s := tell(x.fires)
		if x.rule == "wrong-vlan" {
			return // it is about the tags
		}
		r := analyze(t, s.Tagged(120), x.site)
		f := find(r, x.rule, x.node)
		if f == nil || f.Severity != x.want() || f.VLAN != 120 || f.Server != x.server {
			t.Fatalf("got %+v, want %s in VLAN 120%s", f, x.want(), gist(r))
		}
		if got, want := f.Frames, s.proven(); !slices.Equal(got, want) {
			t.Errorf("got frames %v, want %v", got, want)
		}
		if got, want := complaints(r), sorted(x.complaint(), x.with); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q%s", got, want, gist(r))
		}
	})
}

// With 96 bytes of each frame only that is found which the heads prove.
func TestMatrixSnapped(t *testing.T) {
	each(t, func(t *testing.T, x *row) {
		s := tell(x.fires)
		r := analyze(t, s.Snapped(96), x.site)
		if got, want := complaints(r), sorted(x.cut96); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q%s", got, want, gist(r))
		}
		for _, n := range x.normal {
			if n.known != "" {
				continue
			}
			r := analyze(t, tell(n.tell).Snapped(96), x.site)
			for _, got := range complaints(r) {
				if !slices.Contains(n.says, got) {
					t.Errorf("%s: got %q, want at most %q%s", n.name, got, n.says, gist(r))
				}
			}
		}
	})
}

// servers are the machines of the answering side.
var servers = [][6]byte{rack.MAC, other.MAC, proxy.MAC, router.MAC, synth.MAC("3c:ec:ef:00:00:05"), synth.MAC("3c:ec:ef:00:00:06"), synth.MAC("3c:ec:ef:00:00:07"), synth.MAC(virbr)}

// oneWay is s without the packets of the servers.
func (s *story) oneWay() *synth.Capture {
	return s.Only(func(p synth.Packet) bool { return !slices.Contains(servers, [6]byte(p.Data[6:12])) })
}

// When only requests were captured, no absence is an accusation, as soon as
// there are enough requests to see that.
func TestMatrixOneWay(t *testing.T) {
	each(t, func(t *testing.T, x *row) {
		if !ruleByID(x.rule).Absence {
			return
		}
		s := tell(x.fires)
		vlan := uint16(0)
		if f := find(analyze(t, &s.Capture, x.site), x.rule, x.node); f != nil {
			vlan = f.VLAN
		}
		c := s.oneWay()
		for i := range 12 { // name service, which the node asks and is not heard to be answered
			q := synth.IP{ID: uint16(7000 + i), Tags: []uint16{vlan}}
			if vlan == 0 {
				q.Tags = nil
			}
			c.Add(time.Duration(i)*100*time.Millisecond, q.UDP(bystander, rack.Host, uint16(30000+i), 53, []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01")))
		}
		r := analyze(t, c.Join(), x.site)
		for _, f := range r.Findings {
			if (f.Severity == "error" || f.Severity == "warning") && ruleByID(f.ID).Absence {
				t.Errorf("got %s %s of one direction%s", f.Severity, f.ID, gist(r))
			}
		}
		if !slices.ContainsFunc(r.Quality, func(q classify.Quality) bool { return q.Gate == "one-sided" }) {
			t.Errorf("got no word about the direction%s", gist(r))
		}
	})
}

// What is normal gets no certain accusation when one side is missing, be it
// the servers' or the clients'.
func TestMatrixLookalikesOneWay(t *testing.T) {
	each(t, func(t *testing.T, x *row) {
		for _, n := range x.normal {
			if n.known != "" || slices.ContainsFunc(n.says, func(w string) bool { return strings.HasPrefix(w, "error ") }) {
				continue // half of a fault is no healthy capture
			}
			s := tell(n.tell)
			for side, c := range map[string]*synth.Capture{"without servers": s.oneWay(), "without clients": s.OneWay(node.MAC)} {
				r := analyze(t, c, x.site)
				for _, f := range r.Findings {
					if f.Severity == "error" && f.Confidence == "certain" {
						t.Errorf("%s, %s: got %s as certain%s", n.name, side, f.ID, gist(r))
					}
				}
			}
		}
	})
}

// Nothing is called missing across a step of the clock.
func TestMatrixClockStep(t *testing.T) {
	each(t, func(t *testing.T, x *row) {
		if !ruleByID(x.rule).Absence {
			return
		}
		s := tell(x.fires)
		f := find(analyze(t, &s.Capture, x.site), x.rule, x.node)
		if f == nil {
			t.Fatal("not found")
		}
		from, due := f.First.Std().Sub(synth.Start.Std()), secs(x.due)
		n := 0
		for i, p := range s.Packets {
			if p.At <= from || p.At == s.Packets[i-1].At || p.At > due && s.Packets[i-1].At >= due {
				continue // before the evidence, or after all was said
			}
			n++
			for name, c := range map[string]*synth.Capture{"back": s.StepBack(p.At, time.Hour), "forward": s.StepBack(p.At, -time.Hour)} {
				r := analyze(t, c, x.site)
				f := find(r, x.rule, x.node)
				if f == nil || f.Severity == "note" || f.Severity != x.want() && (p.At > secs(x.first) && x.first != 0 || slices.Contains(x.early, f.Severity+" "+f.ID)) {
					continue // what came before the step may make a milder finding
				}
				t.Errorf("step %s at frame %d: got %s %s%s", name, i+1, f.Severity, f.ID, gist(r))
			}
			if len(s.Packets) > 10_000 { // where each try costs
				break
			}
		}
		if n == 0 {
			t.Error("no packet between the evidence and the deadline: the test proves nothing")
		}
	})
}

// positions are up to 24 places in a capture, two in one that is very long.
func positions(c *synth.Capture) []int {
	var at []int
	n, most := len(c.Packets), 24
	if n > 10_000 {
		most = 2
	}
	for i := 1; i < n; i += max(1, n/most) {
		at = append(at, i)
	}
	return at
}

// Wherever a capture begins or ends, nobody is accused of what the whole of it
// does not show.
func TestMatrixCutAnywhere(t *testing.T) {
	check := func(t *testing.T, name, site string, s *story, whole, early, late []string) {
		for _, i := range positions(&s.Capture) {
			for _, half := range []struct {
				side    string
				packets []synth.Packet
				may     []string
			}{{"ends", s.Packets[:i], early}, {"begins", s.Packets[i:], late}} {
				r := analyze(t, &synth.Capture{Packets: half.packets}, site)
				for _, got := range complaints(r) {
					may := slices.Concat(whole, half.may)
					worse := strings.Replace(got, "warning ", "error ", 1)
					if !slices.Contains(may, got) && !slices.Contains(may, worse) {
						t.Errorf("%s %s at frame %d: got %q, want at most %q%s", name, half.side, i, got, may, gist(r))
					}
				}
			}
		}
	}
	each(t, func(t *testing.T, x *row) {
		s := tell(x.fires)
		check(t, "the fault", x.site, s, slices.Concat(x.complaint(), x.with), x.early, x.late)
		for _, n := range x.normal {
			if n.known == "" {
				check(t, n.name, x.site, tell(n.tell), n.says, n.early, n.late)
			}
		}
	})
}
