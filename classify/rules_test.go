package classify

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
)

var addRules = flag.Bool("add-rules", false, "add new rules to testdata/rule-ids.txt")

// Every rule documents itself: explain, the JSON and the README are made of it.
func TestRulesAreComplete(t *testing.T) {
	slug := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
	seen := map[string]bool{}
	for _, r := range Rules() {
		if !slug.MatchString(r.ID) || seen[r.ID] {
			t.Errorf("%q is no new slug", r.ID)
		}
		seen[r.ID] = true
		for what, text := range map[string]string{"title": r.Title, "detect": r.Detect, "means": r.Means} {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: no %s", r.ID, what)
			}
		}
		if strings.HasSuffix(r.Title, ".") || len(r.Title) > 80 {
			t.Errorf("%s: title %q", r.ID, r.Title)
		}
		if r.Severity >= finding.Note && (r.Next == "" || r.Traps == "") {
			t.Errorf("%s: no next step, or no traps", r.ID)
		}
		if r.Severity == finding.Error && (r.Rank == 0 || len(r.References) == 0) {
			t.Errorf("%s: an error has a rank and references", r.ID)
		}
		if r.Severity == finding.OK && (r.Rank != 0 || r.Absence) {
			t.Errorf("%s: nothing is wrong, so it has no rank and claims no absence", r.ID)
		}
	}
}

// A threshold that a rule's text names exists.
func TestRulesNameThresholds(t *testing.T) {
	word := regexp.MustCompile(`\b[a-z]+(_[a-z0-9]+)+\b`)
	known := map[string]bool{}
	for _, x := range site.Table {
		known[x.Name] = true
	}
	// Facts of the findings and names of tools are written alike.
	other := []string{"failed_tests", "half_open", "if_filter", "rpc_mountd", "skb_load", "nf_conntrack_tftp", "net_dhcp"}
	named := 0
	for _, r := range Rules() {
		for _, w := range word.FindAllString(r.Detect, -1) {
			if known[w] {
				named++
			} else if !slices.Contains(other, w) {
				t.Errorf("%s: %q is no threshold", r.ID, w)
			}
		}
	}
	if named < 30 {
		t.Errorf("the rules name %d thresholds, want at least 30", named)
	}
}

// People put rule ids in tickets: none ever goes away.
func TestRuleIDsStay(t *testing.T) {
	const file = "testdata/rule-ids.txt"
	var ids []string
	for _, r := range Rules() {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	b, err := os.ReadFile(file)
	if err != nil && !*addRules {
		t.Fatal(err)
	}
	committed := strings.Fields(string(b))
	for _, id := range committed {
		if !slices.Contains(ids, id) {
			t.Errorf("%s is gone", id)
		}
	}
	if *addRules {
		if err := os.WriteFile(file, []byte(strings.Join(ids, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, id := range ids {
		if !slices.Contains(committed, id) {
			t.Errorf("%s is new: run the test with -add-rules", id)
		}
	}
}
