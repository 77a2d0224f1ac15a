package text

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/track"
)

// An Event is one thing that became true while packets came: a line of its own
// on a terminal.
type Event struct {
	Time  classify.Time
	Node  string // MAC or address
	Stage string
	Level string // an outcome or severity word
	What  string // may hold strings of packets; Events escapes it
}

// OfExchange tells of a request that was decided.
func OfExchange(x *track.Exchange) Event {
	e := Event{Time: classify.Time(x.Last), Node: x.Client.MAC.String(), Stage: x.Stage.String(), Level: x.Outcome.String()}
	if x.Lease != nil && !x.Lease.MAC.IsZero() {
		e.Node = x.Lease.MAC.String() // behind a relay
	}
	if e.Node == "" {
		e.Node = x.Client.Addr.String()
	}
	what := x.Op
	if x.Subject != "" {
		what += fmt.Sprintf(" %q", x.Subject)
	}
	if a := x.Server.Addr.String(); a != "" {
		what += " from " + a
	}
	switch {
	case x.Outcome == track.Unanswered && x.Overdue > 0 && x.Overdue < x.Tries:
		what += fmt.Sprintf(", %d of %d tries overdue", x.Overdue, x.Tries)
	case x.Tries > 1:
		what += fmt.Sprintf(", %d tries", x.Tries)
	}
	if x.Bytes > 0 && !strings.Contains(x.Detail, Size(x.Bytes)) {
		what += ", " + Size(x.Bytes)
	}
	for _, t := range []string{x.Reason, x.Detail} {
		if t != "" {
			what += ", " + t
		}
	}
	e.What = what
	return e
}

// OfFinding tells of a finding that is new, different, or taken back.
func OfFinding(n *classify.FindingNews) Event {
	e := Event{Time: n.Last, Node: n.Node, Stage: "finding", Level: n.Severity, What: n.ID + ": " + n.Summary}
	switch {
	case len(n.Nodes) > 0:
		e.Node = fmt.Sprintf("%d nodes", len(n.Nodes))
	case e.Node == "":
		e.Node = "segment"
	}
	if n.Withdrawn {
		e.Level, e.What = "withdrawn", n.ID+" does not stand any more: "+n.Summary
	}
	return e
}

// OfNode tells of a node whose verdict turned.
func OfNode(n *classify.NodeNews) Event {
	e := Event{Time: n.At, Node: n.Name(), Stage: n.Stage, Level: n.Outcome}
	switch {
	case n.Gone:
		e.Level, e.What = "gone", "not followed any more: the table of nodes is full, or it is known under another name now"
	case n.RootCause != "":
		e.What = "verdict: " + n.RootCause
	default:
		e.What = "verdict: " + n.Verdict
	}
	if n.NextExpected != "" && n.Outcome == "stopped" {
		e.What += "; missing: " + n.NextExpected
	}
	return e
}

// Columns of an event line: time, node and stage and level side by side, the
// rest wrapped behind them.
const (
	nodeColumn  = 17 // a MAC
	stageColumn = 9
	levelColumn = 11
	eventIndent = 12 + 1 + nodeColumn + 1 + stageColumn + 1 + levelColumn + 1
)

// Line is e as a line or, wrapped to the columns of a terminal, several. Where
// there is no terminal it is one, for grep and logs.
func (e *Event) Line(s Style) string {
	p := printer{Style: s}
	head := p.paint(dim, p.clock(e.Time)) + " " + pad(Escape(e.Node), nodeColumn) + " " + pad(e.Stage, stageColumn) + " " +
		pad(p.level(e.Level), levelColumn) + " "
	if s.Width <= 0 {
		return head + Escape(e.What) + "\n"
	}
	width := s.width() - eventIndent
	if width < 30 { // a narrow terminal: the text on lines of its own
		return strings.TrimRight(head, " ") + "\n" + indented(ansi.Wrap(Escape(e.What), s.width()-4, ""), 4) + "\n"
	}
	text := indented(ansi.Wrap(Escape(e.What), width, ""), eventIndent)
	return head + strings.TrimLeft(text, " ") + "\n"
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}

func indented(text string, by int) string {
	margin := strings.Repeat(" ", by)
	return margin + strings.ReplaceAll(text, "\n", "\n"+margin)
}

// EventHead names the columns and the zone of the times.
func EventHead(at classify.Time, s Style) string {
	p := printer{Style: s}
	return p.paint(dim, pad(p.at(at).Format("MST"), 12)+" "+pad("NODE", nodeColumn)+" "+pad("STAGE", stageColumn)+" "+pad("OUTCOME", levelColumn)+" WHAT") + "\n"
}
