package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/report"
)

// A fixture is a capture file.
type fixture struct {
	name, path string
	length     time.Duration
	packets    int
	unsendable bool // not Ethernet, cut, or of several interfaces
}

// fixtures are the files of testdata/pcap.
func fixtures(t *testing.T) (list []fixture) {
	t.Helper()
	dir := filepath.Join(root, "testdata/pcap")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), ".pcap") {
			f := fixture{name: e.Name(), path: filepath.Join(dir, e.Name())}
			f.measure(t)
			list = append(list, f)
		}
	}
	return list
}

func (f *fixture) open(t *testing.T) *pcapfile.Timeline {
	t.Helper()
	src, err := pcapfile.Open([]string{f.path}, pcapfile.Options{})
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	return src
}

func (f *fixture) measure(t *testing.T) {
	t.Helper()
	src := f.open(t)
	defer src.Close()
	var p capture.Packet
	var first, last capture.Time
	for {
		if err := src.Next(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		if f.packets == 0 {
			first = p.Time
		}
		last = max(last, p.Time)
		f.packets++
		f.unsendable = f.unsendable || p.Link != capture.LinkEthernet || len(p.Data) < p.WireLen
	}
	f.unsendable = f.unsendable || len(src.Interfaces()) > 1
	f.length = last.Sub(first)
}

// ends are the judgements of f, if the capture goes on in silence for up to
// after: one for each tenth of a second.
func (f *fixture) ends(t *testing.T, phase string, after time.Duration) (list []*judged) {
	t.Helper()
	opt, err := (&placeOptions{phase: phase, platform: "all"}).engine()
	if err != nil {
		t.Fatal(err)
	}
	opt.Version = version()
	for silence := time.Duration(0); silence < after+100*time.Millisecond; silence += 100 * time.Millisecond {
		src := f.open(t)
		e := classify.New(opt)
		err := e.Run(&ticking{Source: src, left: silence}, 0)
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		var b strings.Builder
		if err := report.Lines(&b, e.Report(src)); err != nil {
			t.Fatal(err)
		}
		src.Close()
		list = append(list, judge(t, b.String()))
	}
	return list
}

// A ticking source lets time pass after its last packet.
type ticking struct {
	capture.Source
	left time.Duration
	last capture.Time
}

func (s *ticking) Next(p *capture.Packet) error {
	err := s.Source.Next(p)
	if !errors.Is(err, io.EOF) || s.left <= 0 {
		s.last = p.Time
		return err
	}
	step := min(s.left, 100*time.Millisecond)
	s.left -= step
	s.last = s.last.Add(step)
	*p = capture.Packet{Time: s.last}
	return nil
}

// Judged is what lines leave standing: findings, nodes, quality, and counts.
type judged struct {
	findings, nodes map[string]map[string]any
	quality         []string
	summary         map[string]any
}

// judge applies lines in their order.
func judge(t *testing.T, lines string) *judged {
	t.Helper()
	j := &judged{findings: make(map[string]map[string]any), nodes: make(map[string]map[string]any)}
	for line := range strings.Lines(lines) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		kind, change := o["type"], o["change"]
		key, _ := o["key"].(string)
		for _, of := range []string{"type", "key", "change", "replaced"} {
			delete(o, of)
		}
		switch kind {
		case "finding":
			if key == "" { // of a report: all are there once
				key = fmt.Sprint(len(j.findings))
			}
			j.findings[key] = o
		case "withdrawn":
			delete(j.findings, key)
		case "node":
			if name := nameOf(o); change == "gone" {
				delete(j.nodes, name)
			} else {
				j.nodes[name] = o
			}
		case "quality":
			j.quality = append(j.quality, fmt.Sprint(o["gate"], ": ", o["detail"]))
		case "summary":
			j.summary = o
		}
	}
	if j.summary == nil {
		t.Fatalf("the lines do not end with a summary: %s", lines)
	}
	return j
}

func nameOf(node map[string]any) string {
	if mac, _ := node["mac"].(string); mac != "" {
		return mac
	}
	if list, _ := node["addresses"].([]any); len(list) > 0 {
		return fmt.Sprint(list[0])
	}
	return "?"
}

func (j *judged) packets() int {
	counts, _ := j.summary["counts"].(map[string]any)
	n, _ := counts["packets"].(float64)
	return int(n)
}

// onTheEdge are findings that a microsecond decides in captures of our own: their
// machines wait for exactly as long as the rule asks for.
var onTheEdge = map[any]bool{"uefi-collecting-offers": true}

// gist is who did not boot and why, and what is normal.
func (j *judged) gist() (list []string) {
	for _, f := range j.findings {
		if onTheEdge[f["id"]] {
			continue
		}
		list = append(list, fmt.Sprintf("%s %s (%s) of %s%s, server %s", f["severity"], f["id"], f["confidence"], f["node"], line(f["nodes"]), f["server"]))
	}
	for name, n := range j.nodes {
		list = append(list, fmt.Sprintf("node %s: %s at %s, cause %q", name, n["outcome"], n["stage"], n["root_cause"]))
	}
	slices.Sort(list)
	return list
}

// whole is everything but the name of the input and what it knows of itself.
func (j *judged) whole() (list []string) {
	for _, f := range j.findings {
		list = append(list, "finding "+line(f))
	}
	for _, n := range j.nodes {
		list = append(list, "node "+line(n))
	}
	for _, q := range j.quality {
		list = append(list, "quality "+q)
	}
	for _, of := range []string{"counts", "services", "site", "inconclusive"} {
		list = append(list, of+" "+line(j.summary[of]))
	}
	captures, _ := j.summary["captures"].([]any)
	for _, c := range captures {
		o, _ := c.(map[string]any)
		list = append(list, fmt.Sprintf("capture: %v packets, %v bytes, %v to %v, %v", o["packets"], o["bytes"], o["first"], o["last"], o["linktypes"]))
	}
	slices.Sort(list)
	return list
}

func line(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// unlike is "" when one of the ends is what live came to, else how it differs
// from the one that is most like it.
func unlike(ends []*judged, live *judged, view func(*judged) []string) (diff string) {
	got := view(live)
	for _, e := range ends {
		d := gocmp.Diff(view(e), got)
		if d == "" {
			return ""
		}
		if diff == "" || len(d) < len(diff) {
			diff = d
		}
	}
	return diff
}

// lanes shares fixtures out: each goes where there is room first, the longest
// before the others.
func lanes(files []fixture, n int) [][]fixture {
	slices.SortFunc(files, func(a, b fixture) int { return cmp.Compare(b.length, a.length) })
	list, sum := make([][]fixture, n), make([]time.Duration, n)
	for _, f := range files {
		i := slices.Index(sum, slices.Min(sum))
		list[i] = append(list[i], f)
		sum[i] += f.length + time.Second // and the start of the program
	}
	return list
}
