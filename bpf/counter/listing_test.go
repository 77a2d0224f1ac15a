package counter

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/classify/catalog"
)

var update = flag.Bool("update", false, "write golden files")

// listedCatalog has one service of each kind that the program treats apart,
// and does not change with the built-in catalog.
func listedCatalog(t *testing.T) *catalog.Catalog {
	t.Helper()
	port := func(p catalog.Proto, n uint16, u catalog.Use) catalog.Port {
		return catalog.Port{Proto: p, Range: catalog.Range{First: n, Last: n}, Use: u}
	}
	c, err := catalog.New([]catalog.Service{
		{ID: "dhcp", Ports: []catalog.Port{port(catalog.UDP, 67, catalog.Server), port(catalog.UDP, 68, catalog.Client)}},
		{ID: "syslog", Ports: []catalog.Port{port(catalog.TCP, 514, catalog.Server)}},
		{ID: "rsh", Ports: []catalog.Port{port(catalog.TCP, 514, catalog.Server)}, ClientPorts: catalog.Reserved},
		{ID: "arp", Frames: []catalog.FrameKind{{EtherType: 0x0806}}},
		{ID: "lldp", Frames: []catalog.FrameKind{{EtherType: 0x88cc}}},
		{ID: "stp", Frames: []catalog.FrameKind{{LLC: 0x42}}},
		{ID: "ra", Frames: []catalog.FrameKind{{ICMP: catalog.ICMPTypes{Proto: 58, First: 133, Last: 134}}}},
		{ID: "range", Ports: []catalog.Port{{Proto: catalog.TCP, Range: catalog.Range{First: 30000, Last: 32767}, Use: catalog.Server}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The listing changes only when the program does; look at the diff, and at the
// pseudo-code above the source.
func TestListing(t *testing.T) {
	l, err := NewLayout(listedCatalog(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []Hook{TCX, Socket, XDP} {
		var b bytes.Buffer
		if err := Listing(&b, l, h); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", string(h)+".golden")
		if *update {
			if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), b.String()); d != "" {
			t.Errorf("%s: run 'go test ./bpf/counter -update' and look at the diff:\n%s", file, d)
		}
	}
}

// A long run of ports shares a slot, neighbours otherwise have their own, and
// the tables agree with the catalog for every pair of ports that matters.
func TestLayout(t *testing.T) {
	for name, c := range map[string]*catalog.Catalog{"built-in": catalog.Default(), "listed": listedCatalog(t)} {
		l, err := NewLayout(c)
		if err != nil {
			t.Fatal(err)
		}
		for table, proto := range []catalog.Proto{tcpTable: catalog.TCP, udpTable: catalog.UDP} {
			for p, e := range c.Table(uint8(proto)) {
				slot := l.ports[table][p]
				s := l.slots[slot]
				if (e == 0) != (slot == slotOther) {
					t.Errorf("%s: %s/%d: got slot %d for entry %#x", name, proto, p, slot, e)
				} else if e != 0 && (s.index != e.Index() || l.rank[slot] != e.Rank() || s.Client != e.Client() || s.Proto != proto || int(s.Port) > p || int(s.Last) < p) {
					t.Errorf("%s: %s/%d: got slot %+v, want service %d", name, proto, p, s, e.Index())
				}
			}
		}
	}
	l, err := NewLayout(listedCatalog(t))
	if err != nil {
		t.Fatal(err)
	}
	if s := l.slots[l.ports[tcpTable][31000]]; s.Port != 30000 || s.Last != 32767 {
		t.Errorf("got %d-%d for tcp/31000, want 30000-32767 in one", s.Port, s.Last)
	}
}

// A catalog with more ports than a byte numbers is refused.
func TestTooManyPorts(t *testing.T) {
	s := catalog.Service{ID: "many"}
	for p := range uint16(300) {
		s.Ports = append(s.Ports, catalog.Port{Proto: catalog.TCP, Range: catalog.Range{First: 2000 + 2*p, Last: 2000 + 2*p}, Use: catalog.Server})
	}
	c, err := catalog.New([]catalog.Service{s})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewLayout(c); err == nil {
		t.Error("got no error for 300 single ports")
	}
}
