package classify

import (
	"testing"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/wire"
)

// qualityFrames are decoded frames of a capture with their services; they keep
// their packets' memory.
func qualityFrames(t testing.TB, c *synth.Capture) (frames []wire.Frame, svcs []catalog.Index, dirs []bool) {
	list, _ := packets(t, c)
	dec := wire.NewDecoder()
	v := newServices(catalog.Default(), site.Default(), "", "")
	for i := range list {
		var f wire.Frame
		dec.Decode(&list[i], &f)
		svc, toServer, _ := v.of(&f)
		frames, svcs, dirs = append(frames, f), append(svcs, svc), append(dirs, toServer)
	}
	return frames, svcs, dirs
}

// met is frame for a frame whose headers are new.
func (q *quality) met(f *wire.Frame, svc catalog.Index, toServer bool) {
	var t talk
	t.segment, t.headers = q.meet(f)
	q.frame(f, &t, svc, toServer, q.role(t.headers, svc, toServer))
}

func BenchmarkQualityFrame(b *testing.B) {
	frames, svcs, dirs := qualityFrames(b, bulk())
	q := newQuality(site.Default(), catalog.Default())
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		j := i % len(frames)
		q.met(&frames[j], svcs[j], dirs[j])
	}
}

// Frames of senders and conversations that are known allocate nothing.
func TestQualityAllocatesNothing(t *testing.T) {
	for name, c := range map[string]*synth.Capture{"bulk": bulk(), "boot": synth.HealthyBoot(), "faults": synth.FiveFaults(), "tagged": bulk().Tagged(30)} {
		frames, svcs, dirs := qualityFrames(t, c)
		q := newQuality(site.Default(), catalog.Default())
		play := func() {
			for j := range frames {
				q.met(&frames[j], svcs[j], dirs[j])
			}
		}
		play()
		if got := testing.AllocsPerRun(5, play); got != 0 {
			t.Errorf("%s: got %v allocations in %d frames, want 0", name, got, len(frames))
		}
	}
}
