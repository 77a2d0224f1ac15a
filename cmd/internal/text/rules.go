package text

import (
	"fmt"
	"io"
	"strings"

	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
)

// Rules lists rules, one a line.
func Rules(w io.Writer, rules []*finding.Rule, s Style) error {
	rows := make([][]string, len(rules))
	for i, r := range rules {
		rows[i] = []string{r.ID, r.Ref, r.Severity.String(), r.Title}
	}
	_, err := io.WriteString(w, s.table([]string{"finding", "ref", "severity", "title"}, rows, 4))
	return err
}

// Rule writes the documentation of one rule.
func Rule(w io.Writer, r *finding.Rule, s Style) error {
	var b strings.Builder
	head := s.paint(bold, r.ID)
	if r.Ref != "" {
		head += "  " + r.Ref
	}
	fmt.Fprintf(&b, "%s  %s, %s\n%s\n\n", head, s.level(r.Severity.String()), r.Confidence, r.Title)
	for _, x := range []struct{ label, text string }{
		{"detect", r.Detect}, {"means", r.Means}, {"next", r.Next}, {"traps", r.Traps}, {"see", strings.Join(r.References, "; ")},
	} {
		if x.text != "" {
			s.block(&b, x.label, x.text)
		}
	}
	if r.Absence {
		s.block(&b, "gates", "It claims that something did not come, so it is lowered or taken back when the capture could not have shown it: one direction only, a capture filter, dropped packets, a step of the clock, the end of the capture.")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Thresholds lists the thresholds with their values and reasons.
func Thresholds(w io.Writer, t *site.Thresholds, s Style) error {
	rows := make([][]string, len(site.Table))
	for i, r := range site.Table {
		v, _ := t.Value(r.Name)
		rows[i] = []string{r.Name, fmt.Sprint(v), r.Symbol, r.Reason}
	}
	_, err := io.WriteString(w, s.table([]string{"threshold", "default", "symbol", "reason"}, rows, 4))
	return err
}

// RulesMarkdown writes rules as a Markdown table.
func RulesMarkdown(w io.Writer, rules []*finding.Rule) error {
	rows := make([][]string, len(rules))
	for i, r := range rules {
		rows[i] = []string{"`" + r.ID + "`", r.Ref, r.Severity.String(), r.Title}
	}
	return markdown(w, []string{"finding", "ref", "severity", "says"}, rows)
}
