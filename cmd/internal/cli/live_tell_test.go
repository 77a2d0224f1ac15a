package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

// A paced source has a tick wherever c pauses for longer than every.
type paced struct {
	capture.Source
	every time.Duration
	next  *capture.Packet
	now   capture.Time
}

func (s *paced) Next(p *capture.Packet) error {
	if s.next == nil {
		s.next = &capture.Packet{}
		if err := s.Source.Next(s.next); err != nil {
			return err
		}
	}
	if s.now == 0 || s.next.Time.Sub(s.now) <= s.every {
		*p = *s.next
		s.next, s.now = nil, p.Time
		return nil
	}
	s.now = s.now.Add(s.every)
	*p = capture.Packet{Time: s.now}
	return nil
}

// tell runs c through the loop of live, without a capture.
func tell(t *testing.T, c *synth.Capture, format string, style text.Style) (string, *classify.Report) {
	t.Helper()
	var b bytes.Buffer
	r := &liveRun{o: &liveOptions{}, every: newsEvery, style: style, out: &output{Writer: bufio.NewWriter(&b), name: "test"},
		src: &paced{Source: c.Source("live"), every: 100 * time.Millisecond}, s: Streams{Err: io.Discard}}
	r.choice.format = format
	r.choice.failOn = noSeverity
	r.teller = newTeller(r)
	r.engine = classify.New(classify.Options{OnExchange: func(x *track.Exchange) { r.teller.exchange(x) }})
	if err := r.loop(); err != nil {
		t.Fatal(err)
	}
	if err := r.finish(); err != nil {
		t.Fatal(err)
	}
	return b.String(), r.report
}

// The lines leave standing what the report says, although what only goes on is
// held back for some time.
func TestLinesLeaveTheReport(t *testing.T) {
	lines, rep := tell(t, synth.FiveFaults(), "ndjson", text.Style{})
	findings, nodes := make(map[string]string), make(map[string]string)
	told := make(map[string]int)
	types := []string{}
	for line := range strings.Lines(lines) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		kind := o["type"].(string)
		types = append(types, kind)
		switch kind {
		case "finding":
			key := o["key"].(string)
			findings[key] = o["summary"].(string)
			told[key]++
		case "withdrawn":
			delete(findings, o["key"].(string))
		case "node":
			nodes[o["mac"].(string)] = o["verdict"].(string)
		}
	}
	want, wantNodes := make(map[string]string), make(map[string]string)
	for _, f := range rep.Findings {
		want[f.Key()] = f.Summary
	}
	for _, n := range rep.Nodes {
		wantNodes[n.MAC] = n.Verdict
	}
	if d := cmp.Diff(want, findings); d != "" {
		t.Errorf("findings (-report +lines):\n%s", d)
	}
	if d := cmp.Diff(wantNodes, nodes); d != "" {
		t.Errorf("nodes (-report +lines):\n%s", d)
	}
	for key, n := range told {
		if n > 6 {
			t.Errorf("%s is told %d times in half a minute", key, n)
		}
	}
	if n := len(types); types[n-1] != "summary" || slices.Index(types, "summary") != n-1 || slices.Index(types, "exchange") > slices.Index(types, "finding") {
		t.Errorf("got the order %v", types)
	}
}

// The lines for people come in the order of time, each error is there with its
// machine, and the report follows.
func TestTextLines(t *testing.T) {
	for _, width := range []int{60, 80, 120} {
		out, _ := tell(t, synth.FiveFaults(), "text", text.Style{UTC: true, Width: width})
		events, report, ok := strings.Cut(out, "\n\n")
		if !ok || !strings.HasPrefix(events, "UTC ") || !strings.Contains(report, "NODES: 5 stopped") {
			t.Fatalf("got\n%s", out)
		}
		last := ""
		for _, line := range strings.Split(events, "\n")[1:] {
			if len([]rune(line)) > max(width, 60) {
				t.Errorf("%d columns: %q", len([]rune(line)), line)
			}
			if at, _, _ := strings.Cut(line, " "); at != "" {
				if at < last {
					t.Errorf("%s comes after %s", at, last)
				}
				last = at
			}
		}
		for _, id := range []string{"dhcp-no-offer: ", "dhcp-rogue-libvirt: ", "tftp-no-answer: ", "rpc-mount-no-answer: ", "d4:ae:52:00:00:04 mount     stopped"} {
			if !strings.Contains(events, id) {
				t.Errorf("no line has %q:\n%s", id, events)
			}
		}
	}
}

// A request that goes on without an answer is told of when it was tried twice
// as often, and one line is one event where there is no terminal.
func TestTextTellsNews(t *testing.T) {
	c := &synth.Capture{}
	const mac = "d4:ae:52:00:07:01"
	d := synth.PXERom(mac).Discover(7, 0)
	for i := range 12 {
		c.Add(time.Duration(i)*3*time.Second, d.Broadcast())
	}
	out, _ := tell(t, c, "text", text.Style{UTC: true})
	events, _, _ := strings.Cut(out, "\n\n")
	var tries, findings []string
	for _, line := range strings.Split(events, "\n")[1:] {
		_, what, _ := strings.Cut(line, "DISCOVER, ")
		switch {
		case !strings.Contains(line, mac):
			t.Errorf("not a line of its own: %q", line)
		case strings.Contains(line, " unanswered "):
			tries = append(tries, what)
		case strings.Contains(line, " finding "):
			_, what, _ = strings.Cut(line, " finding ")
			findings = append(findings, strings.Fields(what)[0])
		}
	}
	if len(tries) < 2 || len(tries) > 4 {
		t.Errorf("12 DISCOVERs are told of as %q", tries)
	}
	if want := []string{"note", "warning", "error"}; !slices.Equal(findings, want) {
		t.Errorf("got findings %q, want %q:\n%s", findings, want, events)
	}
}

// A request that is answered at each try is told of once; what comes besides is told.
func TestTextTellsAnswersOnce(t *testing.T) {
	tt := &textTeller{style: text.Style{UTC: true}}
	x := track.Exchange{Service: "tftp", Stage: track.StageTFTP, Op: "RRQ", Outcome: track.Answered, First: 1, Last: 2, Tries: 1, Detail: "blksize 1432"}
	want := 0
	for _, c := range []struct {
		name string
		does func()
		told bool
	}{
		{"the answer", func() {}, true}, {"one more try", func() { x.Tries++ }, false}, {"and one", func() { x.Tries += 4 }, false},
		{"another size", func() { x.Detail = "blksize 512" }, true}, {"refused", func() { x.Outcome, x.Reason = track.Refused, "ERROR 1" }, true},
		{"more bytes", func() { x.Bytes = 512 }, true}, {"another request", func() { x.First = 9 }, true},
		{"no answer", func() { x.First, x.Outcome, x.Tries = 20, track.Unanswered, 1 }, true}, {"a second try", func() { x.Tries = 2 }, true},
		{"a third", func() { x.Tries = 3 }, false}, {"a fourth", func() { x.Tries = 4 }, true}, {"an answer at last", func() { x.Outcome = track.Answered }, true},
	} {
		c.does()
		tt.exchange(&x)
		if c.told {
			want++
		}
		if len(tt.queue) != want {
			t.Fatalf("%s: got %d lines, want %d", c.name, len(tt.queue), want)
		}
	}
	for i := range 3 * mostAsked {
		x.First = capture.Time(100 + i)
		tt.stale(&x)
	}
	if len(tt.asked) > mostAsked {
		t.Errorf("remembers %d requests, want at most %d", len(tt.asked), mostAsked)
	}
}

// A flood of strangers does not drown the rest: the lines for people are
// bounded, and the machine that boots is there.
func TestTextOfAFlood(t *testing.T) {
	c := &synth.Capture{}
	p := synth.NewPlace()
	p.Boot(c, 5*time.Second, "d4:ae:52:00:07:01", "10.0.0.101", 7)
	const n = 20_000
	for i := range n {
		mac := capture.NewFrameID(0, uint64(i)) // any numbers, all different
		c.Add(time.Duration(i)*time.Millisecond, synth.PXERom(macOf(uint32(mac))).Discover(uint32(i), 0).Broadcast())
	}
	c.Join()
	out, rep := tell(t, c, "text", text.Style{UTC: true})
	events, _, _ := strings.Cut(out, "\n\n")
	if got := strings.Count(events, "\n"); got > n/2 {
		t.Errorf("got %d lines of %d strangers", got, n)
	}
	if !strings.Contains(events, "d4:ae:52:00:07:01") || !strings.Contains(events, "more exchanges") {
		t.Errorf("the machine or the rest is not told of:\n%.2000s", events)
	}
	if len(rep.Nodes) == 0 {
		t.Error("no nodes")
	}
}

func macOf(i uint32) string {
	const hex = "0123456789abcdef"
	b := []byte("02:00:00:00:00:00")
	for k := range 8 {
		at := len(b) - 1 - k - k/2
		b[at] = hex[i>>(4*k)&15]
	}
	return string(b)
}
