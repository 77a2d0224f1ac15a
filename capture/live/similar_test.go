package live

import (
	"strings"
	"testing"
)

func TestSimilar(t *testing.T) {
	all := []string{"lo", "eth0", "eth1", "enp1s0f0", "br-provisioning"}
	for _, c := range []struct{ name, want string }{
		{"eth2", "did you mean eth0 or eth1?"},
		{"ehtO", "eth0"},
		{"enp1s0f1", "enp1s0f0?"},
		{"br-provisionin", "br-provisioning?"},
		{"l0", "did you mean lo?"},
		{"wlan0", "there are lo, eth0"},
		{"x", "there are lo"},
	} {
		if got := similar(c.name, all); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if got := similar("wlan0", make([]string, 20)); !strings.Contains(got, "-D") {
		t.Errorf("got %q", got)
	}
}

func TestParseDirection(t *testing.T) {
	for s, want := range map[string]Direction{"": InOut, "inout": InOut, "in": In, "out": Out} {
		if got, err := ParseDirection(s); got != want || err != nil {
			t.Errorf("%q: got %v, %v", s, got, err)
		}
	}
	if _, err := ParseDirection("both"); err == nil {
		t.Error("got no error")
	}
}
