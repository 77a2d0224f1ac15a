package screen

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

var update = flag.Bool("update", false, "write the golden screens anew")

// faults is the state some seconds after the last packet of the five faults.
func faults(t *testing.T) Snapshot {
	t.Helper()
	src := synth.FiveFaults().Source("eth1")
	e := classify.New(classify.Options{})
	var p capture.Packet
	since := classify.Time(0)
	for src.Next(&p) == nil {
		if since == 0 {
			since = classify.Time(p.Time)
		}
		e.Packet(&p)
	}
	tick := capture.Packet{Time: p.Time.Add(42 * time.Second)}
	e.Packet(&tick)
	return Snapshot{
		Now: classify.Time(tick.Time), Since: since, Report: e.Report(src), Packets: 4711, Rate: 12.6,
		Rates:      map[string]float64{"tftp": 8.2, "dhcp": 4},
		Interfaces: []Interface{{Name: "eth1", State: "up", Received: 4711, Known: true}},
		Filter:     "provisioning, stateful",
	}
}

func press(m *Model, keys ...string) (quit bool) {
	for _, k := range keys {
		msg := tea.KeyPressMsg{Text: k}
		if len([]rune(k)) == 1 {
			msg.Code = []rune(k)[0]
		} else {
			msg = tea.KeyPressMsg{Code: map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown,
				"backspace": tea.KeyBackspace, "end": tea.KeyEnd, "home": tea.KeyHome, "pgdown": tea.KeyPgDown}[k]}
		}
		if _, cmd := m.Update(msg); cmd != nil {
			_, quit = cmd().(tea.QuitMsg)
		}
	}
	return quit
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got+"\n"); d != "" {
		t.Errorf("the screen changed (-want +got); if it should, run the test with -update:\n%s", d)
	}
}

// What people see, at the size of a terminal of old and of a wide one.
func TestScreens(t *testing.T) {
	s := faults(t)
	for _, size := range []struct{ w, h int }{{80, 24}, {140, 40}} {
		for name, keys := range map[string][]string{
			"nodes": nil, "node": {"down", "enter"}, "help": {"?"}, "search": {"/", "t", "f", "t", "p"}, "sorted": {"s", "s", "end"},
		} {
			t.Run(fmt.Sprintf("%s-%dx%d", name, size.w, size.h), func(t *testing.T) {
				m := New(Options{Style: text.Style{UTC: true}})
				m.Update(tea.WindowSizeMsg{Width: size.w, Height: size.h})
				m.Update(s)
				press(m, keys...)
				got := m.View().Content
				fits(t, got, size.w, size.h)
				golden(t, fmt.Sprintf("%s-%dx%d", name, size.w, size.h), got)
			})
		}
	}
}

func fits(t *testing.T, view string, w, h int) {
	t.Helper()
	lines := strings.Split(view, "\n")
	if len(lines) != h {
		t.Errorf("got %d lines, want %d", len(lines), h)
	}
	for _, l := range lines {
		if ansi.StringWidth(l) > w {
			t.Errorf("%d columns of %d: %q", ansi.StringWidth(l), w, l)
		}
	}
}

// A notice hides no keys while there are nodes to choose from.
func TestNoticeLeavesKeys(t *testing.T) {
	m := New(Options{Style: text.Style{UTC: true}})
	m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	m.Update(faults(t))
	for _, key := range []string{"", "enter"} {
		if key != "" {
			press(m, key)
		}
		m.Update(Notice("wrote 20261121T000028Z_d4-ae-52-00-00-01_packets.pcapng in /var/tmp"))
		view := m.View().Content
		fits(t, view, 80, 24)
		if !strings.Contains(view, "wrote 20261121T000028Z_d4-ae-52-00-00-01_packets.pcapng") || key == "" && !strings.Contains(view, "q quit") {
			t.Errorf("after %q: got\n%s", key, view)
		}
	}
}

// Whatever the size, and whatever is pressed: it fits, and it does not fall.
func TestEverySize(t *testing.T) {
	s := faults(t)
	for _, color := range []bool{false, true} {
		m := New(Options{Style: text.Style{UTC: true, Color: color}, Write: func(string) {}})
		fits(t, m.View().Content, 80, 24)
		for w := 20; w < 200; w += 13 {
			for h := 6; h < 60; h += 7 {
				m.Update(tea.WindowSizeMsg{Width: w, Height: h})
				m.Update(s)
				for _, k := range []string{"down", "s", "enter", "pgdown", "w", "esc", "/", "b", "enter", "?", "esc", "esc", "p", "p", "end", "home"} {
					press(m, k)
					fits(t, m.View().Content, w, h)
				}
			}
		}
		if got := strings.Contains(m.View().Content, "\x1b"); got != color {
			t.Errorf("escape codes: got %v, want %v", got, color)
		}
	}
}

func TestKeys(t *testing.T) {
	s := faults(t)
	if n := len(s.Report.Nodes); n < 4 {
		t.Fatalf("got %d nodes", n)
	}
	var wrote []string
	m := New(Options{Style: text.Style{UTC: true}, Write: func(n string) { wrote = append(wrote, n) }})
	m.Update(tea.WindowSizeMsg{Width: 100, Height: 30})
	m.Update(s)
	press(m, "down", "down", "w")
	second := s.Report.Nodes[2].Name()
	if m.selected != second || len(wrote) != 1 || wrote[0] != second {
		t.Errorf("got %s chosen and %v written, want %s", m.selected, wrote, second)
	}

	// Another snapshot with another order: the cursor stays with its node.
	r := *s.Report
	r.Nodes = append([]classify.Node{r.Nodes[2]}, append(append([]classify.Node{}, r.Nodes[:2]...), r.Nodes[3:]...)...)
	next := s
	next.Report = &r
	m.Update(next)
	if m.selected != second || m.cursor != 0 {
		t.Errorf("got %s at %d, want %s at 0", m.selected, m.cursor, second)
	}

	// Paused, nothing moves; after it the newest state is shown.
	press(m, "p")
	before := m.View().Content
	later := next
	later.Packets = 9999
	m.Update(later)
	if !strings.Contains(before, "PAUSED") || m.View().Content != before {
		t.Error("the screen moves while it is paused")
	}
	press(m, "p")
	if got := m.View().Content; !strings.Contains(got, "9,999 packets") {
		t.Errorf("what came during the pause is not shown:\n%s", got)
	}

	// A node that is followed no more leaves its page.
	press(m, "enter")
	gone := later
	gone.Report = &classify.Report{}
	m.Update(gone)
	if m.page != pageNodes || m.selected != "" {
		t.Errorf("got page %d of %q", m.page, m.selected)
	}

	m.Update(Notice("eth1 went down"))
	if got := m.View().Content; !strings.Contains(got, "eth1 went down") {
		t.Error("a notice is not shown")
	}
	gone.Now = classify.Time(capture.Time(gone.Now).Add(time.Minute))
	m.Update(gone)
	if got := m.View().Content; strings.Contains(got, "eth1 went down") {
		t.Error("a notice stands for ever")
	}
	if !press(m, "q") || !press(New(Options{}), "q") {
		t.Error("q does not end it")
	}
	if press(m, "/") || press(m, "q") {
		t.Error("q in a search ends it")
	}
	if m.search != "q" {
		t.Errorf("got search %q", m.search)
	}
	ctrlC := tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
	if _, cmd := m.Update(ctrlC); cmd == nil {
		t.Error("Ctrl-C in a search does not end it")
	}
}

// A packet cannot write to the terminal.
func TestHostileStrings(t *testing.T) {
	evil := "x\x1b]0;owned\x07\x1b[2J\u202ey"
	s := faults(t)
	s.Writing, s.Filter, s.Interfaces[0].Name = evil, evil, evil
	for i := range s.Report.Nodes {
		n := &s.Report.Nodes[i]
		n.Hostname, n.Verdict, n.NextExpected = evil, evil, evil
		for j := range n.Timeline {
			n.Timeline[j].Subject, n.Timeline[j].Detail = evil, evil
		}
	}
	for i := range s.Report.Findings {
		f := &s.Report.Findings[i]
		f.Summary, f.Next = evil, evil
	}
	m := New(Options{})
	m.Update(tea.WindowSizeMsg{Width: 140, Height: 40})
	m.Update(s)
	m.Update(Notice(evil))
	press(m, "/")
	m.Update(tea.KeyPressMsg{Text: evil})
	for _, keys := range [][]string{nil, {"esc", "enter"}} {
		press(m, keys...)
		for _, bad := range []string{"\x1b", "\x07", "\u202e"} {
			if strings.Contains(m.View().Content, bad) {
				t.Errorf("%q goes out: %q", bad, m.View().Content)
			}
		}
	}
}
