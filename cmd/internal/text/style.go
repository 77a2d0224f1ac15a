// Package text renders a report, the catalog and the rules for people at a
// terminal. It computes nothing: what it prints is in the values it is given.
//
// The rules of the look: a verdict before its reasons, the worst first, one
// idea a line, nothing that only colour tells. Strings from packets pass
// through Escape.
package text

import (
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// A Style says how text looks.
type Style struct {
	Color   bool
	UTC     bool
	Quiet   bool // verdicts and findings only
	Verbose int  // 1: timelines and all facts; 2: positive findings in full
	Width   int  // columns, 0: 100
}

func (s Style) width() int {
	if s.Width <= 0 {
		return 100
	}
	return max(s.Width, 40)
}

func (s Style) paint(st lipgloss.Style, text string) string {
	if !s.Color {
		return text
	}
	return st.Render(text)
}

var (
	bold   = lipgloss.NewStyle().Bold(true)
	dim    = lipgloss.NewStyle().Faint(true)
	red    = lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true)
	yellow = lipgloss.NewStyle().Foreground(lipgloss.Yellow).Bold(true)
	blue   = lipgloss.NewStyle().Foreground(lipgloss.Blue)
	green  = lipgloss.NewStyle().Foreground(lipgloss.Green).Bold(true)
)

// levels paints what is worse redder; the words themselves stay.
var levels = map[string]lipgloss.Style{
	"error": red, "warning": yellow, "note": blue, "ok": green,
	"stopped": red, "in-progress": yellow, "unknown": yellow, "booted": green,
	"unanswered": red, "refused": red, "open": yellow, "answered": green,
	"withdrawn": dim, "gone": dim,
}

func (s Style) level(word string) string { return s.paint(levels[word], word) }

// indent is the column where the text under a heading word starts.
const indent = 9

// block writes text wrapped to the width, its lines indented, first after a
// label that stands in the indentation.
func (s Style) block(b *strings.Builder, label, text string) {
	pad := strings.Repeat(" ", indent)
	for i, line := range strings.Split(ansi.Wrap(text, s.width()-indent, ""), "\n") {
		switch {
		case i > 0 || label == "":
			b.WriteString(pad)
		default:
			b.WriteString(label)
			b.WriteString(strings.Repeat(" ", max(1, indent-ansi.StringWidth(label))))
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
}
