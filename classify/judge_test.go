package classify

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/classify/track/tracktest"
)

var updateFindings = flag.Bool("update", false, "write testdata/corpus-findings.txt anew")

const findingsHeader = `# What is said against somebody in real captures: findings of severity error and
# warning, and nodes that are called stopped with their root cause. Each line was
# looked at packet by packet; a change of a rule that adds or removes one is to be
# looked at likewise before go test ./classify -run Accusations -update. Behind the
# second # stands what was seen; "wrong" marks what should go.
`

// TestAccusations holds every accusation in other people's captures against
// the list of those that were looked at: a false accusation is worse than
// silence, and silence about a fault that was found before is a loss.
func TestAccusations(t *testing.T) {
	var got []string
	tracktest.Corpus(t, func(name, path string, _ []byte) {
		if r := analyzeFile(t, path); r != nil {
			for _, line := range accusations(r) {
				got = append(got, name+": "+line)
			}
		}
	})
	path := filepath.Join("testdata", "corpus-findings.txt")
	old, err := os.ReadFile(path)
	if err != nil && !*updateFindings {
		t.Fatal(err)
	}
	var want []string
	notes := make(map[string]string)
	for line := range strings.Lines(string(old)) {
		line, note, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " # ")
		if strings.HasPrefix(line, "#") {
			continue
		}
		want = append(want, line)
		notes[line] = note
	}
	if !*updateFindings {
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("accusations (-want +got):\n%s", d)
		}
		return
	}
	text := findingsHeader
	for _, line := range got {
		if n := notes[line]; n != "" {
			line += " # " + n
		}
		text += line + "\n"
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func accusations(r *Report) []string {
	var list []string
	for _, f := range r.Findings {
		if f.Severity != "error" && f.Severity != "warning" {
			continue
		}
		who := f.Nodes // of a finding promoted to the site
		if len(who) == 0 {
			who = []string{f.Node}
		}
		for _, n := range who {
			if n == "" {
				n = "segment"
			}
			list = append(list, f.Severity+" "+f.ID+" "+n)
		}
	}
	for i := range r.Nodes {
		if n := &r.Nodes[i]; n.Outcome == "stopped" {
			list = append(list, "stopped "+n.RootCause+" "+n.Name())
		}
	}
	slices.Sort(list)
	return list
}
