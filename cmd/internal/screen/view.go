package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

// View implements tea.Model.
func (m *Model) View() tea.View {
	v := tea.NewView(m.render())
	v.AltScreen = true
	v.WindowTitle = "pxescope live"
	return v
}

// render is the screen as text: as many lines as the terminal has, none longer
// than its columns.
func (m *Model) render() string {
	var lines []string
	switch {
	case m.page == pageHelp:
		lines = append([]string{m.opt.Style.Strong("pxescope live: keys")}, strings.Split(m.view.View(), "\n")...)
	case m.page == pageNode:
		lines = append([]string{m.header()[0]}, strings.Split(m.view.View(), "\n")...)
	default:
		lines = m.header()
		lines = append(lines, m.nodeTable()...)
		lines = append(lines, m.findingPane()...)
	}
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines[:m.height-1], m.footer())
	for i, l := range lines {
		lines[i] = strings.TrimRight(ansi.Truncate(l, m.width, "…"), " ")
	}
	return strings.Join(lines, "\n")
}

// header is the state of the capture, and what the network carries.
func (m *Model) header() []string {
	s := m.snap
	if s == nil {
		return []string{m.opt.Style.Strong("pxescope live"), "waiting for the first packets", ""}
	}
	st := m.opt.Style
	parts := []string{st.Strong("pxescope live")}
	for _, i := range s.Interfaces {
		t := text.Escape(i.Name)
		if i.State != "up" {
			t += " " + st.Warn(i.State)
		}
		parts = append(parts, t)
	}
	parts = append(parts, span(s.Now.Std().Sub(s.Since.Std())), text.Number(s.Packets)+" packets", fmt.Sprintf("%.0f/s", s.Rate), m.drops())
	if m.paused {
		parts = append(parts, st.Warn("PAUSED"))
	}
	second := []string{}
	for _, v := range m.busiest() {
		second = append(second, fmt.Sprintf("%s %.0f/s", v.ID, s.Rates[v.ID]))
	}
	if len(second) == 0 {
		second = append(second, "no packets of services in the last second")
	}
	third := "kernel filter: " + cmp.Or(s.Filter, "none, everything is looked at")
	if s.Writing != "" {
		third += "; writing " + s.Writing
	}
	third = st.Faint(text.Escape(third))
	if m.notice != "" {
		third = st.Strong(text.Escape(m.notice)) // the keys stay where they are
	}
	return []string{strings.Join(parts, "  "), st.Faint(strings.Join(second, "  ")), third}
}

// drops sums up what was lost.
func (m *Model) drops() string {
	var n uint64
	known := false
	for _, i := range m.snap.Interfaces {
		n += i.Dropped
		known = known || i.Known
	}
	switch {
	case n > 0:
		return m.opt.Style.Warn(text.Number(n) + " dropped")
	case !known:
		return "drops unknown"
	}
	return "0 dropped"
}

// busiest are the services with packets lately, the busiest first.
func (m *Model) busiest() []classify.ServiceCount {
	var list []classify.ServiceCount
	for _, v := range m.snap.Report.Services {
		if m.snap.Rates[v.ID] >= 0.5 {
			list = append(list, v)
		}
	}
	slices.SortStableFunc(list, func(a, b classify.ServiceCount) int { return cmp.Compare(m.snap.Rates[b.ID], m.snap.Rates[a.ID]) })
	return list
}

// nodeLines is how many nodes fit.
func (m *Model) nodeLines() int {
	const around = 3 + 2 + 1 + 1 // header, headings, the chosen verdict, footer
	return max(1, m.height-around-m.findingLines())
}

// findingLines is the height of the pane of findings with its heading: a third
// of the screen.
func (m *Model) findingLines() int { return max(3, m.height/3) }

// columns of the node table. On wide terminals the address and the machine are
// shown too.
func (m *Model) columns() (head string, cell func(r *row) string) {
	st := m.opt.Style
	wide := m.width >= 110
	line := func(name, addr, machine, stage, in, outcome, verdict string) string {
		t := column(name, 17) + " "
		if wide {
			t += column(addr, 15) + " " + column(machine, 16) + " "
		}
		return t + column(stage, 9) + " " + fmt.Sprintf("%6s", in) + "  " + column(outcome, 11) + " " + verdict
	}
	cell = func(r *row) string {
		n := r.node
		addr := ""
		if len(n.Addresses) > 0 && n.Addresses[len(n.Addresses)-1] != n.Name() {
			addr = n.Addresses[len(n.Addresses)-1]
		}
		return line(text.Escape(n.Name()), addr, text.Escape(cmp.Or(n.Hostname, n.Arch)), n.Stage, span(r.in), st.Severity(n.Outcome), text.Escape(short(n, wide)))
	}
	return st.Faint(line("NODE", "ADDRESS", "MACHINE", "STAGE", "FOR", "OUTCOME", "VERDICT")), cell
}

// short is the verdict without what stands in other columns; where there is
// little room, the finding's name for it.
func short(n *classify.Node, wide bool) string {
	v := n.Verdict
	if rest, ok := strings.CutPrefix(v, "stopped at "); ok && n.Outcome == "stopped" {
		_, why, _ := strings.Cut(rest, ": ")
		if v = n.RootCause; wide {
			v += ": " + why
		}
	}
	for _, p := range []string{"in progress: ", "no conclusion: "} {
		v = strings.TrimPrefix(v, p)
	}
	return v
}

// column pads or cuts text to a width.
func column(t string, width int) string {
	t = ansi.Truncate(t, width, "…")
	return t + strings.Repeat(" ", max(0, width-ansi.StringWidth(t)))
}

func (m *Model) nodeTable() []string {
	st := m.opt.Style
	title := "NODES"
	if m.snap != nil {
		by := make(map[string]int)
		for i := range m.snap.Report.Nodes {
			by[m.snap.Report.Nodes[i].Outcome]++
		}
		for _, o := range []string{"stopped", "in-progress", "unknown", "booted"} {
			if by[o] > 0 {
				title += fmt.Sprintf("  %d %s", by[o], st.Severity(o))
			}
		}
	}
	title += st.Faint("  " + orderNames[m.order])
	if m.search != "" || m.searching {
		title += "  /" + text.Escape(m.search)
		if m.searching {
			title += "_"
		}
		title += fmt.Sprintf(" (%d)", len(m.rows))
	}
	head, cell := m.columns()
	lines := []string{title, "  " + head}
	n := m.nodeLines()
	m.top = min(max(m.top, m.cursor-n+1), m.cursor, max(0, len(m.rows)-n))
	m.top = max(m.top, 0)
	for i := m.top; i < min(m.top+n, len(m.rows)); i++ {
		mark := "  "
		line := cell(&m.rows[i])
		if i == m.cursor {
			mark = "> "
			line = st.Strong(line)
		}
		lines = append(lines, mark+line)
	}
	if len(m.rows) == 0 {
		what := "no machine has asked for a network boot so far"
		if m.search != "" {
			what = "nothing matches"
		}
		lines = append(lines, "  "+what)
	}
	for len(lines) < n+2 {
		lines = append(lines, "")
	}
	if n := m.node(); n != nil {
		return append(lines, "  "+text.Escape(n.Verdict))
	}
	return append(lines, "")
}

// findingPane shows the findings that became true last, newest first.
func (m *Model) findingPane() []string {
	st := m.opt.Style
	lines := []string{"FINDINGS"}
	if m.snap == nil {
		return lines
	}
	by := make(map[string]int)
	var list []*classify.Finding
	for i := range m.snap.Report.Findings {
		f := &m.snap.Report.Findings[i]
		by[f.Severity]++
		if f.Severity != "ok" {
			list = append(list, f)
		}
	}
	for _, s := range []string{"error", "warning", "note"} {
		if by[s] > 0 {
			lines[0] += fmt.Sprintf("  %d %s", by[s], st.Severity(s))
		}
	}
	slices.SortStableFunc(list, func(a, b *classify.Finding) int { return cmp.Compare(b.Last, a.Last) })
	for _, f := range list[:min(len(list), m.findingLines()-1)] {
		who := cmp.Or(f.Node, "segment")
		if len(f.Nodes) > 0 {
			who = fmt.Sprintf("%d nodes", len(f.Nodes))
		}
		lines = append(lines, "  "+st.Faint(st.Clock(f.Last))+" "+column(st.Severity(f.Severity), 7)+" "+column(text.Escape(who), 17)+" "+
			text.Escape(f.ID)+": "+text.Escape(f.Summary))
	}
	if len(list) == 0 {
		lines = append(lines, "  none so far")
	}
	return lines
}

func (m *Model) footer() string {
	st := m.opt.Style
	switch {
	case m.notice != "" && (m.page != pageNodes || m.snap == nil):
		return st.Strong(text.Escape(m.notice))
	case m.searching:
		return st.Faint("type to search  enter keep  esc end")
	case m.page == pageNodes:
		return st.Faint("q quit  enter open  s sort  / search  p pause  w write packets  ? help")
	}
	return st.Faint("esc back  up/down scroll  p pause  w write packets  ? help")
}
