package cli

import (
	"runtime"
	"testing"
)

// With one processor nobody looks for a second: GOMAXPROCS=1 forbids it.
func TestSpent(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if spent() != nil {
		t.Error("time is taken with one processor")
	}
	runtime.GOMAXPROCS(2)
	watch := spent()
	if watch == nil {
		t.Fatal("no time is taken with two processors")
	}
	wall, cpu := watch()
	for range 1 << 20 { // so that some passes
		runtime.KeepAlive(t)
	}
	if w, c := watch(); wall < 0 || w <= wall || c < cpu {
		t.Errorf("took %v and %v of processors, then %v and %v", wall, cpu, w, c)
	}
}
