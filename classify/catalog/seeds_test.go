package catalog

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The seeds are read here by their own layout, without a look at how the
// catalog writes them down: the only thing the two have in common is the
// document.

func seed(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// xcatSeed reads the grid table: columns end where the border has its "+".
func xcatSeed(t *testing.T) []Row {
	t.Helper()
	text := seed(t, SeedXCAT)
	footnotes := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^\.\. \[(\w+)\] (.*)$`).FindAllStringSubmatch(text, -1) {
		footnotes["["+m[1]+"]_"] = m[2]
	}
	var rows []Row
	var ends []int
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "+-") && ends == nil:
			for i, r := range line {
				if r == '+' {
					ends = append(ends, i)
				}
			}
		case strings.HasPrefix(line, "|") && !strings.Contains(line, "Port number"):
			var cell []string
			for i := 1; i < len(ends); i++ {
				cell = append(cell, strings.TrimSpace(line[ends[i-1]+1:ends[i]]))
			}
			rows = append(rows, Row{
				Source: SeedXCAT, Number: len(rows) + 1, Platform: XCAT, Section: strings.SplitN(text, "\n", 2)[0],
				Port: cell[0], Protocol: cell[1], SourcePorts: cell[2], Name: cell[3], Requirement: cell[4],
				Note: footnotes[cell[0]] + footnotes[cell[1]],
			})
		}
	}
	return rows
}

// maasSeed reads the five tables. Their columns are separated by single
// spaces, so the direction and the protocol, of which there are few, anchor a
// line; who has as many words as the shortest reading of "a, b".
func maasSeed(t *testing.T) []Row {
	t.Helper()
	line := regexp.MustCompile(`^(.+?) ((?:node|rack|admin|maas/rack|host) → (?:rack/region|rack|region|ntp|mirror|snap store|node|log|bmc|lxd host|libvirtd|vlan|directory|proxy|registry)) ` +
		`(UDP/TCP|HTTP/HTTPS|UDP|TCP|HTTPS) ([0-9,]+) (\S+, \S+) (.+)$`)
	var rows []Row
	section, table := "", false
	lines := strings.Split(seed(t, SeedMAAS), "\n")
	for i, l := range lines {
		switch {
		case strings.HasPrefix(l, "Service Dir Proto") || strings.HasPrefix(l, "Driver Dir Proto"):
			section, table = lines[i-2], true
		case l == "":
			table = false
		case table:
			m := line.FindStringSubmatch(l)
			if m == nil {
				t.Fatalf("%s line %d is no table row: %q", SeedMAAS, i+1, l)
			}
			rows = append(rows, Row{
				Source: SeedMAAS, Number: len(rows) + 1, Platform: MAAS, Section: section,
				Name: m[1], Direction: m[2], Protocol: m[3], Port: m[4], Who: m[5], Note: m[6],
			})
		}
	}
	return rows
}

// claimed is what a row says, without what we say of it.
func claimed(rows []Row, source string) []Row {
	var out []Row
	for _, r := range rows {
		if r.Source == source {
			r.Correction, r.Reference, r.Service, r.Phase = "", "", "", ""
			out = append(out, r)
		}
	}
	return out
}

func TestSeedRows(t *testing.T) {
	entries := Default().Entries("", AllPlatforms)
	for _, tt := range []struct {
		source string
		rows   []Row
		count  int
	}{
		{SeedMAAS, maasSeed(t), 22},
		{SeedXCAT, xcatSeed(t), 44},
	} {
		t.Run(tt.source, func(t *testing.T) {
			if len(tt.rows) != tt.count {
				t.Fatalf("rows in the document: got %d, want %d", len(tt.rows), tt.count)
			}
			// Same rows in the same order, so none is missing, doubled or different.
			if d := cmp.Diff(tt.rows, claimed(entries, tt.source)); d != "" {
				t.Errorf("rows of the document (-) and of the catalog (+):\n%s", d)
			}
		})
	}
}
