package filter

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/catalog"
)

var (
	rackAddr   = netip.MustParseAddr("10.0.0.2")
	regionAddr = netip.MustParseAddr("10.0.0.3")
)

func request(names ...string) *Request {
	return &Request{Names: names, Racks: nil}
}

// The text is as short as it can be, and compiles to what libpcap needs.
func TestBuildText(t *testing.T) {
	withRack := request("http-rack")
	withRack.Racks = []netip.Addr{rackAddr}
	withRegion := request("metadata")
	withRegion.Regions = []netip.Addr{regionAddr}
	tagged := request("tftp")
	tagged.VLAN, tagged.VLANID = VLANOne, 30
	untagged := request("tftp")
	untagged.VLAN = VLANNone
	anyTag := request("tftp")
	anyTag.VLAN = VLANAny
	expr := request("tftp")
	expr.Expr = must(Parse("src host 10.0.0.1 or 10.0.0.2"))
	excluded := &Request{Hosts: []netip.Addr{rackAddr}, Exclude: []string{"ssh"}}
	mac := request("dhcp")
	mac.MACs = [][6]byte{{2, 0, 0, 0, 0, 1}}
	net := request("dhcp", "http")
	net.Nets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	racks := request("http", "dhcp")
	racks.Racks = []netip.Addr{rackAddr}
	inside, behind := request("tftp"), request("tftp")
	inside.Expr, behind.Expr = must(Parse("vlan 5 and host 10.0.0.1")), must(Parse("not vlan"))
	less := request("dhcp", "tftp", "ntp")
	less.Exclude = []string{"ntp"}
	for _, c := range []struct {
		name         string
		r            *Request
		want         string
		instructions int
	}{
		{"dhcp", request("dhcp"), "udp port 67 or 68", 23},
		{"tftp", request("tftp"), "udp port 69", 20},
		{"dns", request("dns"), "port 53", 24},
		{"http-rack", withRack, "tcp port 80 and host 10.0.0.2", 18},
		{"metadata", withRegion, "tcp port 5240 and host 10.0.0.3", 18},
		{"ntp", request("ntp"), "udp port 123", 20},
		{"merged range", request("dhcp", "tftp"), "udp portrange 67-69", 23},
		{"merged with others", request("dhcp", "tftp", "proxydhcp"), "udp portrange 67-69 or 4011", 0},
		{"both protocols", request("dns", "ntp"), "port 53 or udp port 123", 0},
		{"frames", request("arp", "lldp"), "arp or ether proto 0x88cc", 0},
		{"one VLAN", tagged, "vlan 30 and udp port 69", 27},
		{"no VLAN", untagged, "udp port 69 and not vlan", 20},
		{"any VLAN", anyTag, "udp port 69 or (vlan and (udp port 69 or (vlan and udp port 69)))", 0},
		{"and an expression", expr, "udp port 69 and (src host 10.0.0.1 or src host 10.0.0.2)", 0},
		{"a host without", excluded, "host 10.0.0.2 and not tcp port 22", 0},
		{"a machine", mac, "udp port 67 or 68 and ether host 02:00:00:00:00:01", 0},
		{"DHCP has no address", net, "tcp port 80 and net 10.0.0.0/24 or udp port 67 or 68", 0},
		{"the rack's services", racks, "tcp port 80 and host 10.0.0.2 or udp port 67 or 68", 0},
		{"an expression that asks for a tag", inside, "vlan 5 and host 10.0.0.1 and udp port 69", 0},
		{"an expression that denies one", behind, "udp port 69 and not vlan", 20},
		{"excluded from its own", less, "udp portrange 67-69", 0},
	} {
		f, err := Build(c.r)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if f.Text != c.want {
			t.Errorf("%s: got %q, want %q", c.name, f.Text, c.want)
		}
		p, err := Compile(f.Expr, Ethernet)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if c.instructions != 0 && len(p) != c.instructions {
			t.Errorf("%s: got %d instructions, want %d", c.name, len(p), c.instructions)
		}
	}
}

// The document's six lines come out as they are written.
func TestAsWritten(t *testing.T) {
	r := &Request{Racks: []netip.Addr{rackAddr}, Regions: []netip.Addr{regionAddr}}
	for name, want := range map[string]string{
		"dhcp": "(port 67 or port 68)", "tftp": "udp port 69", "dns": "port 53", "ntp": "udp port 123",
		"http-rack": "tcp port 80 and host 10.0.0.2", "metadata": "tcp port 5240 and host 10.0.0.3",
	} {
		r.Names = []string{name}
		if got, err := AsWritten(r); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	r.Names = []string{"http-rack", "dhcp"}
	if got := must(AsWritten(r)); got != "(tcp port 80 and host 10.0.0.2) or (port 67 or port 68)" {
		t.Errorf("got %q", got)
	}
	if _, err := AsWritten(&Request{Names: []string{"http-rack"}}); err == nil || !strings.Contains(err.Error(), "needs an address") {
		t.Errorf("got %v, want an error about the address", err)
	}
}

// A complete filter keeps every packet of the sample conversations, in every
// form, and of a whole boot; and drops traffic that has nothing to do with it.
func TestComplete(t *testing.T) {
	r := &Request{Phase: catalog.Provisioning, Complete: true}
	f := must(Build(r))
	match := must(Match(f.Expr, capture.LinkEthernet))
	for _, family := range samples(must(Parse("udp"))) {
		for _, s := range family {
			for _, p := range s.frames {
				if !match(p.data, len(p.data)) {
					t.Errorf("%s: loses %s", s.name, p.label)
				}
			}
		}
	}
	for _, c := range []*synth.Capture{synth.HealthyBoot(), synth.FiveFaults(), synth.HealthyBoot().Tagged(7)} {
		for i, p := range c.Packets {
			if !match(p.Data, len(p.Data)) {
				t.Errorf("loses packet %d: % x", i+1, p.Data[:min(60, len(p.Data))])
			}
		}
	}
	a, b := synth.NewHost("52:54:00:00:00:07", "10.9.0.1"), synth.NewHost("52:54:00:00:00:08", "10.9.0.2")
	for name, frame := range map[string][]byte{
		"ssh": synth.TCP(a, b, 40000, 22, synth.Segment{Payload: []byte("SSH-2.0-something")}), "quic": synth.UDP(a, b, 40000, 444, append([]byte{0xc3}, make([]byte, 100)...)),
		"VXLAN": synth.UDP(a, b, 40000, 4789, append([]byte{8, 0, 0, 0}, make([]byte, 60)...)),
	} {
		if match(frame, len(frame)) {
			t.Errorf("keeps %s", name)
		}
	}
	ids := make([]string, len(f.Caveats))
	for i, c := range f.Caveats {
		ids[i] = c.ID
	}
	for _, id := range []string{"tftp-data", "rpc-tcp", "fragments", "ip6-headers", "tunnels"} {
		if !slices.Contains(ids, id) {
			t.Errorf("caveats %v lack %s", ids, id)
		}
	}
}

// Bulk and control together are the filter, and files are cut to headers.
func TestBuildParts(t *testing.T) {
	f := must(Build(&Request{Phase: catalog.Provisioning, Complete: true}))
	if f.Control == nil || f.Bulk == nil {
		t.Fatalf("parts %v, %v", f.Control, f.Bulk)
	}
	p, err := CompileClauses([]Clause{{f.Control, 0}, {f.Bulk, 128}, {f.Expr, 0}}, Ethernet)
	if err != nil {
		t.Fatal(err)
	}
	valid(t, "parts", p)
	whole := must(Match(f.Expr, capture.LinkEthernet))
	a, b := synth.NewHost("52:54:00:00:00:07", "10.9.0.1"), synth.NewHost("52:54:00:00:00:08", "10.9.0.2")
	for _, c := range []struct {
		name  string
		frame []byte
		want  uint32
	}{
		{"DHCP", dhcpFrame(), DefaultSnaplen},
		{"tagged DHCP", dhcpFrame(5), DefaultSnaplen},
		{"HTTP", synth.TCP(a, b, 40000, 80, synth.Segment{Payload: make([]byte, 900)}), 128},
		{"TFTP data", synth.UDP(a, b, 40000, 40001, synth.TFTPData(3, make([]byte, 512))), 128},
		{"TFTP request", synth.UDP(a, b, 40000, 69, synth.TFTPRead("x", "octet")), DefaultSnaplen},
		{"MOUNT", synth.UDP(a, b, 801, 40001, synth.MountMNT(2, 3, "n", "/install")), DefaultSnaplen},
	} {
		if got := execute(p, c.frame, len(c.frame), beside{}); got != c.want {
			t.Errorf("%s: keeps %d bytes, want %d", c.name, got, c.want)
		}
		if !whole(c.frame, len(c.frame)) {
			t.Errorf("%s: the whole filter loses it", c.name)
		}
	}
}

// Everything that the catalog can ask for parses, compiles for every link type
// that can carry it, and every part of it is in the whole.
func TestBuildAll(t *testing.T) {
	cat := catalog.Default()
	for _, s := range cat.Services() {
		for _, complete := range []bool{false, true} {
			r := &Request{Names: []string{s.ID}, Complete: complete}
			f, err := Build(r)
			if err != nil {
				if len(s.Ports)+len(s.Frames) > 0 || complete {
					t.Errorf("%s: %v", s.ID, err)
				}
				continue
			}
			if _, err := Compile(f.Expr, Ethernet); err != nil {
				t.Errorf("%s: %s: %v", s.ID, f.Text, err)
			}
			if f.Expr.String() == "" {
				t.Errorf("%s: prints as nothing", s.ID)
			}
		}
	}
	for _, p := range catalog.Phases() {
		for _, link := range LinkTypes() {
			if link == capture.LinkNull {
				continue // of a Request it is the default; LOOP is the same
			}
			for _, pl := range []catalog.Platform{catalog.AllPlatforms, catalog.MAAS, catalog.XCAT} {
				f, err := Build(&Request{Phase: p, Platform: pl, Link: link, Complete: true})
				if err != nil {
					t.Errorf("%s %s %s: %v", p, pl, link, err)
					continue
				}
				for _, live := range []bool{false, true} {
					prog, err := Compile(f.Expr, Target{Link: link, Live: live})
					if err != nil {
						t.Errorf("%s %s %s: %v", p, pl, link, err)
						continue
					}
					valid(t, f.Text, prog)
				}
			}
		}
	}
}

func TestBuildRefusals(t *testing.T) {
	for _, c := range []struct {
		r    *Request
		want string
	}{
		{&Request{}, "nothing to filter for"},
		{request("nosuch"), "no service or crib line"},
		{request("http-rack"), "needs an address"},
		{request("metadata"), "needs an address"},
		{&Request{Names: []string{"tftp"}, Exclude: []string{"tftp"}}, "no service is left"},
		{&Request{Names: []string{"tftp"}, VLAN: VLANAny, Expr: must(Parse("vlan 3"))}, "vlan, mpls or pppoes of its own"},
		{&Request{Names: []string{"tftp"}, VLAN: VLANOne, Link: capture.LinkRaw}, "no VLAN tags"},
		{&Request{Names: []string{"tftp"}, Expr: must(Parse("vlan 3 or host 10.0.0.1"))}, "some of its cases only"},
		{&Request{Names: []string{"tftp"}, Expr: must(Parse("tcp"))}, "keeps no packet"},
	} {
		if _, err := Build(c.r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.r, err, c.want)
		}
	}
}

// What is built is for tcpdump: it takes every text, and makes a program of it
// that keeps the same frames. Ours for the crib is as long as its own, and for
// the provisioning phase at most 1.2 times.
func TestBuildForTcpdump(t *testing.T) {
	if _, err := askTcpdump("ip", capture.LinkEthernet); err != nil {
		t.Skipf("no oracle: %v", err)
	}
	all := frames(t, 8, capture.LinkEthernet, 1500)
	var n tally
	check := func(name string, r *Request, limit float64) {
		t.Helper()
		f, err := Build(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		want, refused := askTcpdump(f.Text, capture.LinkEthernet)
		if refused != nil {
			t.Errorf("%s: tcpdump refuses %q: %v", name, f.Text, refused)
			return
		}
		compare(t, f.Text, capture.LinkEthernet, want, nil, all, &n)
		got := must(Compile(f.Expr, Ethernet))
		if float64(len(got)) > limit*float64(len(want)) {
			t.Errorf("%s: got %d instructions, libpcap has %d", name, len(got), len(want))
		}
	}
	for _, name := range CribNames() {
		r := request(name)
		r.Racks, r.Regions = []netip.Addr{rackAddr}, []netip.Addr{regionAddr}
		check(name, r, 1)
	}
	for _, p := range catalog.Phases() {
		for _, complete := range []bool{false, true} {
			check(string(p), &Request{Phase: p, Complete: complete}, 1.2)
		}
	}
	check("a machine", &Request{Names: []string{"dhcp", "tftp"}, Complete: true, MACs: [][6]byte{{2, 0, 0, 0, 0, 1}}}, 1.2)
	check("a net", &Request{Phase: catalog.Provisioning, Complete: true, Nets: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}, Exclude: []string{"ssh"}}, 1.2)
	check("a VLAN", &Request{Names: []string{"tftp"}, Complete: true, VLAN: VLANOne, VLANID: 10}, 1.2)
	if n.expressions < 20 || n.matched == 0 {
		t.Errorf("the sample proves nothing: %+v", n)
	}
}
