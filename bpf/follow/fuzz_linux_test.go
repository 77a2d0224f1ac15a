package follow

import (
	"testing"

	"github.com/pxescope/pxescope/capture"
)

// FuzzFilter feeds frames that nobody ever sent to the program and to the
// Reference, each twice and a moment apart, after what teaches them.
func FuzzFilter(f *testing.F) {
	for _, x := range craftedSteps() {
		for _, s := range x.steps {
			f.Add(s.frame, uint16(s.at.Milliseconds()))
		}
	}
	c := Config{Phase: "provisioning", told: true}
	var r *runner
	var ref *Reference
	now, runs := capture.Time(1_700_000_000e9), 0
	f.Fuzz(func(t *testing.T, frame []byte, ms uint16) {
		if len(frame) == 0 || len(frame) > maxRun {
			return
		}
		if r == nil {
			kernel, err := Load(c) // for all runs
			privileged(t, err)
			r = &runner{Filter: kernel}
		}
		r.t = t
		if runs++; runs%1000 == 1 { // before a table is full
			r.forget()
			var err error
			if ref, err = NewReference(c); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			want := ref.Passes(frame, now)
			if got := r.passes(frame, now); got != want {
				t.Fatalf("got %v, want %v for % x", got, want, frame)
			}
			now += capture.Time(ms) * 1e6
		}
	})
}
