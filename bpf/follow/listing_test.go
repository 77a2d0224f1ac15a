package follow

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files")

// The listing changes only when the program does; look at the diff, and at the
// pseudo-code above the source. No port of the catalog is in it.
func TestListing(t *testing.T) {
	var b bytes.Buffer
	if err := Listing(&b, Config{Phase: "provisioning"}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "follow.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("%s: run 'go test ./bpf/follow -update' and look at the diff:\n%s", file, d)
	}
}
