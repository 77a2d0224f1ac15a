package finding

import (
	"testing"

	"github.com/pxescope/pxescope/capture"
)

func TestWords(t *testing.T) {
	for s := OK; s <= Error; s++ {
		if got, ok := ParseSeverity(s.String()); !ok || got != s {
			t.Errorf("%s: got %v %v", s, got, ok)
		}
	}
	if _, ok := ParseSeverity("fatal"); ok {
		t.Error("fatal is no severity")
	}
	if Certain.Lower() != Likely || Likely.Lower() != Possible || Possible.Lower() != Possible {
		t.Error("confidence is lowered step by step, and stays possible")
	}
}

// Evidence keeps its first frames and its last.
func TestAppendFrame(t *testing.T) {
	var frames []capture.FrameID
	for i := range MaxFrames + 10 {
		frames = AppendFrame(frames, capture.NewFrameID(0, uint64(i+1)))
	}
	if len(frames) != MaxFrames || frames[0].Number() != 1 || frames[MaxFrames-1].Number() != MaxFrames+10 {
		t.Errorf("got %d frames from %d to %d", len(frames), frames[0].Number(), frames[len(frames)-1].Number())
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 entries", 1: "1 entry", 2: "2 entries", 1<<64 - 1: "18446744073709551615 entries"} {
		if got := Count(n, "entry", "entries"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
