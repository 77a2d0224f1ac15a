package text

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pxescope/pxescope/bpf/counter"
)

// An Interval is what came between two looks at a counter.
type Interval struct {
	At     time.Time     // of the later one
	Length time.Duration // between them
	Phase  string        // services of this phase come first
}

// intervalRow has columns of fixed width, as vmstat's and sar's: rows are
// printed one interval after the other and read by awk.
const intervalRow = "%-8s  %-18s %11s %11s %10s %11s %11s\n"

// CountHead prints the columns of CountInterval.
func CountHead(w io.Writer, s Style) error {
	_, err := io.WriteString(w, s.paint(bold, strings.TrimSuffix(fmt.Sprintf(intervalRow, "TIME", "SERVICE", "PACKETS/S", "PACKETS", "BYTES", "IN", "OUT"), "\n"))+"\n")
	return err
}

// CountInterval prints a line for everything, and one for each service that
// had packets in the interval, most packets first.
func CountInterval(w io.Writer, before, now *counter.Totals, v Interval) error {
	type row struct {
		id, phase string
		counter.Count
	}
	list := func(t *counter.Totals) (rows []row) {
		for _, x := range t.Services {
			rows = append(rows, row{x.ID, x.Phase, x.Count})
		}
		return append(rows, row{string(counter.Other), "", t.Other}, row{string(counter.Fragments), "", t.Fragments},
			row{string(counter.Undecodable), "", t.Undecodable}, row{string(counter.Filtered), "", t.Filtered})
	}
	old := map[string]counter.Count{}
	for _, r := range list(before) {
		old[r.id] = r.Count
	}
	var rows []row
	for _, r := range list(now) {
		if r.Count = r.Since(old[r.id]); r.Packets > 0 {
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		first := func(r row) int {
			switch {
			case r.id == string(counter.Filtered):
				return 2
			case r.phase == v.Phase:
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(first(a), first(b)), cmp.Compare(b.Packets, a.Packets))
	})
	rows = slices.Insert(rows, 0, row{id: "total", Count: now.Since(before.Count)})
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, intervalRow, v.At.Format(time.TimeOnly), r.id, rate(r.Packets, v.Length), count(r.Packets), Size(int64(r.Bytes)),
			count(r.InPackets), count(r.OutPackets))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// rate is packets per second, with one digit behind the point where that says
// something.
func rate(n uint64, d time.Duration) string {
	if d <= 0 {
		return "-"
	}
	r := float64(n) / d.Seconds()
	if r > 0 && r < 10 {
		return fmt.Sprintf("%.1f", r)
	}
	return count(uint64(r + 0.5))
}
