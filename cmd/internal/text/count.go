package text

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/pxescope/pxescope/bpf/counter"
)

// CountView is what Counts prints beside the totals.
type CountView struct {
	Phase  string        // services of this phase come first
	Past   time.Duration // since counting began
	Rates  map[string]float64
	Recent map[string][]uint64 // packets in each of the last intervals, the latest last
	Cols   int                 // of the terminal: columns are left out that it has no room for; 0: all
}

// Counts prints what the kernel counted, by service and by port.
func Counts(w io.Writer, t *counter.Totals, v CountView, s Style) error {
	var b strings.Builder
	var names []string
	for _, i := range t.Interfaces {
		names = append(names, Escape(i.Name))
	}
	what := "received and sent"
	if !t.Egress {
		what = "received only: " + string(t.Hook) + " does not see what is sent"
	}
	fmt.Fprintf(&b, "%s  %s, %s, %s; %s packets, %s\n", s.paint(bold, strings.Join(names, ", ")), t.Hook, what,
		v.Past.Round(time.Second), count(t.Packets), Size(int64(t.Bytes)))
	notes(&b, t)
	b.WriteByte('\n')
	b.WriteString(s.countTable(t, v))
	if len(t.Ports) > 0 {
		rows := make([][]string, 0, len(t.Ports))
		for _, p := range t.Ports {
			port := p.Proto + "/" + strconv.Itoa(int(p.Port))
			if p.Last != 0 {
				port += "-" + strconv.Itoa(int(p.Last))
			}
			rows = append(rows, []string{port, p.Service, count(p.Packets), Size(int64(p.Bytes))})
		}
		b.WriteByte('\n')
		b.WriteString(s.table([]string{"PORT", "SERVICE", "PACKETS", "BYTES"}, rows, 2))
	}
	if len(t.Interfaces) > 1 {
		var rows [][]string
		for _, i := range t.Interfaces {
			rows = append(rows, []string{Escape(i.Name), count(i.Packets), Size(int64(i.Bytes)), count(i.InPackets), count(i.OutPackets)})
		}
		b.WriteByte('\n')
		b.WriteString(s.table([]string{"INTERFACE", "PACKETS", "BYTES", "IN", "OUT"}, rows, 1))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// notes tells what was left out and learnt.
func notes(b *strings.Builder, t *counter.Totals) {
	if t.Filter != "" {
		fmt.Fprintf(b, "filter %s: left out %s of %s packets\n", Escape(clip(t.Filter, 60)), count(t.Filtered.Packets), count(t.Filtered.Packets+t.Packets))
	}
	if len(t.Learnt) == 0 {
		return
	}
	var list []string
	for _, p := range t.Learnt {
		list = append(list, fmt.Sprintf("%s/%d %s", p.Proto, p.Port, p.Service))
	}
	fmt.Fprintf(b, "learnt from portmap: %s\n", strings.Join(list, ", "))
}

// clip shortens a text to n characters.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-3]) + "..."
	}
	return s
}

// countTable is the table of services. What a narrow terminal has no room for
// goes, the least needed first.
func (s Style) countTable(t *counter.Totals, v CountView) string {
	head, rows := countHead(v), countRows(t, v)
	for _, least := range []string{"", "RECENT", "PHASE", "OUT", "IN", "BYTES"} {
		if i := slices.Index(head, least); i >= 0 {
			head = slices.Delete(head, i, i+1)
			for r := range rows {
				rows[r] = slices.Delete(rows[r], i, i+1)
			}
		}
		left := 1
		if slices.Contains(head, "PHASE") {
			left = 2
		}
		out := s.table(head, rows, left)
		if v.Cols <= 0 || lipgloss.Width(out) <= v.Cols {
			return out
		}
		// Older intervals before the column.
		if n := v.Cols - (lipgloss.Width(out) - recentWidth(rows)); least == "" && v.Recent != nil && n >= 6 {
			last := len(head) - 1
			for r := range rows {
				bars := []rune(rows[r][last])
				rows[r][last] = string(bars[max(0, len(bars)-n):])
			}
			return s.table(head, rows, left)
		}
	}
	return s.table(head, rows, 1)
}

// recentWidth is the width of the last column.
func recentWidth(rows [][]string) (most int) {
	for _, r := range rows {
		most = max(most, lipgloss.Width(r[len(r)-1]))
	}
	return most
}

func countHead(v CountView) []string {
	head := []string{"SERVICE", "PHASE"}
	if v.Rates != nil {
		head = append(head, "PACKETS/S")
	}
	head = append(head, "PACKETS", "BYTES", "SHARE", "IN", "OUT")
	if v.Recent != nil {
		head = append(head, "RECENT")
	}
	return head
}

func countRows(t *counter.Totals, v CountView) (rows [][]string) {
	add := func(id, phase string, c counter.Count) {
		row := []string{id, phase}
		if v.Rates != nil {
			row = append(row, count(uint64(v.Rates[id]+0.5)))
		}
		share := 0.0
		if t.Packets > 0 {
			share = 100 * float64(c.Packets) / float64(t.Packets)
		}
		row = append(row, count(c.Packets), Size(int64(c.Bytes)), fmt.Sprintf("%.1f %%", share), count(c.InPackets), count(c.OutPackets))
		if v.Recent != nil {
			row = append(row, spark(v.Recent[id]))
		}
		rows = append(rows, row)
	}
	services := slices.Clone(t.Services)
	slices.SortStableFunc(services, func(a, b counter.ServiceCount) int {
		switch first, second := a.Phase == v.Phase, b.Phase == v.Phase; {
		case first == second:
			return 0
		case first:
			return -1
		}
		return 1
	})
	for _, x := range services {
		add(x.ID, x.Phase, x.Count)
	}
	for _, x := range []struct {
		name string
		c    counter.Count
	}{{string(counter.Other), t.Other}, {string(counter.Fragments), t.Fragments}, {string(counter.Undecodable), t.Undecodable}} {
		if x.c.Packets > 0 || x.name == string(counter.Other) {
			add(x.name, "", x.c)
		}
	}
	return rows
}

// spark draws numbers as bars, the largest full.
func spark(n []uint64) string {
	if len(n) == 0 {
		return ""
	}
	bars := []rune("▁▂▃▄▅▆▇█")
	most := max(slices.Max(n), 1)
	var b strings.Builder
	for _, x := range n {
		b.WriteRune(bars[int(x*uint64(len(bars)-1)/most)])
	}
	return b.String()
}

// Comparison prints one capture counted twice.
func Comparison(w io.Writer, c *counter.Comparison, s Style) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s frames counted in the kernel and in Go", count(c.Frames))
	if c.LeftOut > 0 {
		fmt.Fprintf(&b, "; %s left out: not Ethernet, or too short for a test run", count(c.LeftOut))
	}
	b.WriteByte('\n')
	notes(&b, c.Kernel)
	b.WriteByte('\n')
	inGo := map[string]counter.Count{
		string(counter.Other): c.Go.Other, string(counter.Fragments): c.Go.Fragments, string(counter.Undecodable): c.Go.Undecodable,
		string(counter.Filtered): c.Go.Filtered,
	}
	phases := map[string]string{}
	var ids []string
	for _, list := range [][]counter.ServiceCount{c.Kernel.Services, c.Go.Services} {
		for _, x := range list {
			if _, ok := phases[x.ID]; !ok {
				phases[x.ID] = x.Phase
				ids = append(ids, x.ID)
			}
		}
	}
	inKernel := map[string]counter.Count{
		string(counter.Other): c.Kernel.Other, string(counter.Fragments): c.Kernel.Fragments, string(counter.Undecodable): c.Kernel.Undecodable,
		string(counter.Filtered): c.Kernel.Filtered,
	}
	for _, x := range c.Kernel.Services {
		inKernel[x.ID] = x.Count
	}
	for _, x := range c.Go.Services {
		inGo[x.ID] = x.Count
	}
	var rows [][]string
	ids = append(ids, string(counter.Other), string(counter.Fragments), string(counter.Undecodable))
	if c.Kernel.Filter != "" {
		ids = append(ids, string(counter.Filtered))
	}
	for _, id := range ids {
		k, g := inKernel[id], inGo[id]
		note := "equal"
		if k != g {
			note = s.paint(red, "DIFFERENT")
		}
		rows = append(rows, []string{id, phases[id], note, count(k.Packets), count(g.Packets), count(k.Bytes), count(g.Bytes)})
	}
	b.WriteString(s.table([]string{"SERVICE", "PHASE", "", "KERNEL PACKETS", "GO PACKETS", "KERNEL BYTES", "GO BYTES"}, rows, 3))
	for _, d := range c.Differing {
		fmt.Fprintf(&b, "frame %d: kernel %s, Go %s\n", d.Frame, d.Kernel, d.Go)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
