package filter

import (
	"slices"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
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
		{"udp port 67 and vlan 30", []string{"vlan-after"}, []string{"nothing", "cooked"}},
		{"icmp or (udp port 69 and vlan 5)", []string{"vlan-after"}, nil},
		{"vlan 30 and udp port 67", nil, []string{"vlan-after", "cooked"}},
		{"udp and tcp", []string{"nothing"}, []string{"vlan-after"}},
		{"ether[12:2] = 0x800 and udp port 67", []string{"cooked"}, nil},
		{"ether host 52:54:00:12:34:56", []string{"cooked"}, nil},
		{"ether proto 0x806", nil, []string{"cooked"}},
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
	if !strings.Contains(r.Findings[0].Text, "keeps 1 of 9 packets of TFTP") || !strings.HasPrefix(r.Findings[0].Frame, "ACK 0") || !strings.Contains(r.Findings[0].Words, "46 bytes, IPv4, UDP, 10.0.0.57 port 2070") {
		t.Errorf("got %+v", r.Findings[0])
	}
	if r = must(Lint("port 80 or 443 and host 10.0.0.1")); r.Reads != "(port 80 or port 443) and host 10.0.0.1" {
		t.Errorf("got %q", r.Reads)
	}
}

// The corrected filter is there, and is what a second look finds nothing wrong
// with.
func TestCorrected(t *testing.T) {
	for _, c := range []struct {
		text  string
		names string
		want  string // of the corrected filter; empty: whatever it is
	}{
		{"udp port 69", "", ""},
		{"udp port 69", "tftp", ""},
		{"port 67 or port 68", "dhcp", ""},
		{"udp", "dhcp", ""},
		{"len > 0", "dns", "port 53 or (vlan and (port 53 or (vlan and port 53)))"},
		{"udp port 69", "dns", "port 53"},
		{"udp port 69", "tftp dns", ""},
		{"(vlan and udp port 67) or udp port 67", "", "udp port 67 or (vlan and udp port 67)"},
		{"udp port 67 and vlan 30", "", "vlan 30 and udp port 67"},
		{"port 80 or 443 and udp port 67 and vlan 30", "", ""},
		{"port 67 or (vlan and port 67)", "dhcp", "udp port 67 or 68 or 4011 or ip[6:2] & 0x1fff != 0 or (vlan and (udp port 67 or 68 or 4011 or ip[6:2] & 0x1fff != 0 or (vlan and (udp port 67 or 68 or 4011 or ip[6:2] & 0x1fff != 0))))"},
		{"vlan 30 and tcp port 80", "http", "tcp port 80 or (vlan 30 and tcp port 80)"},
		{"vlan 30 and udp port 69", "tftp", ""},
		{"tcp dst port 80", "http", ""},
		{"tcp dst port 3260", "iscsi", ""},
		{"udp port 111", "rpc-mount", ""},
		{"host 192.168.5.1", "", ""},
		{"host 192.168.5.1", "dhcp tftp", ""},
		{"port 53 or (vlan and port 53)", "dns", ""},
	} {
		look := func(text string) *Report {
			if c.names == "" {
				return must(Lint(text))
			}
			return must(LintFor(text, &Request{Names: strings.Fields(c.names)}))
		}
		first := look(c.text)
		if first.Corrected == "" || c.want != "" && first.Corrected != c.want {
			t.Errorf("%s for %q: corrected %q, want %q", c.text, c.names, first.Corrected, c.want)
			continue
		}
		// What was lost is kept, and what was kept of it is kept still.
		match := must(Match(must(Parse(first.Corrected)), capture.LinkEthernet))
		for _, f := range first.Findings {
			if f.Data != nil && match(f.Data, len(f.Data)) == f.Taken {
				t.Errorf("%s for %q: corrected %q, still %s", c.text, c.names, first.Corrected, f.Text)
			}
		}
		again := look(first.Corrected)
		for _, f := range again.Findings {
			lost := slices.ContainsFunc(first.Findings, func(o Finding) bool { return o.Sample == f.Sample && f.Sample != "" })
			if f.ID != "tagged-only" && f.Data != nil && lost {
				t.Errorf("%s for %q: corrected %q, now %s", c.text, c.names, first.Corrected, f.Text)
			}
		}
	}
	if r := must(Lint("len > 0")); r.Corrected != "" {
		t.Errorf("len > 0: nothing to correct, got %q", r.Corrected)
	}
	if r := must(LintFor("port 53 or (vlan and (port 53 or (vlan and port 53)))", &Request{Names: []string{"dns"}})); r.Corrected != "" || len(r.Findings) > 0 {
		t.Errorf("nothing to correct, got %q for %+v", r.Corrected, r.Findings)
	}
	// All services of every phase, from a filter that has one of them.
	for _, p := range catalog.Phases() {
		if r := must(LintFor("udp port 69", &Request{Phase: p})); r.Corrected == "" {
			t.Errorf("%s: no corrected filter for %d findings", p, len(r.Findings))
		}
	}
}
