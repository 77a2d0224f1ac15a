package firewall

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/classify/catalog"
)

var update = flag.Bool("update", false, "write the golden files anew")

func addrs(text ...string) []netip.Addr {
	var out []netip.Addr
	for _, t := range text {
		out = append(out, netip.MustParseAddr(t))
	}
	return out
}

// cases are what the golden files and the kernel's tools get to see.
var cases = []struct {
	name string
	o    Options
}{
	{"open", Options{}},
	{"maas-router", Options{Platform: catalog.MAAS, Racks: addrs("10.0.0.2"), Regions: addrs("10.0.0.3"), NodeNets: prefixes("10.0.0.0/24"), Iface: "eth1"}},
	{"xcat-rack", Options{Platform: catalog.XCAT, Hook: Input, Racks: addrs("10.0.0.2", "fd00::2"), NodeNets: prefixes("10.0.0.0/24", "10.0.0.128/25", "fd00::/64")}},
	{"rack-iface", Options{Hook: Input, Iface: "eth1"}},
	{"power", Options{Phase: catalog.Power, Racks: addrs("10.0.0.2"), AdminNets: prefixes("192.0.2.0/24"), BMCNets: prefixes("10.1.0.0/24")}},
	{"day2", Options{Phase: catalog.Day2, NodeNets: prefixes("10.0.0.0/24"), AdminNets: prefixes("192.0.2.0/24")}},
}

// forms are all renderings of a policy, by the name of their file.
func forms(p *Policy) map[string]string {
	return map[string]string{
		"nft": p.NFT(), "iptables": p.IPTables(IPv4), "ip6tables": p.IPTables(IPv6), "firewalld.sh": p.Firewalld(),
	}
}

func build(t *testing.T, o Options) *Policy {
	t.Helper()
	p, err := Build(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestGolden(t *testing.T) {
	for _, tt := range cases {
		for form, got := range forms(build(t, tt.o)) {
			file := filepath.Join("testdata", tt.name+"."+form)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("%s: -want +got; if this is meant, run with -update:\n%s", file, d)
			}
		}
	}
}

// rules of a service, without the reasons.
func rules(p *Policy, id string) []Rule {
	var out []Rule
	for _, r := range p.Rules {
		if r.Service == id {
			r.Why = ""
			out = append(out, r)
		}
	}
	return out
}

func TestDirection(t *testing.T) {
	o := Options{Platform: catalog.XCAT, Racks: addrs("10.0.0.2"), NodeNets: prefixes("10.0.0.0/24"), Iface: "eth1"}
	rack, nodes := prefixes("10.0.0.2/32"), prefixes("10.0.0.0/24")
	for _, tt := range []struct {
		name, id string
		hook     Hook
		want     []Rule
	}{
		{"only the rack asks for credentials", "xcat-credentials", Forward,
			[]Rule{{Family: IPv4, Out: "eth1", Src: rack, Dst: nodes, Protocol: 6, DstPorts: port(300)}}},
		{"not to the rack itself", "xcat-credentials", Input, nil},
		{"listed tcp 69 is left out", "tftp", Forward,
			[]Rule{{Family: IPv4, In: "eth1", Src: nodes, Dst: rack, Protocol: 17, DstPorts: port(69)}}},
		{"a node does not ask a node", "xcatd", Forward, []Rule{
			{Family: IPv4, In: "eth1", Src: nodes, Dst: rack, Protocol: 6, DstPorts: port(3001)},
			{Family: IPv4, Out: "eth1", Src: rack, Dst: nodes, Protocol: 6, DstPorts: port(3001)}}},
		{"program without a port", "nlm", Forward, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o.Hook = tt.hook
			for i := range tt.want {
				tt.want[i].Service = tt.id
			}
			got := rules(build(t, o), tt.id)
			if d := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// Without its address a role gets no opening beside one that has.
func TestUnnamedSource(t *testing.T) {
	p := build(t, Options{NodeNets: prefixes("10.0.0.0/24")})
	for _, r := range p.Rules {
		if r.Protocol == 6 && len(r.Src) == 0 && len(r.Dst) == 0 {
			t.Errorf("%s: got a rule from anywhere to anywhere", r.Service)
		}
	}
	if !slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, "bmc") && strings.Contains(n, "--bmc-net") }) {
		t.Errorf("notes: got %q, want one on bmc", p.Notes)
	}
}

func TestBuildErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    Options
		want string
	}{
		{"cuts off ssh", Options{Hook: Input}, "ssh too"},
		{"interface with a quote", Options{Iface: `a"; drop`}, "cannot stand in a rule"},
		{"interface with a wildcard", Options{Iface: "eth*"}, "cannot stand in a rule"},
		{"interface is a flag", Options{Iface: "-j"}, "no name that Linux takes"},
		{"interface too long", Options{Iface: "abcdefghijklmnop"}, "no name that Linux takes"},
		{"nothing to allow", Options{Hook: Input, Iface: "eth1", Phase: catalog.Enterprise, Platform: catalog.XCAT, Catalog: mustNew(t)}, "no service of phase enterprise"},
	} {
		if _, err := Build(tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func mustNew(t *testing.T, s ...catalog.Service) *catalog.Catalog {
	t.Helper()
	c, err := catalog.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A site's catalog cannot add a line to the rules.
func TestHostileNames(t *testing.T) {
	c := mustNew(t, catalog.Service{ID: "x\" drop\n'\\", Name: "y\nflush ruleset\x1b[2J \u202e", Phase: catalog.Provisioning,
		Platforms: []catalog.Platform{catalog.Generic}, From: []catalog.Role{catalog.Node}, To: []catalog.Role{catalog.Rack},
		Ports: []catalog.Port{{Proto: catalog.TCP, Range: catalog.Range{First: 80, Last: 80}}}})
	tame := mustNew(t, catalog.Service{ID: "x", Name: "y", Phase: catalog.Provisioning,
		Platforms: []catalog.Platform{catalog.Generic}, From: []catalog.Role{catalog.Node}, To: []catalog.Role{catalog.Rack},
		Ports: []catalog.Port{{Proto: catalog.TCP, Range: catalog.Range{First: 80, Last: 80}}}})
	plain := forms(build(t, Options{Catalog: tame}))
	for form, text := range forms(build(t, Options{Catalog: c})) {
		if got, want := strings.Count(text, "\n"), strings.Count(plain[form], "\n"); got != want {
			t.Errorf("%s: got %d lines, want %d", form, got, want)
		}
		if strings.ContainsAny(text, "\x1b\u202e") {
			t.Errorf("%s: control characters came through", form)
		}
		if got, want := strings.Count(text, `"`), strings.Count(plain[form], `"`); form != "firewalld.sh" && got > want+2 {
			t.Errorf("%s: got %d quotes, want %d, and those in comment lines", form, got, want)
		}
	}
}

// multiport takes 15 ports, and a range is two.
func TestPortLists(t *testing.T) {
	var many []catalog.Range
	for i := range uint16(10) {
		many = append(many, catalog.Range{First: 100 * i, Last: 100*i + 1})
	}
	got := portLists(many)
	if len(got) != 2 || len(got[0]) != 7 || len(got[1]) != 3 {
		t.Errorf("got %v, want 7 ranges and 3", got)
	}
}
