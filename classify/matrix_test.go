package classify_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
)

// A row of the matrix is one rule: the scenario that shows it, what looks like
// it and is none, and what a poor capture leaves of it. Each scenario runs
// through the whole engine.
type row struct {
	rule string
	// fires tells the fault, or for a positive rule the behaviour. What is told
	// within story.proof are the frames that the finding must name.
	fires func(*story)
	// site is a site file; rules about the site must be silent without it.
	site string

	severity string // of the finding; "": the rule's
	node     string // MAC or address of the finding; "": about the segment
	server   string
	// with are the other errors and warnings of the same picture, as
	// "severity rule".
	with []string
	// normal are the look-alikes of the rule's traps.
	normal []lookalike

	// first is when anything may be said at the earliest, and due when the full
	// severity is reached, in seconds: absences must have both, or due alone
	// when they are the same.
	first, due float64
	// cut96 are the errors and warnings that the heads of frames still prove.
	cut96 []string
	// early are errors and warnings that may stand when the capture ends in the
	// middle of the story, and late those when it begins there, beside what the
	// whole of it shows.
	early, late []string
	// known names an open finding about this row; the row is then skipped.
	known string
}

// A lookalike is normal, or another rule's business.
type lookalike struct {
	name string
	tell func(*story)
	says []string // errors and warnings, and notes of this rule, that are right
	// early and late are as in row.
	early, late []string
	// known names an open finding about this look-alike, which is then skipped.
	known string
}

func matrix() []row {
	return slices.Concat(dhcpRows(), dhcpRequestRows(), proxyRows(), relayRows(), normalDHCPRows(), serverRows(), identityRows(),
		tftpRows(), rpcRows(), nfsRows(), netRows(), siteRows(), bootRows())
}

// A story is a capture in the making.
type story struct {
	synth.Capture
	evidence map[*byte]bool
	id       uint16
}

func tell(f func(*story)) *story {
	s := &story{evidence: make(map[*byte]bool)}
	f(s)
	s.Join()
	return s
}

func secs(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }

// at adds a frame, a copy of its own: frames are told apart by their memory.
func (s *story) at(x float64, frame []byte) *story {
	s.Add(secs(x), bytes.Clone(frame))
	return s
}

// proof marks the frames that f adds as those that the finding must name.
func (s *story) proof(f func()) *story {
	n := len(s.Packets)
	f()
	for _, p := range s.Packets[n:] {
		s.evidence[&p.Data[0]] = true
	}
	return s
}

// prove adds a frame that the finding must name.
func (s *story) prove(x float64, frame []byte) *story {
	return s.proof(func() { s.at(x, frame) })
}

// tick is a packet of no service: it lets time pass.
func (s *story) tick(x float64) *story {
	return s.at(x, synth.UDP(bystander, gateway, 5000, 5001, []byte("tick")))
}

// names marks frames, counted from 1, as those that the finding must name. What
// was told so far must be in the order of time.
func (s *story) names(numbers ...int) *story {
	for _, n := range numbers {
		s.evidence[&s.Packets[n-1].Data[0]] = true
	}
	return s
}

// ip numbers datagrams, so that a repetition is no copy.
func (s *story) ip() synth.IP {
	s.id++
	return synth.IP{ID: s.id}
}

// proven lists the numbers of the frames that the finding must name.
func (s *story) proven() []uint64 {
	var n []uint64
	for i, p := range s.Packets {
		if s.evidence[&p.Data[0]] {
			n = append(n, uint64(i+1))
		}
	}
	return n
}

// analyze runs a capture through a fresh engine.
func analyze(t testing.TB, c *synth.Capture, siteFile string) *classify.Report {
	t.Helper()
	opt := classify.Options{}
	if siteFile != "" {
		var err error
		if opt.Site, err = site.Parse("site", []byte(siteFile), site.Default()); err != nil {
			t.Fatal(err)
		}
	}
	src := c.Source("test.pcap")
	e := classify.New(opt)
	if err := e.Run(src, 0); err != nil {
		t.Fatal(err)
	}
	return e.Report(src)
}

// complaints lists the errors and warnings as "severity rule", sorted.
func complaints(r *classify.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		if f.Severity == "error" || f.Severity == "warning" {
			out = append(out, f.Severity+" "+f.ID)
		}
	}
	slices.Sort(out)
	return out
}

func find(r *classify.Report, rule, node string) *classify.Finding {
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.ID == rule && (f.Node == node || slices.Contains(f.Nodes, node)) {
			return f
		}
	}
	return nil
}

func findAny(r *classify.Report, rule string) *classify.Finding {
	for i := range r.Findings {
		if r.Findings[i].ID == rule {
			return &r.Findings[i]
		}
	}
	return nil
}

// gist is a report in short, for failures.
func gist(r *classify.Report) string {
	var b strings.Builder
	for _, n := range r.Nodes {
		fmt.Fprintf(&b, "\n  %s %s %s [%s]: %s", n.Name(), n.Outcome, n.Stage, n.RootCause, n.Verdict)
		for _, s := range n.Timeline {
			fmt.Fprintf(&b, "\n      %s %s %s %q %s tries %d %s %v", s.First.Std().Format("05.000"), s.Stage, s.Op, s.Subject, s.Outcome, s.Tries, s.Detail, s.Frames)
		}
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "\n  %s %s %s %s -> %s: %s (frames %v, %v to %v)", f.Severity, f.Confidence, f.ID, f.Node, f.Server, f.Summary, f.Frames,
			f.First.Std().Format("05.000"), f.Last.Std().Format("05.000"))
	}
	for _, q := range r.Quality {
		fmt.Fprintf(&b, "\n  quality %s %s: %s %v", q.Severity, q.Gate, q.Detail, q.Affects)
	}
	return b.String()
}

func ruleByID(id string) *finding.Rule {
	for _, r := range classify.Rules() {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// want is the severity that the row expects.
func (x *row) want() string {
	if x.severity != "" {
		return x.severity
	}
	return ruleByID(x.rule).Severity.String()
}

// complaint is the row's own finding as complaints lists it, if it is one.
func (x *row) complaint() []string {
	if w := x.want(); w == "error" || w == "warning" {
		return []string{w + " " + x.rule}
	}
	return nil
}

func sorted(lists ...[]string) []string {
	out := append([]string{}, slices.Concat(lists...)...)
	slices.Sort(out)
	return out
}

// each runs f for the rows that no open finding excludes.
func each(t *testing.T, f func(t *testing.T, x *row)) {
	for _, x := range matrix() {
		t.Run(x.rule, func(t *testing.T) {
			if ruleByID(x.rule) == nil {
				t.Skip("no such rule; TestMatrixIsComplete says so")
			}
			if x.known != "" {
				t.Skip("known: " + x.known)
			}
			f(t, &x)
		})
	}
}

// Whoever adds a rule adds its row.
func TestMatrixIsComplete(t *testing.T) {
	rows := make(map[string]int)
	for _, x := range matrix() {
		rows[x.rule]++
		r := ruleByID(x.rule)
		switch {
		case r == nil:
			t.Errorf("the row of %q names no rule", x.rule)
			continue
		case x.fires == nil || len(x.normal) == 0:
			t.Errorf("the row of %s needs a scenario that fires it and a look-alike", x.rule)
		case r.Absence && x.due == 0:
			t.Errorf("the row of %s, an absence, needs its deadline", x.rule)
		}
	}
	for _, r := range classify.Rules() {
		if rows[r.ID] != 1 {
			t.Errorf("%s: got %d rows, want 1", r.ID, rows[r.ID])
		}
	}
}

// Each rule fires in its scenario: for the right node and server, with the
// right frames, and nothing else is accused.
func TestMatrixFires(t *testing.T) {
	each(t, func(t *testing.T, x *row) {
		s := tell(x.fires)
		r := analyze(t, &s.Capture, x.site)
		f := find(r, x.rule, x.node)
		if f == nil {
			t.Fatalf("not found for node %q%s", x.node, gist(r))
		}
		if f.Severity != x.want() || f.Server != x.server {
			t.Errorf("got %s, server %q, want %s, server %q%s", f.Severity, f.Server, x.want(), x.server, gist(r))
		}
		if got, want := f.Frames, s.proven(); !slices.Equal(got, want) {
			t.Errorf("got frames %v, want %v%s", got, want, gist(r))
		}
		if got, want := complaints(r), sorted(x.complaint(), x.with); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q%s", got, want, gist(r))
		}
		if f.Summary == "" || f.Next == "" || strings.HasSuffix(f.Summary, ".") || f.First > f.Last {
			t.Errorf("got summary %q, next %q, from %v to %v", f.Summary, f.Next, f.First.Std(), f.Last.Std())
		}
	})
}

// What looks alike does not fire the rule, and accuses nobody of anything else.
func TestMatrixLookalikes(t *testing.T) {
	each(t, func(t *testing.T, x *row) {
		for _, n := range x.normal {
			t.Run(n.name, func(t *testing.T) {
				if n.known != "" {
					t.Skip("known: " + n.known)
				}
				s := tell(n.tell)
				r := analyze(t, &s.Capture, x.site)
				for _, f := range r.Findings {
					if said := f.Severity + " " + f.ID; f.ID == x.rule && !slices.Contains(n.says, said) {
						t.Errorf("got %s%s", said, gist(r))
					}
				}
				want := sorted(slices.DeleteFunc(slices.Clone(n.says), func(w string) bool { return strings.HasPrefix(w, "note ") }))
				if got := complaints(r); !slices.Equal(got, want) {
					t.Errorf("got %q, want %q%s", got, want, gist(r))
				}
			})
		}
	})
}

// Rules about the site are silent when nobody told about it.
func TestMatrixSiteRulesNeedTheSite(t *testing.T) {
	n := 0
	each(t, func(t *testing.T, x *row) {
		if x.site == "" {
			return
		}
		n++
		s := tell(x.fires)
		r := analyze(t, &s.Capture, "")
		if f := findAny(r, x.rule); f != nil && f.Severity == "error" || x.rule != "dhcp-rogue-server" && f != nil {
			t.Errorf("found without site facts%s", gist(r))
		}
	})
	if n < 5 {
		t.Errorf("got %d rows with a site, want at least 5", n)
	}
}
