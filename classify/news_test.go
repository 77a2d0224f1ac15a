package classify_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify"
)

// A board holds what a reader of the news knows.
type board struct {
	findings map[string]classify.Finding
	nodes    map[string]classify.Node
	told     int // findings and nodes, in all news
}

func newBoard() *board {
	return &board{findings: make(map[string]classify.Finding), nodes: make(map[string]classify.Node)}
}

func (b *board) apply(t *testing.T, n classify.News) {
	t.Helper()
	for _, f := range n.Findings {
		was, known := b.findings[f.Key()]
		if known != (f.Was != nil) || known && text(t, was) != text(t, f.Was) {
			t.Errorf("%s: was told before: %v; the news says it was %+v", f.Key(), known, f.Was)
		}
		if b.findings[f.Key()] = f.Finding; f.Withdrawn {
			delete(b.findings, f.Key())
		}
	}
	for _, x := range n.Nodes {
		was, known := b.nodes[x.Name()]
		if known != (x.Was != nil) || known && text(t, was) != text(t, x.Was) {
			t.Errorf("%s: was told before: %v; the news says it was %+v", x.Name(), known, x.Was)
		}
		if b.nodes[x.Name()] = x.Node; x.Gone {
			delete(b.nodes, x.Name())
		}
	}
	b.told += len(n.Findings) + len(n.Nodes)
}

// state is all that is known, in an order of its own.
func (b *board) state(t *testing.T) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(b.findings)) {
		out = append(out, text(t, b.findings[k]))
	}
	for _, k := range slices.Sorted(maps.Keys(b.nodes)) {
		out = append(out, text(t, b.nodes[k]))
	}
	return out
}

// reported is the same of a report.
func reported(t *testing.T, r *classify.Report) []string {
	b := newBoard()
	for _, f := range r.Findings {
		if _, twice := b.findings[f.Key()]; twice {
			t.Errorf("two findings have the key %s", f.Key())
		}
		b.findings[f.Key()] = f
	}
	for _, n := range r.Nodes {
		b.nodes[n.Name()] = n
	}
	return b.state(t)
}

func text(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// replay runs src and asks for news whenever ask says so, and at the end.
func replay(t *testing.T, src capture.Source, ask func() bool) (*board, *classify.Report) {
	t.Helper()
	e, b := classify.New(classify.Options{}), newBoard()
	var p capture.Packet
	for src.Next(&p) == nil {
		e.Packet(&p)
		if ask() {
			b.apply(t, e.News(src))
		}
	}
	e.Finish()
	b.apply(t, e.News(src))
	if again := e.News(src); again.Report != nil || len(again.Findings)+len(again.Nodes) > 0 {
		t.Error("there is news although nothing happened")
	}
	return b, e.Report(src)
}

// Whenever news is asked for, after every packet or now and then: who follows
// it knows at the end what a report says of a capture that was read at once.
func TestNewsMakesTheReport(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixtures, "*.pcap*"))
	if err != nil || len(files) < 50 {
		t.Fatalf("got %d fixtures, %v", len(files), err)
	}
	for i, file := range files {
		open := func() capture.Source {
			src, err := pcapfile.Open([]string{file}, pcapfile.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return src
		}
		checkNews(t, filepath.Base(file), uint64(i), open)
	}
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 5))
		p, c := place(), &synth.Capture{}
		for i := range 1 + r.IntN(8) { // four with the same fault are one finding of the site
			mac, addr := machine(i)
			faults[r.IntN(2)*r.IntN(len(faults))].plant(p, c, within(r, 40), mac, addr, r.Uint32())
		}
		c.Join()
		checkNews(t, fmt.Sprintf("random %d", seed), seed, func() capture.Source { return c.Source("random.pcap") })
	}
}

func checkNews(t *testing.T, name string, seed uint64, open func() capture.Source) {
	t.Run(name, func(t *testing.T) {
		src := open()
		e := classify.New(classify.Options{})
		if err := e.Run(src, 0); err != nil {
			t.Fatal(err)
		}
		want := reported(t, e.Report(src))
		r := rand.New(rand.NewPCG(seed, 6))
		for how, ask := range map[string]func() bool{
			"every packet": func() bool { return true },
			"now and then": func() bool { return r.IntN(20) == 0 },
			"at the end":   func() bool { return false },
		} {
			b, rep := replay(t, open(), ask)
			if d := cmp.Diff(want, b.state(t)); d != "" {
				t.Errorf("%s: the news does not make the report (-report +news):\n%s", how, d)
			}
			if d := cmp.Diff(want, reported(t, rep)); d != "" {
				t.Errorf("%s: being asked changed the report (-before +after):\n%s", how, d)
			}
		}
	})
}

// What is due is told when its time comes, by ticks alone, and not at the end:
// each finding of the five faults that claims an absence appears with the first
// tick behind its deadline.
func TestNewsComesWithTheDeadline(t *testing.T) {
	c := synth.FiveFaults()
	src := c.Source("five.pcap")
	e := classify.New(classify.Options{})
	seen := make(map[string]bool)
	var p, tick capture.Packet
	step := capture.Time(50 * time.Millisecond)
	watch := func(now capture.Time) {
		for _, f := range e.News(src).Findings {
			if late := now.Sub(capture.Time(f.Last)); f.Was == nil && !f.Withdrawn && late > time.Second {
				t.Errorf("%s is told %v after its time", f.ID, late)
			}
			seen[f.ID] = true
		}
	}
	last := capture.Time(0)
	pass := func(until capture.Time) {
		for ; last != 0 && last+step < until; last += step {
			tick.Time = last + step
			e.Packet(&tick)
			watch(tick.Time)
		}
		last = until
	}
	for src.Next(&p) == nil {
		pass(p.Time)
		e.Packet(&p)
		watch(p.Time)
	}
	pass(last.Add(2 * time.Minute))
	for _, id := range []string{"dhcp-no-offer", "tftp-no-answer", "rpc-mount-no-answer"} {
		if !seen[id] {
			t.Errorf("%s was not told while time passed; told were %v", id, slices.Sorted(maps.Keys(seen)))
		}
	}
}

// A site finding takes the place of those of its nodes, and says so.
func TestNewsOfASite(t *testing.T) {
	p, c := place(), &synth.Capture{}
	for i := range 6 {
		mac, addr := machine(i)
		plantSilence(p, c, time.Duration(i)*20*time.Second, mac, addr, uint32(i+1))
	}
	c.Join()
	replaced, whole := 0, 0
	src := c.Source("site.pcap")
	e := classify.New(classify.Options{})
	var x capture.Packet
	count := func(n classify.News) {
		for _, f := range n.Findings {
			switch {
			case f.ID != "dhcp-no-offer":
			case f.Withdrawn && f.Replaced:
				replaced++
			case f.Withdrawn:
				t.Errorf("%s of %q %v is taken back and not replaced", f.ID, f.Node, f.Nodes)
			case len(f.Nodes) > 0:
				whole = len(f.Nodes)
			}
		}
	}
	for src.Next(&x) == nil {
		e.Packet(&x)
		count(e.News(src))
	}
	e.Finish()
	count(e.News(src))
	if replaced == 0 || whole != 6 {
		t.Errorf("got %d findings replaced, and one of %d nodes; want some, and 6", replaced, whole)
	}
}
