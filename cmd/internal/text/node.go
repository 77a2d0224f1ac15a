package text

import (
	"slices"
	"strings"

	"github.com/pxescope/pxescope/classify"
)

// NodePage is everything about one node: its verdict, its timeline, and the
// findings that name it, those of several nodes included.
func NodePage(r *classify.Report, n *classify.Node, s Style) string {
	var b strings.Builder
	s.Verbose = max(s.Verbose, 1)
	p := &printer{Style: s, Builder: &b, r: r}
	p.node(n)
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Node == n.Name() || slices.Contains(f.Nodes, n.Name()) {
			p.finding(f)
		}
	}
	return strings.TrimPrefix(b.String(), "\n")
}

// Severity paints a severity, a node's outcome or an exchange's.
func (s Style) Severity(word string) string { return s.level(word) }

// Strong and Faint paint text, where there is colour.
func (s Style) Strong(text string) string { return s.paint(bold, text) }

// Faint is for what is beside the point.
func (s Style) Faint(text string) string { return s.paint(dim, text) }

// Number groups the digits of n by thousands.
func Number(n uint64) string { return count(n) }

// Clock is a time of day with milliseconds, in the zone of the style.
func (s Style) Clock(t classify.Time) string { return (&printer{Style: s}).clock(t) }

// Warn is for what is not as it should be.
func (s Style) Warn(text string) string { return s.paint(yellow, text) }
