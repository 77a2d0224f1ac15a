package filter

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
)

// Only what is asked for counts; what it loses and what it takes of others is
// shown with a packet that proves it.
func TestLintFor(t *testing.T) {
	for _, c := range []struct {
		text  string
		r     Request
		finds []string // of findings "id: text"
		not   []string
	}{
		{"udp port 69", Request{Names: []string{"tftp"}}, []string{"tftp-data: keeps 1 of 9 packets of TFTP"}, []string{"takes", "DHCP", "no-sample"}},
		{"udp port 69", Request{Names: []string{"dns"}}, []string{"missing: keeps 0 of 2 packets of DNS", "takes: takes 1 of 9 packets of another service: TFTP"}, nil},
		{"udp", Request{Names: []string{"dhcp"}}, []string{"another service: DNS", "another service: TFTP", "another service: SNMP"}, []string{"another service: HTTP", "another service: ARP"}},
		{"port 67 or port 68", Request{Names: []string{"dhcp"}}, []string{"proxydhcp"}, []string{"takes"}},
		{"tcp port 80", Request{Names: []string{"http"}}, []string{"vlan"}, []string{"takes", "plain"}}, // apt has the same port
		{"tcp port 80", Request{Names: []string{"apt"}}, []string{"vlan"}, []string{"takes"}},
		{"tcp port 80 or 5248", Request{Names: []string{"http"}}, []string{"another service: MAAS HTTP boot"}, []string{"plain"}},
		{"tcp port 3260", Request{Names: []string{"iscsi"}}, []string{"vlan: "}, []string{"plain", "takes", "nothing"}},
		{"tcp dst port 3260", Request{Names: []string{"iscsi"}}, []string{"plain: "}, []string{"takes"}},
		{"stp", Request{Names: []string{"stp"}}, []string{"no-sample"}, []string{"takes"}},
		{"len > 0", Request{Phase: catalog.Provisioning}, []string{"another service: SSH"}, []string{"plain", "vlan", "another service: DNS"}},
	} {
		rep, err := LintFor(c.text, &c.r)
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		match := must(Match(must(Parse(c.text)), capture.LinkEthernet))
		var got []string
		for _, f := range rep.Findings {
			got = append(got, f.ID+": "+f.Text)
			if f.Data != nil && match(f.Data, len(f.Data)) != f.Taken {
				t.Errorf("%s: %s: taken %v is not what the filter does with the packet", c.text, f.Text, f.Taken)
			}
		}
		has := func(what string) bool {
			return slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, what) })
		}
		for _, w := range c.finds {
			if !has(w) {
				t.Errorf("%s for %v %s: got %q, want %q among them", c.text, c.r.Names, c.r.Phase, got, w)
			}
		}
		for _, w := range c.not {
			if slices.ContainsFunc(got, func(s string) bool {
				return strings.HasPrefix(s, w+":") || strings.Contains(w, " ") && strings.Contains(s, w)
			}) {
				t.Errorf("%s for %v %s: got %q, want no %q", c.text, c.r.Names, c.r.Phase, got, w)
			}
		}
	}
	var e *Error
	if _, err := LintFor("udp", &Request{Names: []string{"no-such"}}); !errors.As(err, &e) {
		t.Errorf("got %v, want an *Error for an unknown service", err)
	}
}
