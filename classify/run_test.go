package classify

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
)

// Run comes to the same report whether a source has batches or not, and stops
// exactly at its limit.
func TestRunInBatches(t *testing.T) {
	paths, err := filepath.Glob("../testdata/pcap/lab-format-*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("got no captures, %v", err)
	}
	for _, path := range paths {
		for _, limit := range []uint64{0, 1, 64, 65, 150} {
			run := func(only func(capture.Source) capture.Source) *Report {
				src, err := pcapfile.Open([]string{path}, pcapfile.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer src.Close()
				e := New(Options{})
				if err := e.Run(only(src), limit); err != nil {
					t.Fatal(err)
				}
				return e.Report(src)
			}
			single := run(func(s capture.Source) capture.Source { return struct{ capture.Source }{s} })
			batched := run(func(s capture.Source) capture.Source { return s })
			if !reflect.DeepEqual(batched, single) {
				t.Errorf("%s, limit %d: in batches %+v, one by one %+v", path, limit, batched, single)
			}
			if n := batched.Counts.Packets; limit != 0 && n > limit {
				t.Errorf("%s: got %d packets, want at most %d", path, n, limit)
			}
		}
	}
}
