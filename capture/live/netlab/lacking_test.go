package netlab

import (
	"errors"
	"fmt"
	"testing"
)

// ended is how a test that lacks something is ended: by a panic, since nothing
// of it may run on.
type ended struct{ TB }

func (ended) Helper()                   {}
func (ended) Fatalf(f string, a ...any) { panic(fmt.Errorf("fatal: "+f, a...)) }
func (ended) Skipf(f string, a ...any)  { panic(fmt.Errorf("skip: "+f, a...)) }

func TestLacking(t *testing.T) {
	for ci, want := range map[string]string{"": "skip: needs the right X", "false": "skip: needs the right X", "true": "fatal: needs the right X"} {
		t.Setenv("CI", ci)
		got := func() (err error) {
			defer func() { err, _ = recover().(error) }()
			Lacking(ended{}, "needs the right %s", "X")
			return errors.New("it goes on")
		}()
		if fmt.Sprint(got) != want {
			t.Errorf("CI=%q: got %v, want %s", ci, got, want)
		}
	}
}
