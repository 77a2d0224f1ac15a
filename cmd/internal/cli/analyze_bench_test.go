package cli

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

// The whole command on the traces of `make bench`, which writes them. Its profile
// is what release builds are optimized by (make pgo).
func BenchmarkAnalyze(b *testing.B) {
	for _, name := range []string{"mix", "small"} {
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(os.TempDir(), "pxescope-bench", name+"-1-1000M.pcap")
			info, err := os.Stat(path)
			if err != nil {
				b.Skipf("%v; make bench writes it", err)
			}
			b.SetBytes(info.Size())
			for b.Loop() {
				if code := Run([]string{"analyze", "-q", "--format", "json", path}, Streams{Out: io.Discard, Err: os.Stderr}); code != ExitOK {
					b.Fatalf("exit status %d", code)
				}
			}
		})
	}
}
