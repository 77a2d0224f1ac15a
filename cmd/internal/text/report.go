package text

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/pxescope/pxescope/classify"
)

// Report writes the whole report: verdicts, findings, services, quality.
func Report(w io.Writer, r *classify.Report, s Style) error {
	var b strings.Builder
	p := &printer{Style: s, Builder: &b, r: r}
	p.captures()
	p.nodes()
	p.findings()
	if !s.Quiet {
		p.services()
		p.quality()
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type printer struct {
	Style
	*strings.Builder
	r *classify.Report
}

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

func (p *printer) title(format string, args ...any) {
	p.line("\n%s", p.paint(bold, fmt.Sprintf(format, args...)))
}

func (p *printer) captures() {
	for _, c := range p.r.Captures {
		name, empty := Escape(c.File), Escape(c.Format)+", no packets"
		if c.Format == "live" {
			name, empty = "live on "+Escape(strings.Join(c.Interfaces, ", ")), "no packets"
		}
		if c.Packets == 0 {
			p.line("%s: %s", name, empty)
			continue
		}
		p.line("%s: %s %s, %s to %s (%v)", name, count(c.Packets), plural(c.Packets, "packet"),
			p.stamp(c.First), p.clock(c.Last), c.Last.Std().Sub(c.First.Std()).Round(time.Millisecond))
	}
}

func (p *printer) nodes() {
	by := make(map[string]int)
	for _, n := range p.r.Nodes {
		by[n.Outcome]++
	}
	var parts []string
	for _, o := range []string{"stopped", "in-progress", "unknown", "booted"} {
		if by[o] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", by[o], p.level(o)))
		}
	}
	if len(parts) == 0 {
		p.title("NODES: no machine asked for a network boot in this capture")
		return
	}
	p.title("NODES: %s", strings.Join(parts, ", "))
	for i := range p.r.Nodes {
		p.node(&p.r.Nodes[i])
	}
}

func (p *printer) node(n *classify.Node) {
	who := []string{p.paint(bold, Escape(n.Name()))}
	for _, a := range n.Addresses {
		if a != n.Name() {
			who = append(who, a)
		}
	}
	for _, x := range []string{n.Hostname, n.Arch, n.Vendor} {
		if x != "" {
			who = append(who, Escape(x))
		}
	}
	for _, v := range n.VLAN {
		who = append(who, fmt.Sprintf("VLAN %d", v))
	}
	p.line("")
	p.label(n.Outcome, strings.Join(who, "  "))
	p.block(p.Builder, "", Escape(n.Verdict))
	proof := p.path(n)
	if len(n.Frames) > 0 {
		proof += "   " + p.proof(n.File, n.Frames, nil)
	}
	if n.RootCause != "" {
		proof += "   " + n.RootCause
	}
	p.block(p.Builder, "", p.paint(dim, proof))
	if n.NextExpected != "" && n.Outcome != "booted" {
		p.block(p.Builder, "", "missing: "+Escape(n.NextExpected))
	}
	if p.Verbose > 0 {
		for i := range n.Timeline {
			p.step(&n.Timeline[i])
		}
	}
}

// label writes an outcome or severity word and a first line beside it. The
// words are at most 11 letters; longer ones than the indentation push the
// line on.
func (p *printer) label(word, text string) { p.block(p.Builder, p.level(word), text) }

// path is the way of the boot in one line: dhcp ok > tftp failed.
func (p *printer) path(n *classify.Node) string {
	type leg struct{ stage, outcome string }
	var legs []leg
	for _, s := range n.Timeline {
		if s.Stage == "unknown" || s.Op == "ARP" {
			continue
		}
		o := "ok"
		switch s.Outcome {
		case "unanswered", "refused":
			o = "failed"
		case "open":
			o = "open"
		}
		if k := len(legs) - 1; k >= 0 && legs[k].stage == s.Stage {
			legs[k].outcome = o
			continue
		}
		legs = append(legs, leg{s.Stage, o})
	}
	if len(legs) > 8 {
		legs = append(legs[:4:4], legs[len(legs)-4:]...)
	}
	out := make([]string, len(legs))
	for i, l := range legs {
		out[i] = l.stage + " " + l.outcome
	}
	return strings.Join(out, " > ")
}

func (p *printer) step(s *classify.Step) {
	text := fmt.Sprintf("%s %-9s %s %s", p.clock(s.First), s.Stage, s.Op, p.level(s.Outcome))
	if s.Subject != "" {
		text += fmt.Sprintf(" %q", s.Subject)
	}
	if s.Server != "" {
		text += " from " + s.Server
	}
	if s.Tries > 1 {
		text += fmt.Sprintf(", %d tries", s.Tries)
	}
	if s.Bytes > 0 && !strings.Contains(s.Detail, Size(s.Bytes)) {
		text += ", " + Size(s.Bytes)
	}
	if s.Detail != "" {
		text += ", " + Escape(s.Detail)
	}
	if len(s.Frames) > 0 {
		text += p.paint(dim, "  "+p.proof(s.File, s.Frames, nil))
	}
	p.block(p.Builder, "", text)
}

func (p *printer) findings() {
	shown := 0
	var fine []string
	for i := range p.r.Findings {
		f := &p.r.Findings[i]
		if f.Severity == "ok" && p.Verbose < 2 {
			if !slices.Contains(fine, f.ID) {
				fine = append(fine, f.ID)
			}
			continue
		}
		if shown == 0 {
			p.title("FINDINGS")
		}
		shown++
		p.finding(f)
	}
	if shown == 0 {
		p.title("FINDINGS: none")
	}
	if len(fine) > 0 {
		p.line("")
		p.label("ok", "normal, explained: "+strings.Join(fine, ", "))
	}
}

func (p *printer) finding(f *classify.Finding) {
	head := p.paint(bold, f.ID)
	switch {
	case f.Node != "":
		head += "  " + Escape(f.Node)
	case len(f.Nodes) > 0:
		head += fmt.Sprintf("  %d nodes", len(f.Nodes))
	}
	if f.Server != "" {
		head += "  server " + Escape(f.Server)
	}
	if f.VLAN != 0 {
		head += fmt.Sprintf("  VLAN %d", f.VLAN)
	}
	p.line("")
	p.label(f.Severity, head)
	p.block(p.Builder, "", Escape(f.Title)+": "+Escape(f.Summary))
	proof := fmt.Sprintf("%s, %s to %s", f.Confidence, p.clock(f.First), p.clock(f.Last))
	if len(f.Frames) > 0 {
		proof += ", " + p.proof(f.File, f.Frames, f.Files)
	}
	if len(f.LoweredBy) > 0 {
		proof += ", lowered by " + strings.Join(f.LoweredBy, ", ")
	}
	p.block(p.Builder, "", p.paint(dim, proof))
	if len(f.Nodes) > 0 {
		p.block(p.Builder, "", "nodes: "+someNodes(f.Nodes))
	}
	told := p.toldAbove(f)
	if p.Verbose > 0 || f.Severity == "error" && !told {
		if t := facts(f.Facts, p.Verbose > 0); t != "" {
			p.block(p.Builder, "", p.paint(dim, t))
		}
	}
	if f.Severity != "ok" && !told {
		p.block(p.Builder, "", "next: "+Escape(f.Next))
	}
}

// someNodes lists nodes as far as anybody reads them.
func someNodes(nodes []string) string {
	const most = 8
	if len(nodes) <= most+1 { // "and 1 more" is no shorter
		return Escape(strings.Join(nodes, " "))
	}
	return fmt.Sprintf("%s and %s more (the JSON has all)", Escape(strings.Join(nodes[:most], " ")), count(uint64(len(nodes)-most)))
}

// toldAbove reports whether an earlier finding about the same server says what
// to do: the nodes that a rogue serves follow the rogue itself.
func (p *printer) toldAbove(f *classify.Finding) bool {
	for i := range p.r.Findings {
		g := &p.r.Findings[i]
		if g == f {
			return false
		}
		if g.ID == f.ID && g.Server == f.Server && g.Next == f.Next && g.Severity == f.Severity {
			return true
		}
	}
	return false
}

// facts lists the evidence; how a score came about only when all is asked for.
func facts(list classify.Facts, all bool) string {
	var out []string
	for _, f := range list {
		if f.Key == "score_parts" && !all {
			continue
		}
		v := fmt.Sprint(f.Value)
		switch x := f.Value.(type) {
		case string:
			if x == "" {
				continue
			}
			v = Escape(x)
			if strings.ContainsAny(x, " ,;=") {
				v = fmt.Sprintf("%q", x)
			}
		case []string:
			if len(x) == 0 {
				continue
			}
			v = Escape(strings.Join(x, " "))
		case float64:
			v = fmt.Sprintf("%.3g", x)
		}
		out = append(out, f.Key+"="+v)
	}
	return strings.Join(out, "; ")
}

func (p *printer) services() {
	if len(p.r.Services) == 0 {
		return
	}
	p.title("SERVICES SEEN")
	rows := make([][]string, len(p.r.Services))
	for i, v := range p.r.Services {
		rows[i] = []string{v.ID, v.Phase, count(v.Packets), Size(int64(v.Bytes)), count(v.ToServer), count(v.FromServer)}
	}
	p.WriteString(p.table([]string{"service", "phase", "packets", "bytes", "to server", "from server"}, rows, 2))
	if n := p.r.Site.Unclassified; n > 0 {
		p.line("%s %s of no service in the catalog", count(n), plural(n, "packet"))
	}
	if !p.r.Site.Told && len(p.r.Site.DHCPServers) > 0 {
		p.line("%s", ansi.Wrap(fmt.Sprintf("roles inferred from who answered: DHCP %s%s",
			strings.Join(p.r.Site.DHCPServers, ", "), bootServers(p.r.Site.BootServers)), p.width(), ""))
	}
}

func bootServers(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "; boot files " + strings.Join(list, ", ")
}

func (p *printer) quality() {
	if len(p.r.Quality) == 0 {
		p.title("CAPTURE QUALITY: nothing that weakens a conclusion")
		return
	}
	p.title("CAPTURE QUALITY")
	for _, q := range p.r.Quality {
		text := q.Gate + ": " + Escape(q.Detail)
		if len(q.Affects) > 0 {
			text += " (affects " + strings.Join(q.Affects, ", ") + ")"
		}
		p.label(q.Severity, text)
	}
}

// stamp is date and time, clock the time alone.
func (p *printer) stamp(t classify.Time) string { return p.at(t).Format("2006-01-02 15:04:05 MST") }

func (p *printer) clock(t classify.Time) string { return p.at(t).Format("15:04:05.000") }

func (p *printer) at(t classify.Time) time.Time {
	if p.UTC {
		return t.Std()
	}
	return t.Std().Local()
}

// proof is the frames with their word.
func (p *printer) proof(file int, frames []uint64, files []int) string {
	return plural(uint64(len(frames)), "frame") + " " + p.frames(file, frames, files)
}

// frames compresses frame numbers to ranges; with several captures each run
// names its file.
func (p *printer) frames(file int, frames []uint64, files []int) string {
	var b strings.Builder
	last := -1
	for i := 0; i < len(frames); {
		f := file
		if files != nil {
			f = files[i]
		}
		j := i
		for j+1 < len(frames) && frames[j+1] == frames[j]+1 && (files == nil || files[j+1] == f) {
			j++
		}
		if i > 0 {
			b.WriteString(", ")
		}
		if f != last && len(p.r.Captures) > 1 && f < len(p.r.Captures) {
			fmt.Fprintf(&b, "%s:", Escape(p.r.Captures[f].File))
		}
		last = f
		if j > i {
			fmt.Fprintf(&b, "%d-%d", frames[i], frames[j])
		} else {
			fmt.Fprintf(&b, "%d", frames[i])
		}
		i = j + 1
	}
	return b.String()
}
