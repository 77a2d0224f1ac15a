package filter

import (
	"slices"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
)

func lintIDs(t *testing.T, text string) []string {
	t.Helper()
	r, err := Lint(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	match, err := Match(must(Parse(text)), capture.LinkEthernet)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range r.Findings {
		if f.Data != nil && match(f.Data, len(f.Data)) {
			t.Errorf("%s: %s: the packet that it is said to lose matches: %s", text, f.ID, f.Frame)
		}
		if !slices.Contains(ids, f.ID) {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// What the usual crib loses is found and shown; what loses nothing is left alone.
func TestLint(t *testing.T) {
	for _, c := range []struct {
		text  string
		finds []string
		not   []string
	}{
		{"udp port 69", []string{"tftp-data", "vlan", "qinq"}, []string{"plain", "precedence"}},
		{"port 67 or port 68", []string{"vlan", "priority-tag", "proxydhcp", "fragments"}, []string{"plain", "tftp-data", "precedence"}},
		{"port 67 or port 68 or (vlan and (port 67 or port 68))", []string{"proxydhcp", "qinq"}, []string{"vlan", "plain"}},
		{"(vlan and udp port 67) or udp port 67", []string{"vlan-order"}, []string{"precedence"}},
		{"udp port 111", []string{"rpc-ports"}, nil},
		{"port 80 or host 10.0.0.1 and udp", []string{"precedence"}, nil},
		{"port 80 or (host 10.0.0.1 and udp)", nil, []string{"precedence"}},
		{"tcp dst port 80", []string{"plain"}, nil},
		{"tcp port 80", []string{"vlan"}, []string{"plain"}},
		{"udp port 68 and host 192.168.5.1", []string{"no-address"}, []string{"plain"}}, // a client without an address
		{"host 192.168.5.1", []string{"no-address", "vlan"}, []string{"plain"}},
		{"vlan 30 and udp port 69", []string{"tagged-only"}, []string{"vlan-order", "plain", "vlan"}},
		{"ether host 52:54:00:aa:bb:cc", []string{"plain"}, []string{"vlan", "priority-tag", "qinq"}}, // the tag changes nothing
		{"tcp port 4999", []string{"nothing"}, nil},
		{"len > 0", nil, []string{"plain", "vlan", "qinq", "fragments", "tftp-data", "nothing"}},
	} {
		got := lintIDs(t, c.text)
		for _, id := range c.finds {
			if !slices.Contains(got, id) {
				t.Errorf("%s: got %v, want %s among them", c.text, got, id)
			}
		}
		for _, id := range c.not {
			if slices.Contains(got, id) {
				t.Errorf("%s: got %v, want no %s", c.text, got, id)
			}
		}
	}
	r := must(Lint("udp port 69"))
	if !strings.Contains(r.Findings[0].Text, "keeps 1 of 9 packets of TFTP") || !strings.Contains(r.Findings[0].Frame, "OACK") {
		t.Errorf("got %+v", r.Findings[0])
	}
	if r = must(Lint("port 80 or 443 and host 10.0.0.1")); r.Reads != "(port 80 or port 443) and host 10.0.0.1" {
		t.Errorf("got %q", r.Reads)
	}
}
