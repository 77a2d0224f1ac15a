package classify_test

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/wire"
)

// The lab's scenarios state in their heads what a report must say of their
// captures; `make lab` holds fresh captures against that, this test the
// fixtures that runs of the lab left. The grammar is in testdata/lab/README.md.
const (
	scenarios = "../testdata/lab/scenarios"
	fixtures  = "../testdata/pcap"
)

// An expectation is what one scenario says of one capture.
type expectation struct {
	capture string
	lines   [][]string
}

func expectations(t *testing.T) []expectation {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(scenarios, "*.sh"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in %s: %v", scenarios, err)
	}
	var all []expectation
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first := len(all)
		for line := range strings.Lines(string(text)) {
			rest, ok := strings.CutPrefix(line, "#: ")
			if !ok {
				continue
			}
			words := strings.Fields(rest)
			switch words[0] {
			case "proves", "needs", "unpacks", "takes", "quick":
			case "capture":
				all = append(all, expectation{capture: words[1]})
			case "node", "nodes", "finding", "quality", "service", "counts", "filter", "count", "offline", "may", "later", "never":
				if len(all) == first {
					t.Fatalf("%s: %q before any capture", file, line)
				}
				e := &all[len(all)-1]
				e.lines = append(e.lines, words)
			default:
				t.Errorf("%s: got %q, want a word of the grammar", file, words[0])
			}
		}
		if len(all) == first {
			t.Errorf("%s: a scenario without a capture proves nothing", file)
		}
	}
	return all
}

func TestLab(t *testing.T) {
	for _, e := range expectations(t) {
		t.Run(e.capture, func(t *testing.T) {
			whole := e.analyze(t, nil)
			e.hold(t, whole, false)
			for _, w := range e.lines {
				if w[0] == "filter" {
					t.Run(strings.Join(w, " "), func(t *testing.T) { e.filtered(t, w[1:], whole) })
				}
			}
		})
	}
}

// analyze is what the analyzer says of the packets of a fixture that only
// yields; nil yields all.
func (e *expectation) analyze(t *testing.T, only func(capture.Source) capture.Source) *classify.Report {
	t.Helper()
	var src capture.Source = openFile(t, filepath.Join(fixtures, "lab-"+e.capture))
	if only != nil {
		src = only(src)
	}
	engine := classify.New(classify.Options{})
	if err := engine.Run(src, 0); err != nil {
		t.Fatal(err)
	}
	return engine.Report(src)
}

func openFile(t *testing.T, name string) *pcapfile.Timeline {
	t.Helper()
	src, err := pcapfile.Open([]string{name}, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

// hold is check.jq in Go: everything that is expected is there, and no error,
// warning or stopped node that is not. A part of a capture, which lacks
// services on purpose, is held only against the latter.
func (e *expectation) hold(t *testing.T, r *classify.Report, part bool) {
	var known, never, stopped []string
	for _, w := range e.lines {
		if part && slices.Contains([]string{"nodes", "quality", "service", "counts"}, w[0]) {
			continue
		}
		arg := append(slices.Clone(w[1:]), "", "", "", "")
		switch w[0] {
		case "node":
			stopped = append(stopped, arg[0])
			if part {
				continue
			}
			i := slices.IndexFunc(r.Nodes, func(n classify.Node) bool { return n.Name() == arg[0] })
			if i < 0 {
				t.Errorf("no node %s", arg[0])
				continue
			}
			n := &r.Nodes[i]
			if n.Outcome != arg[1] || n.Stage != arg[2] || n.RootCause != arg[3] {
				t.Errorf("node %s: got %s %s %s, want %s: %s", arg[0], n.Outcome, n.Stage, n.RootCause, strings.Join(w[2:], " "), n.Verdict)
			}
		case "nodes":
			if got := strconv.Itoa(len(r.Nodes)); got != arg[0] {
				t.Errorf("got %s nodes, want %s", got, arg[0])
			}
		case "finding":
			known = append(known, arg[1])
			if !part && !slices.ContainsFunc(r.Findings, func(f classify.Finding) bool {
				return f.Severity == arg[0] && f.ID == arg[1] && (arg[2] == "" || f.Node == arg[2] || f.Server == arg[2])
			}) {
				t.Errorf("no finding %s", strings.Join(w[1:], " "))
			}
		case "quality":
			if !slices.ContainsFunc(r.Quality, func(q classify.Quality) bool { return q.Gate == arg[0] }) {
				t.Errorf("no quality gate %s", arg[0])
			}
		case "service":
			for _, id := range w[1:] {
				if packets(r, id) == 0 {
					t.Errorf("no service %s", id)
				}
			}
		case "counts":
			want, err := strconv.Atoi(strings.TrimSuffix(arg[1], "+"))
			if err != nil {
				t.Fatalf("counts %s: %v", arg[0], err)
			}
			if got := counted(t, r, arg[0]); got != want && (got < want || !strings.HasSuffix(arg[1], "+")) {
				t.Errorf("counts %s: got %d, want %s", arg[0], got, arg[1])
			}
		case "later":
			known = append(known, arg[1])
			if slices.ContainsFunc(r.Nodes, func(n classify.Node) bool { return n.Name() == arg[2] && n.RootCause == arg[1] }) {
				stopped = append(stopped, arg[2])
			}
			if slices.ContainsFunc(r.Findings, func(f classify.Finding) bool { return f.Severity == arg[0] && f.ID == arg[1] }) {
				t.Logf("%s is said by now: make it a finding of the scenario", strings.Join(w[1:], " "))
			}
		case "may":
			known = append(known, w[1:]...)
		case "never":
			never = append(never, w[1:]...)
		}
	}
	for _, f := range r.Findings {
		grave := f.Severity == "error" || f.Severity == "warning"
		if slices.Contains(never, f.ID) || grave && !slices.Contains(known, f.ID) {
			t.Errorf("false accusation: %s %s, node %s, server %s: %s", f.Severity, f.ID, f.Node, f.Server, f.Summary)
		}
	}
	for _, n := range r.Nodes {
		if n.Outcome == "stopped" && !slices.Contains(stopped, n.Name()) {
			t.Errorf("false accusation: node %s: %s", n.Name(), n.Verdict)
		}
	}
}

// TestLabFixtures: only our own traffic, little of it, and nothing of the
// machine that captured it.
func TestLabFixtures(t *testing.T) {
	var want []string
	for _, e := range expectations(t) {
		want = append(want, filepath.Join(fixtures, "lab-"+e.capture))
	}
	got, err := filepath.Glob(filepath.Join(fixtures, "lab-*"))
	if err != nil {
		t.Fatal(err)
	}
	var total int
	for _, file := range got {
		if !slices.Contains(want, file) {
			t.Errorf("no scenario makes %s", file)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		total += len(b)
		for _, trace := range []string{"pxescope", "/tmp/", "/root/", "/home/"} {
			if bytes.Contains(b, []byte(trace)) {
				t.Errorf("%s contains %q", file, trace)
			}
		}
		checkAddresses(t, file)
	}
	if total > 5<<20 {
		t.Errorf("got %d bytes of fixtures, want at most 5 MiB", total)
	}
}

func checkAddresses(t *testing.T, file string) {
	src := openFile(t, file)
	d := wire.NewDecoder()
	for {
		var p capture.Packet
		var f wire.Frame
		if err := src.Next(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		d.Decode(&p, &f)
		if m := f.SrcMAC; !m.IsZero() && (m[0] != 0x52 || m[1] != 0x54 || m[2] != 0) {
			t.Errorf("%s frame %d: source MAC %s is not 52:54:00:*", file, p.ID.Number(), m)
		}
		for _, a := range []wire.Addr{f.Src, f.Dst} {
			if f.IPVersion != 0 && !a.IsZero() && !private(a.Netip()) {
				t.Errorf("%s frame %d: address %s is not private", file, p.ID.Number(), a)
			}
		}
	}
}

func private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsMulticast() || a.IsLinkLocalUnicast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
