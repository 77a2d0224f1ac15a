package text

import (
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/pxescope/pxescope/bpf/counter"
)

func counted(n uint64) *counter.Totals {
	c := func(k uint64) counter.Count {
		return counter.Count{Packets: k * n, Bytes: 100 * k * n, InPackets: k * n, InBytes: 100 * k * n}
	}
	return &counter.Totals{
		Hook: counter.TCX, Egress: true, Count: c(9), Filter: "not port 22", Filtered: c(4), Other: c(1),
		Services: []counter.ServiceCount{{ID: "ssh", Phase: "day2", Count: c(5)}, {ID: "maas-http-boot", Phase: "provisioning", Count: c(3)}},
		Learnt:   []counter.LearntPort{{Proto: "udp", Port: 40123, Service: "rpc-mount", Server: "10.0.0.2"}},
	}
}

// On a terminal no line is wider than it, whatever is counted; what is needed
// most stays longest, and services of the phase come first.
func TestCountWidth(t *testing.T) {
	recent := make([]uint64, 20)
	for i := range recent {
		recent[i] = uint64(i)
	}
	v := CountView{Phase: "provisioning", Past: time.Minute, Rates: map[string]float64{"ssh": 1234567}, Recent: map[string][]uint64{"ssh": recent, "other": recent[:3]}}
	for _, c := range []struct {
		n    uint64
		cols int
		want string // of the columns' names
	}{
		{1, 0, "SERVICE PHASE PACKETS/S PACKETS BYTES SHARE IN OUT RECENT"},
		{1, 120, "SERVICE PHASE PACKETS/S PACKETS BYTES SHARE IN OUT RECENT"},
		{1, 80, "SERVICE PHASE PACKETS/S PACKETS BYTES SHARE IN OUT RECENT"},
		{1_000_000, 80, "SERVICE PACKETS/S PACKETS BYTES SHARE IN OUT"},
		{1_000_000_000, 80, "SERVICE PACKETS/S PACKETS BYTES SHARE IN OUT"},
		{1_000_000_000, 60, "SERVICE PACKETS/S PACKETS BYTES SHARE"},
		{1_000_000_000, 52, "SERVICE PACKETS/S PACKETS SHARE"},
	} {
		var b strings.Builder
		v.Cols = c.cols
		x := counted(c.n)
		if err := Counts(&b, x, v, Style{}); err != nil {
			t.Fatal(err)
		}
		_, table, _ := strings.Cut(b.String(), "\n\n")
		lines := strings.Split(strings.TrimSpace(table), "\n")
		if got := strings.Join(strings.Fields(lines[0]), " "); got != c.want {
			t.Errorf("%d in %d columns: got %s, want %s", c.n, c.cols, got, c.want)
		}
		for _, l := range lines {
			if w := lipgloss.Width(l); c.cols > 0 && w > c.cols {
				t.Errorf("%d columns: got %d: %s", c.cols, w, l)
			}
		}
		if !strings.HasPrefix(lines[1], "maas-http-boot") || !strings.HasPrefix(lines[2], "ssh") || !strings.HasPrefix(lines[3], "other") {
			t.Errorf("got the order\n%s", table)
		}
	}
}

// What a filter left out and what was learnt is said.
func TestCountNotes(t *testing.T) {
	var b strings.Builder
	if err := Counts(&b, counted(1), CountView{}, Style{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"filter not port 22: left out 4 of 13 packets\n", "learnt from portmap: udp/40123 rpc-mount\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got no %q in\n%s", want, b.String())
		}
	}
}

// An interval has what came in it and nothing else, in columns that stay where
// they are.
func TestCountInterval(t *testing.T) {
	var b strings.Builder
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	before, now := counted(10), counted(12)
	now.Services[0].Count = before.Services[0].Count // ssh was silent
	if err := CountHead(&b, Style{}); err != nil {
		t.Fatal(err)
	}
	if err := CountInterval(&b, before, now, Interval{At: at, Length: 2 * time.Second, Phase: "provisioning"}); err != nil {
		t.Fatal(err)
	}
	const want = `TIME      SERVICE              PACKETS/S     PACKETS      BYTES          IN         OUT
03:04:05  total                      9.0          18    1.8 KiB          18           0
03:04:05  maas-http-boot             3.0           6      600 B           6           0
03:04:05  other                      1.0           2      200 B           2           0
03:04:05  filtered                   4.0           8      800 B           8           0
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
