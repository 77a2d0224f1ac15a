package text

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/catalog"
)

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"pxelinux.0":             "pxelinux.0",
		"menü":                   "menü",
		"a\x1b[31mred":           `a\x1b[31mred`,
		"line\nbreak\ttab\x00":   `line\nbreak\ttab\x00`,
		"\xff\xfe":               `\xff\xfe`,
		"right\u202eleft":        `right\u202eleft`,
		"zero\u200bwidth\ufeff":  `zero\u200bwidth\ufeff`,
		"del\x7f c1\u0085":       `del\x7f c1\u0085`,
		"title\x1b]0;owned\x07!": `title\x1b]0;owned\a!`,
	} {
		if got := Escape(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// Whatever comes in, nothing that a terminal acts on goes out.
func FuzzEscape(f *testing.F) {
	f.Add("a\x1b[31m\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range Escape(s) {
			if r != ' ' && !unicode.IsPrint(r) {
				t.Fatalf("%q: %q goes out", s, r)
			}
		}
	})
}

func TestFrames(t *testing.T) {
	two := &classify.Report{Captures: []classify.Capture{{File: "a.pcap"}, {File: "b.pcap"}}}
	for _, c := range []struct {
		name   string
		r      *classify.Report
		file   int
		frames []uint64
		files  []int
		want   string
	}{
		{"runs", &classify.Report{Captures: make([]classify.Capture, 1)}, 0, []uint64{1, 2, 3, 7, 9, 10}, nil, "1-3, 7, 9-10"},
		{"none", two, 0, nil, nil, ""},
		{"one of several files", two, 1, []uint64{4, 5}, nil, "b.pcap:4-5"},
		{"over two files", two, 0, []uint64{8, 9, 1, 2}, []int{0, 0, 1, 1}, "a.pcap:8-9, b.pcap:1-2"},
		{"a run ends with its file", two, 0, []uint64{8, 9}, []int{0, 1}, "a.pcap:8, b.pcap:9"},
	} {
		p := printer{r: c.r}
		if got := p.frames(c.file, c.frames, c.files); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1 << 20: "1.0 MiB", 5 << 30: "5.0 GiB", 1<<20 - 1: "1.0 MiB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d): got %q, want %q", n, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := count(n); got != want {
			t.Errorf("count(%d): got %q, want %q", n, got, want)
		}
	}
}

func reportOf(t *testing.T, c *synth.Capture) *classify.Report {
	t.Helper()
	src := c.Source("ticket/eth1.pcap")
	e := classify.New(classify.Options{})
	if err := e.Run(src, 0); err != nil {
		t.Fatal(err)
	}
	return e.Report(src)
}

// The report fits the width it is given, at every verbosity; only names that
// cannot be broken may stand out.
func TestWidth(t *testing.T) {
	r := reportOf(t, synth.FiveFaults())
	for _, width := range []int{80, 100, 132} {
		for verbose := range 3 {
			for _, color := range []bool{false, true} {
				var b bytes.Buffer
				if err := Report(&b, r, Style{UTC: true, Width: width, Verbose: verbose, Color: color}); err != nil {
					t.Fatal(err)
				}
				for _, line := range strings.Split(b.String(), "\n") {
					if ansi.StringWidth(line) > width && !strings.HasPrefix(line, "ticket/") {
						t.Errorf("%d columns, -v %d: %q", ansi.StringWidth(line), verbose, line)
					}
				}
				if got := strings.Contains(b.String(), "\x1b"); got != color {
					t.Errorf("escape codes: got %v, want %v", got, color)
				}
			}
		}
	}
}

// A capture is written by strangers: what they put into names and strings
// never reaches the terminal as it is.
func TestHostileStrings(t *testing.T) {
	evil := "x\x1b]0;owned\x07\u202ey"
	r := reportOf(t, synth.FiveFaults())
	r.Captures[0].File = evil
	for i := range r.Nodes {
		n := &r.Nodes[i]
		n.Hostname, n.Verdict, n.NextExpected = evil, evil, evil
		for j := range n.Timeline {
			n.Timeline[j].Subject, n.Timeline[j].Detail = evil, evil
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Summary, f.Next = evil, evil
		f.Facts = append(f.Facts, classify.Fact{Key: "file", Value: evil}, classify.Fact{Key: "list", Value: []string{evil, evil}})
	}
	r.Quality = append(r.Quality, classify.Quality{Gate: "filtered", Severity: "note", Detail: evil})
	var b bytes.Buffer
	if err := Report(&b, r, Style{Verbose: 2}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"\x1b", "\x07", "\u202e"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q goes out", bad)
		}
	}
}

// Every rule and every service can be shown.
func TestDocumentation(t *testing.T) {
	for _, r := range classify.Rules() {
		var b bytes.Buffer
		if err := Rule(&b, r, Style{}); err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{r.ID, r.Title, "detect ", "means ", "next "} {
			if !strings.Contains(b.String(), part) {
				t.Errorf("%s: %q is missing in\n%s", r.ID, part, b.String())
			}
		}
	}
	c := catalog.Default()
	for i := range c.Services() {
		s := &c.Services()[i]
		var b bytes.Buffer
		if err := Service(&b, s, Style{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), s.ID) || len(s.Rows) > 0 && !strings.Contains(b.String(), " row ") {
			t.Errorf("%s: got\n%s", s.ID, b.String())
		}
	}
}

// Lines of events fit, whatever is in them, and nothing of a packet reaches the
// terminal as it is.
func TestEventLines(t *testing.T) {
	evil := "x\x1b]0;owned\x07\u202ey"
	long := strings.Repeat("a long story ", 30)
	for _, width := range []int{40, 60, 80, 120} {
		for _, e := range []Event{
			{Time: 1, Node: "d4:ae:52:00:00:01", Stage: "tftp", Level: "unanswered", What: long},
			{Time: 1, Node: "2001:db8:1234:5678:9abc:def0:1234:5678", Stage: "http", Level: "answered", What: "CONNECT"},
			{Time: 1, Node: evil, Stage: "finding", Level: "error", What: evil},
		} {
			for _, color := range []bool{false, true} {
				got := e.Line(Style{UTC: true, Width: width, Color: color})
				for _, line := range strings.Split(got, "\n") {
					if w := ansi.StringWidth(line); w > width && !strings.Contains(line, "2001:db8") && w > eventIndent {
						t.Errorf("%d columns of %d: %q", w, width, line)
					}
				}
				if strings.Contains(got, "\x07") || strings.Contains(got, "\u202e") || strings.Contains(got, "\x1b]") || !color && strings.Contains(got, "\x1b") {
					t.Errorf("goes out: %q", got)
				}
			}
		}
	}
}

// Where there is no terminal an event is one line, however long.
func TestEventIsALine(t *testing.T) {
	e := Event{Time: 1, Node: "d4:ae:52:00:00:01", Stage: "tftp", Level: "unanswered", What: strings.Repeat("a long story ", 30) + "\nof\ttwo"}
	if got := e.Line(Style{UTC: true}); strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\n") || !strings.Contains(got, e.What[:390]) {
		t.Errorf("got %q", got)
	}
}

func TestSomeNodes(t *testing.T) {
	var nodes []string
	for i := range 1500 {
		nodes = append(nodes, fmt.Sprintf("n%d", i))
	}
	for n, want := range map[int]string{1: "n0", 9: "n0 n1 n2 n3 n4 n5 n6 n7 n8", 10: "n0 n1 n2 n3 n4 n5 n6 n7 and 2 more (the JSON has all)",
		1500: "n0 n1 n2 n3 n4 n5 n6 n7 and 1,492 more (the JSON has all)"} {
		if got := someNodes(nodes[:n]); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
	if got := someNodes([]string{"\x1b[2J"}); strings.Contains(got, "\x1b") {
		t.Errorf("goes out: %q", got)
	}
}

// A table without colour is laid out as lipgloss lays out one with colour.
func TestPlainTable(t *testing.T) {
	words := []string{"", "a", "tftp", "menü", "漢字", "pxelinux.cfg/default", "12,345", "e\u0301", "two words"}
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		columns := 1 + rnd.IntN(5)
		row := func() (r []string) {
			for range columns {
				r = append(r, words[rnd.IntN(len(words))])
			}
			return r
		}
		head, left := row(), rnd.IntN(columns+1)
		var rows [][]string
		for range 1 + rnd.IntN(6) {
			rows = append(rows, row())
		}
		got := Style{}.table(head, rows, left)
		var want strings.Builder
		for line := range strings.Lines(ansi.Strip(Style{Color: true}.table(head, rows, left))) {
			want.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
		if got != want.String() {
			t.Fatalf("%q %q, %d left:\n%s\nwant\n%s", head, rows, left, got, want.String())
		}
	}
}
