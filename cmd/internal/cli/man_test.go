package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// The man pages beside the command are made from the commands, here and not in
// the program: the generator is larger than the program.
func TestManPages(t *testing.T) {
	dir := t.TempDir()
	date := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) // fixed, so that a page changes only when its text does
	cmd := newRoot(Streams{}, named(nil)...)
	cmd.DisableAutoGenTag = true
	cmd.InitDefaultCompletionCmd()
	head := &doc.GenManHeader{Title: "PXESCOPE", Section: "1", Source: "pxescope", Manual: "pxescope", Date: &date}
	if err := doc.GenManTree(cmd, head, dir); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || len(pages) < 4 {
		t.Fatalf("got pages %v, %v", pages, err)
	}
	committed := filepath.Join(root, "cmd/pxescope/man")
	if *update {
		if err := os.MkdirAll(committed, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range pages {
		want, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(committed, filepath.Base(p))
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is out of date; run 'make docs':\n%s", name, cmp.Diff(string(got), string(want)))
		}
	}
}

// Each command explains itself, with an example, within 80 columns.
func TestHelp(t *testing.T) {
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		if c.Short == "" || !c.HasSubCommands() && c.Example == "" {
			t.Errorf("%s: no short text or no example", c.CommandPath())
		}
		for _, line := range bytes.Split([]byte(c.Long+"\n"+c.Example), []byte("\n")) {
			if len(line) > 88 {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), len(line), line)
			}
		}
		for _, s := range c.Commands() {
			check(s)
		}
	}
	check(newRoot(Streams{}, named(nil)...))
}
