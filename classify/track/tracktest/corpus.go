package tracktest

import (
	"io/fs"
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

// Captures are the paths of testdata's captures and, where it is there, of the
// corpus; with -short the first 40.
func Captures(t *testing.T) (paths []string) {
	t.Helper()
	for _, dir := range []string{filepath.Join(root(), "testdata", "pcap"), corpusDir()} {
		if _, err := os.Stat(dir); err != nil {
			t.Logf("left out: %v", err)
			continue
		}
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.Contains(filepath.Base(p), "cap") && !strings.Contains(p, "/truth/") {
				paths = append(paths, p)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if testing.Short() && len(paths) > 40 {
		paths = paths[:40]
	}
	return paths
}

func corpusDir() string { return filepath.Join(root(), "..", "shared", "corpus") }

// root is the module's, wherever below it the test runs.
func root() string {
	up := ""
	for range 8 {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			break
		}
		up = filepath.Join(up, "..")
	}
	return up
}
