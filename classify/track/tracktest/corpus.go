package tracktest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Corpus calls each for every capture of the corpus of other people's
// captures, which lies beside the checkout and is no part of it: its name, its
// path, and what tshark says of it as JSON. It skips the test where there is
// no corpus.
func Corpus(t *testing.T, each func(name, path string, truth []byte)) {
	t.Helper()
	dir := corpusDir()
	index, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		t.Skip("the corpus of other people's captures is not beside the checkout")
	}
	for _, line := range strings.Split(strings.TrimSpace(string(index)), "\n")[1:] {
		name, _, _ := strings.Cut(line, "\t")
		truth, err := os.ReadFile(filepath.Join(dir, "truth", strings.ReplaceAll(name, "/", "__")+".json"))
		if err != nil {
			t.Fatal(err)
		}
		each(name, filepath.Join(dir, name), truth)
	}
}

// CorpusFile is the path of one capture of the corpus. It skips the test where
// there is no corpus.
func CorpusFile(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(corpusDir(), name)
	if _, err := os.Stat(path); err != nil {
		t.Skip("the corpus of other people's captures is not beside the checkout")
	}
	return path
}

// corpusDir is ../shared/corpus seen from the module's root, wherever below it
// the test runs.
func corpusDir() string {
	up := ""
	for range 8 {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			return filepath.Join(up, "..", "shared", "corpus")
		}
		up = filepath.Join(up, "..")
	}
	return ""
}
