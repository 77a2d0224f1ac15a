package site

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pxescope/pxescope/classify/wire"
)

// Every threshold is documented once, in the order of the fields.
func TestTableDocumentsEveryThreshold(t *testing.T) {
	typ := reflect.TypeFor[Thresholds]()
	if typ.NumField() != len(Table) {
		t.Fatalf("got %d rows for %d thresholds", len(Table), typ.NumField())
	}
	d := DefaultThresholds()
	for i, row := range Table {
		if got, want := row.Name, typ.Field(i).Tag.Get("yaml"); got != want {
			t.Errorf("row %d: got %q, want %q", i, got, want)
		}
		if row.Reason == "" {
			t.Errorf("%s: no reason", row.Name)
		}
		v, ok := d.Value(row.Name)
		if !ok || reflect.ValueOf(v).IsZero() {
			t.Errorf("%s: no default", row.Name)
		}
	}
}

func TestParse(t *testing.T) {
	s, err := Parse("site.yaml", []byte(`
rack: 10.0.0.2
region: [10.0.0.3, "fd00::3"]
dhcp_server: [10.0.0.4]
node_net: 10.0.0.17/24
bmc_net: [10.8.0.0/16, 10.9.9.9]
thresholds:
  offer_grace: 8s
  discover_error: 6
  duplicate_share: 0.5
profiles:
  - {name: ipxe, gaps: [1s, 2s], give_up: 20s}
  - {name: acme, gaps: 3s}
`), Default())
	if err != nil {
		t.Fatal(err)
	}
	if !s.IsRack(wire.MustAddr("10.0.0.2")) || !s.IsRegion(wire.MustAddr("fd00::3")) || s.IsRack(wire.MustAddr("10.0.0.3")) {
		t.Errorf("roles: got racks %v, regions %v", s.Racks, s.Regions)
	}
	if !s.IsDHCPServer(wire.MustAddr("10.0.0.4")) || !s.IsDHCPServer(wire.MustAddr("10.0.0.2")) || s.IsDHCPServer(wire.MustAddr("10.0.0.5")) {
		t.Errorf("dhcp servers: got %v", s.DHCPServers)
	}
	if !In(s.NodeNets, wire.MustAddr("10.0.0.200")) || In(s.NodeNets, wire.MustAddr("10.0.1.1")) || !In(s.BMCNets, wire.MustAddr("10.9.9.9")) {
		t.Errorf("nets: got %v and %v", s.NodeNets, s.BMCNets)
	}
	if s.Thresholds.OfferGrace != 8*time.Second || s.Thresholds.DiscoverError != 6 || s.Thresholds.DuplicateShare != 0.5 {
		t.Errorf("thresholds: got %+v", s.Thresholds)
	}
	if s.Profiles[0].Name != "acme" || s.Profiles[1].GiveUp != 20*time.Second {
		t.Errorf("profiles: got %+v", s.Profiles[:2])
	}
	d := Default()
	if len(d.Racks) != 0 || d.Thresholds.OfferGrace != 5*time.Second {
		t.Error("the base was changed")
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		"rack: [10.0.0.300]":                   `site.yaml:1: rack: "10.0.0.300" is not an address`,
		"\nracks: 1":                           `site.yaml:2: racks: unknown field; there are rack,`,
		"node_net: ten":                        `site.yaml:1: node_net: "ten" is not a network such as 10.0.0.0/24`,
		"thresholds: {offer_grace: fast}":      `offer_grace: "fast" is not a duration such as 5s`,
		"thresholds: {ofer_grace: 1s}":         `ofer_grace: unknown threshold`,
		"thresholds: {discover_error: 0}":      `discover_error: "0" is not a count`,
		"thresholds: {duplicate_share: 2}":     `is not a share`,
		"rack: 10.0.0.1\nrack: 10.0.0.2":       `site.yaml:2: rack: is given twice`,
		"profiles: [{name: x}]":                `a profile needs name and gaps`,
		"[1, 2]":                               `the file: must be a mapping`,
		"rack: [":                              `site.yaml: line 1`,
		"profiles: [{name: x, gap: 1s}]":       `gap: unknown field`,
		"profiles: [{name: x, gaps: [1 sec]}]": `"1 sec" is not a duration`,
	} {
		_, err := Parse("site.yaml", []byte(in), Default())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", in, err, want)
		}
	}
	if s, err := Parse("empty.yaml", nil, Default()); err != nil || s == nil {
		t.Errorf("an empty file: got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("rack: 10.0.0.2\nthresholds: {offer_grace: 8s}\n"))
	f.Add([]byte("profiles:\n- {name: a, gaps: [1s]}\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse("f", b, Default())
		if (s == nil) == (err == nil) {
			t.Fatalf("got %v with error %v", s, err)
		}
		if s != nil {
			for _, n := range append(s.NodeNets, s.BMCNets...) {
				if !n.IsValid() || n != netip.PrefixFrom(n.Addr(), n.Bits()).Masked() {
					t.Fatalf("bad network %v", n)
				}
			}
		}
	})
}
