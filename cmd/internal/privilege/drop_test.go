//go:build !linux

package privilege

import "testing"

func child() int { return 1 }

func TestDropSaysThatItDoesNothing(t *testing.T) {
	done, err := Drop(Needs{})
	if err != nil || len(done) != 1 {
		t.Errorf("got %q, %v", done, err)
	}
	if _, err := Drop(Needs{User: "nobody"}); err == nil {
		t.Error("got no error for another user")
	}
}
