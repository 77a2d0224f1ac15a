package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

func newExplain(s Streams) *cobra.Command {
	var look lookOptions
	var format string
	cmd := &cobra.Command{
		Use:   "explain [FINDING | thresholds]",
		Short: "what a finding means, how it is detected, what to check next",
		Long: `Prints the documentation of one finding by its id or its number in the field
catalogue (FM-05), of all findings as a list when none is named, or of the
thresholds that a site file can override.`,
		Example: `  pxescope explain
  pxescope explain tftp-no-answer
  pxescope explain thresholds`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			ids := []string{"thresholds\tgraces and counts of judgement"}
			for _, r := range classify.Rules() {
				ids = append(ids, r.ID+"\t"+r.Title)
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			out, style, err := look.open(s, "")
			if err != nil {
				return err
			}
			defer out.discard()
			rules := classify.Rules()
			switch {
			case len(args) == 0:
			case args[0] == "thresholds":
				t := site.DefaultThresholds()
				return done(out, text.Thresholds(out, &t, style))
			default:
				r, err := ruleNamed(rules, args[0])
				if err != nil {
					return err
				}
				rules = []*finding.Rule{r}
			}
			switch {
			case format == "json":
				return done(out, rulesJSON(out, rules))
			case format != "text":
				return usage("--format %q: choose text or json", format)
			case len(args) == 0:
				return done(out, text.Rules(out, rules, style))
			}
			return done(out, text.Rule(out, rules[0], style))
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "output `FORMAT`: text or json")
	cmd.Flags().StringVar(&look.color, "color", "auto", "colour `WHEN`: auto, always, never")
	complete(cmd, "format", "text", "json")
	return cmd
}

func ruleNamed(rules []*finding.Rule, name string) (*finding.Rule, error) {
	var near []string
	for _, r := range rules {
		if r.ID == name || r.Ref != "" && strings.EqualFold(r.Ref, name) {
			return r, nil
		}
		if strings.Contains(r.ID, name) || sharedWord(r.ID, name) {
			near = append(near, r.ID)
		}
	}
	e := &statusError{status: ExitUsage, err: fmt.Errorf("no finding %q", name), hint: "'pxescope explain' lists them all"}
	if len(near) > 0 {
		e.hint = "did you mean " + strings.Join(near[:min(3, len(near))], " or ") + "? " + e.hint
	}
	return nil, e
}

func sharedWord(id, name string) bool {
	words := strings.Split(id, "-")
	for _, w := range strings.Split(name, "-") {
		if len(w) > 2 && slices.Contains(words, w) {
			return true
		}
	}
	return false
}

// ruleJSON is a rule for programs.
type ruleJSON struct {
	ID         string   `json:"id"`
	Ref        string   `json:"ref"`
	Severity   string   `json:"severity"`
	Confidence string   `json:"confidence"`
	Absence    bool     `json:"absence"`
	RootCause  bool     `json:"root_cause"`
	Title      string   `json:"title"`
	Detect     string   `json:"detect"`
	Means      string   `json:"means"`
	Next       string   `json:"next"`
	Traps      string   `json:"traps"`
	References []string `json:"references"`
}

func rulesJSON(out *output, rules []*finding.Rule) error {
	list := make([]ruleJSON, len(rules))
	for i, r := range rules {
		list[i] = ruleJSON{r.ID, r.Ref, r.Severity.String(), r.Confidence.String(), r.Absence, r.Rank > 0,
			r.Title, r.Detect, r.Means, r.Next, r.Traps, r.References}
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(list)
}
