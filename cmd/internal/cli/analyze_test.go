package cli

import (
	"runtime"
	"testing"
)

// With one processor nobody looks for a second: GOMAXPROCS=1 forbids it.
func TestElapsed(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if elapsed() != nil {
		t.Error("there is a watch with one processor")
	}
	runtime.GOMAXPROCS(2)
	watch := elapsed()
	if watch == nil {
		t.Fatal("there is no watch with two processors")
	}
	if first, second := watch(), watch(); first < 0 || second < first {
		t.Errorf("the watch shows %v, then %v", first, second)
	}
}
