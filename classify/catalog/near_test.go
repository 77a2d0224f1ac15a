package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNear(t *testing.T) {
	for _, c := range []struct {
		word string
		want []string
	}{
		{"dchp", []string{"dhcp"}},
		{"tftpp", []string{"tftp"}},
		{"sshh", []string{"ssh"}},
		{"bootp", []string{"dhcp"}},
		{"bootps", []string{"dhcp"}},
		{"69", []string{"tftp"}},
		{"metdata", []string{"metadata"}},
		{"qqqqq", nil},
		{"", nil},
		{"70000", nil},
	} {
		got := Default().Near(c.word, "metadata", "dhcp")
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", c.word, d)
		}
		if n := len(Default().Near(c.word)); n > 3 {
			t.Errorf("%q: got %d guesses, want 3 at most", c.word, n)
		}
	}
}
