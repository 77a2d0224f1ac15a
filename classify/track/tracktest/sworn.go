package tracktest

import (
	"testing"

	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Sworn is spec with a tracker that fails t when it breaks its word: when Frame
// reports no news and there are some.
func Sworn(t testing.TB, spec track.Spec) track.Spec {
	inner := spec.New
	spec.New = func(cfg *track.Config) track.Tracker { return sworn{inner(cfg), t, spec.Name} }
	return spec
}

type sworn struct {
	track.Tracker
	t    testing.TB
	name string
}

func (s sworn) Frame(f *wire.Frame, out *track.Out) bool {
	before, said := s.Deadline(), out.Said()
	news := s.Tracker.Frame(f, out)
	if !news && (s.Deadline() < before || out.Said() != said) {
		s.t.Errorf("%s: frame %v: news that Frame did not report", s.name, f.ID)
	}
	return news
}

// Learn implements track.Learner.
func (s sworn) Learn(e track.Expectation) {
	if l, ok := s.Tracker.(track.Learner); ok {
		l.Learn(e)
	}
}

// Quiet implements track.Quiet.
func (s sworn) Quiet() bool {
	q, ok := s.Tracker.(track.Quiet)
	return ok && q.Quiet()
}
