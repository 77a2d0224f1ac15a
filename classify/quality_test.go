package classify

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/wire"
)

// The machines of the tests about gates: a rack that is heard, a second boot
// server, a bystander.
var (
	place     = synth.NewPlace()
	nodeB     = synth.NewHost(macB, "10.0.0.57")
	nodeC     = synth.NewHost(macC, "10.0.0.58")
	images    = synth.NewHost("3c:ec:ef:00:00:03", "10.0.0.3")
	bystander = synth.NewHost("b8:59:9f:00:00:99", "10.0.0.99")
	gateway   = synth.NewHost("00:00:0c:00:00:01", "10.0.0.1")
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// sheet is a capture in the making.
type sheet struct{ synth.Capture }

func (s *sheet) at(n int, frame []byte) *sheet { s.Add(ms(n), frame); return s }

// dora is the lease of a PXE ROM from n ms on; the ACK comes after 2003 ms.
func (s *sheet) dora(n int, mac string, node synth.Host, xid uint32) *sheet {
	place.Lease(&s.Capture, ms(n), synth.PXERom(mac), xid, node.IP.String(), place.File)
	return s
}

// reads adds read requests for one file, each four seconds after the other.
func (s *sheet) reads(n int, node, server synth.Host, file string, tries int) *sheet {
	for i := range tries {
		s.at(n+4000*i, synth.IP{ID: uint16(n + i)}.UDP(node, server, 2070, 69, synth.TFTPRead(file, "octet")))
	}
	return s
}

// asks adds DNS queries of the bystander, none answered.
func (s *sheet) asks(n, queries int, server synth.Host, tags ...uint16) *sheet {
	for i := range queries {
		q := []byte{byte(i), 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1}
		s.at(n+20*i, synth.IP{ID: uint16(9000 + i), Tags: tags}.UDP(bystander, server, uint16(30000+i), 53, q))
	}
	return s
}

func (s *sheet) resolves(n int, node, server synth.Host) *sheet {
	return s.at(n, synth.ARP(1, node, synth.Host{IP: server.IP})).at(n+1, synth.ARP(2, server, node))
}

// ends lets time pass: two machines talk in both directions.
func (s *sheet) ends(n int) *sheet {
	return s.at(n-1, synth.UDP(bystander, gateway, 5000, 9000, []byte("x"))).at(n, synth.UDP(gateway, bystander, 9000, 5000, []byte("y")))
}

// silent is a node whose read requests to the rack are not answered: it was
// leased an address and told the rack's MAC.
func silent() *sheet {
	return new(sheet).dora(0, macB, nodeB, 1).resolves(2100, nodeB, place.Rack.Host).reads(2200, nodeB, place.Rack.Host, "lpxelinux.0", 5).ends(40000)
}

// without takes away what a host sends.
func (s *sheet) without(h synth.Host) *sheet { return &sheet{*s.OneWay(h.MAC)} }

// on puts everything onto an interface with these properties.
func (s *sheet) on(x capture.Interface) *sheet {
	x.Link = capture.LinkEthernet
	s.Ifaces = []capture.Interface{x}
	return s
}

func addr(s string) wire.Addr { return wire.MustAddr(s) }

// findingOf is a finding of a rule about a server.
func findingOf(rule string, server wire.MAC) *finding.Finding {
	return &finding.Finding{Rule: &finding.Rule{ID: rule, Absence: true}, Server: finding.Endpoint{MAC: server, Addr: addr("10.9.9.9")}}
}

func (s *sheet) sorted() *synth.Capture { return s.Join() }

// A gateCase is a capture and what must be left of it.
type gateCase struct {
	name  string
	c     *synth.Capture
	want  []string // "severity confidence rule" of errors and warnings, without notes
	gates []string // "gate: rules it affects" of those that must be reported, all of them
	also  []string // gates that may be reported too, without affecting anything
}

func (g *gateCase) check(t *testing.T, r *Report) {
	t.Helper()
	var got, gates []string
	for _, f := range r.Findings {
		if f.Severity == "error" || f.Severity == "warning" {
			got = append(got, f.Severity+" "+f.Confidence+" "+f.ID)
		}
	}
	slices.Sort(got)
	for _, q := range r.Quality {
		text := strings.TrimSpace(q.Gate + ": " + strings.Join(q.Affects, " "))
		if len(q.Affects) > 0 || !slices.Contains(g.also, q.Gate) {
			gates = append(gates, text)
		}
		if q.Detail == "" || strings.HasSuffix(q.Detail, ".") || strings.Contains(q.Detail, "%!") {
			t.Errorf("got sentence %q of %s", q.Detail, q.Gate)
		}
	}
	if !slices.Equal(got, g.want) {
		t.Errorf("got %q, want %q%s", got, g.want, dump(r))
	}
	if !slices.Equal(gates, g.gates) {
		t.Errorf("got gates %q, want %q%s", gates, g.gates, dump(r))
	}
}

func runGates(t *testing.T, cases []gateCase) {
	for _, g := range cases {
		t.Run(g.name, func(t *testing.T) { g.check(t, analyzed(t, g.c, Options{})) })
	}
}

const noTFTP = "error certain tftp-no-answer"

func TestOneSided(t *testing.T) {
	bothVLANs := silent()
	bothVLANs.asks(100, 12, synth.NewHost("3c:ec:ef:00:00:30", "10.30.0.2"), 30)
	logs := new(sheet).dora(0, macB, nodeB, 1).reads(2200, nodeB, images, "x", 5)
	for i := range 20 {
		logs.at(300*i, synth.UDP(nodeB, images, 514, 514, []byte("<6>hello")))
	}
	discovers := new(sheet)
	for i := range 12 {
		discovers.at(3000*i, synth.PXERom(macB).Discover(7, uint16(3*i)).Broadcast())
	}
	onlyServer := new(sheet).dora(0, macB, nodeB, 1)
	for i := range 12 {
		onlyServer.at(3000+10*i, synth.UDP(place.Rack.Host, bystander, 53, uint16(30000+i), []byte{1, 2, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1}))
	}
	runGates(t, []gateCase{
		{"twelve requests and nothing from any server", new(sheet).reads(0, nodeB, images, "x", 5).asks(10, 12, images).sorted(), nil, []string{"one-sided: tftp-no-answer"}, nil},
		{"nine requests are too few to tell", new(sheet).reads(0, nodeB, images, "x", 5).asks(10, 4, images).ends(40000).sorted(), []string{noTFTP}, nil, nil},
		{"the server answered ARP, and nothing else", new(sheet).resolves(0, nodeB, images).reads(10, nodeB, images, "x", 5).asks(20, 12, images).ends(40000).sorted(), []string{noTFTP}, nil, nil},
		{"the server sent ICMP", new(sheet).reads(0, nodeB, images, "x", 5).asks(20, 12, images).at(30, synth.Echo(images, gateway, false, 1, 1)).ends(40000).sorted(), []string{noTFTP}, nil, nil},
		{"requests go through a router that is heard", new(sheet).reads(0, nodeB, synth.Host{MAC: gateway.MAC, IP: images.IP}, "x", 5).
			asks(10, 12, synth.Host{MAC: gateway.MAC, IP: images.IP}).ends(40000).sorted(), []string{noTFTP}, nil, nil},
		{"broadcasts alone", discovers.ends(60000).sorted(), []string{"error certain dhcp-no-offer"}, nil, []string{"mid-flow"}},
		{"syslog has no answers", logs.ends(40000).sorted(), []string{noTFTP}, nil, nil},
		{"another VLAN is one-sided", bothVLANs.sorted(), []string{noTFTP}, []string{"one-sided:"}, nil},
		{"servers alone", onlyServer.without(synth.Host{MAC: synth.MAC(macB)}).sorted(), nil, []string{"one-sided:", "mid-flow:"}, nil},
		{"a whole boot without the rack", silent().asks(50, 12, place.Rack.Host).without(place.Rack.Host).sorted(), nil, []string{"one-sided: tftp-no-answer"}, nil},
	})
}

// connects adds a connection of which only the client's side is captured.
func (s *sheet) connects(n int, node, server synth.Host, port uint16, goesOn bool) *sheet {
	seq := uint32(port) * 1000
	s.at(n, synth.TCP(node, server, port, 80, synth.Segment{Flags: 2, Seq: seq, MSS: 1460}))
	if goesOn {
		s.at(n+1, synth.TCP(node, server, port, 80, synth.Segment{Flags: 16, Seq: seq + 1, Ack: 5001}))
		s.at(n+2, synth.TCP(node, server, port, 80, synth.Segment{Flags: 24, Seq: seq + 1, Ack: 5001, Payload: []byte("GET / HTTP/1.0\r\n\r\n")}))
	}
	return s
}

func TestAsymmetric(t *testing.T) {
	start := func() *sheet { return new(sheet).dora(0, macB, nodeB, 1).resolves(2100, nodeB, place.Rack.Host) }
	rising := func(server bool) *sheet {
		s := start()
		for i := range 5 {
			s.at(2200+i, synth.TCP(nodeB, images, 40000, 2049, synth.Segment{Flags: 16, Seq: 9, Ack: uint32(7000 + 1448*i)}))
		}
		if server {
			s.at(2300, synth.TCP(images, nodeB, 2049, 40000, synth.Segment{Flags: 24, Seq: 12792, Ack: 9, Payload: []byte("late")}))
		}
		return s.reads(2400, nodeB, images, "x", 5).ends(40000)
	}
	runGates(t, []gateCase{
		{"a MAC is used that nobody told", start().at(2200, synth.ARP(1, nodeB, synth.Host{IP: images.IP})).reads(2300, nodeB, images, "x", 5).ends(40000).sorted(),
			nil, []string{"asymmetric: tftp-no-answer"}, nil},
		{"the MAC was told", start().resolves(2200, nodeB, images).reads(2300, nodeB, images, "x", 5).ends(40000).sorted(), []string{noTFTP}, nil, nil},
		{"another node's requests to another server", start().at(2200, synth.ARP(1, nodeB, synth.Host{IP: images.IP})).reads(2300, nodeB, images, "x", 5).
			dora(100, macC, nodeC, 2).resolves(2250, nodeC, place.Rack.Host).reads(2400, nodeC, place.Rack.Host, "y", 5).ends(40000).sorted(),
			[]string{noTFTP}, []string{"asymmetric: tftp-no-answer"}, nil},
		{"connections that go on without SYN, ACK", start().resolves(2150, nodeB, images).connects(2200, nodeB, images, 40001, true).connects(3500, nodeB, images, 40002, true).
			connects(4800, nodeB, images, 40003, true).ends(40000).sorted(), nil, []string{"asymmetric:"}, nil},
		{"connections that do not go on", start().resolves(2150, nodeB, images).connects(2200, nodeB, images, 40001, false).connects(3500, nodeB, images, 40002, false).
			connects(4800, nodeB, images, 40003, false).ends(40000).sorted(), []string{"error certain tcp-syn-unanswered"}, nil, nil},
		{"data are acknowledged that nobody saw", rising(false).sorted(), nil, []string{"asymmetric: tftp-no-answer"}, nil},
		{"the data came after all", rising(true).sorted(), []string{noTFTP}, nil, nil},
		{"twelve requests to a server that is never heard", start().reads(2200, nodeB, images, "x", 12).ends(90000).sorted(), nil, []string{"asymmetric: tftp-no-answer"}, nil},
		{"a TFTP client that goes on at once", start().at(2200, synth.UDP(nodeB, place.Rack.Host, 2001, 69, synth.TFTPRead("a", "octet"))).
			at(2205, synth.UDP(nodeB, place.Rack.Host, 2002, 69, synth.TFTPRead("b", "octet"))).reads(2210, nodeB, place.Rack.Host, "c", 5).ends(40000).sorted(),
			nil, []string{"asymmetric: tftp-no-answer"}, nil},
		{"a TFTP client that repeats itself", silent().sorted(), []string{noTFTP}, nil, nil},
	})
}

// What a node does after its lease is unicast: where only broadcasts are shown,
// an ARP request tells that it does something.
func TestNoLoadNeedsSight(t *testing.T) {
	const noLoad = "error certain no-load-after-ack"
	dhcp := new(sheet).dora(0, macB, nodeB, 1).at(60000, synth.PXERom(macC).Discover(5, 0).Broadcast())
	broadcasts := func() *sheet {
		s := new(sheet).dora(0, macB, nodeB, 1)
		for i := range 6 {
			s.at(10000*i, synth.ARP(1, images, synth.Host{IP: gateway.IP}))
		}
		return s
	}
	runGates(t, []gateCase{
		{"DHCP alone, however little", dhcp.sorted(), nil, []string{"ends-early:", "filtered: no-load-after-ack"}, nil},
		{"other traffic is there", new(sheet).dora(0, macB, nodeB, 1).ends(60000).sorted(), []string{noLoad}, nil, nil},
		{"broadcasts alone, and the node does nothing", broadcasts().sorted(), []string{noLoad}, nil, nil},
		{"broadcasts alone, and the node asks for its server", broadcasts().at(2100, synth.ARP(1, nodeB, synth.Host{IP: place.Rack.Host.IP})).sorted(),
			nil, []string{"asymmetric: no-load-after-ack"}, nil},
		{"the node asks in sight of others, and does nothing", broadcasts().resolves(2100, nodeB, place.Rack.Host).ends(60001).sorted(), []string{noLoad}, nil, nil},
		{"the node loads from a port of no service", new(sheet).dora(0, macB, nodeB, 1).at(2500, synth.TCP(nodeB, images, 40000, 8999, synth.Segment{Flags: 2, Seq: 5})).ends(60000).sorted(),
			nil, nil, nil},
		{"the node asks for a name and gets none", new(sheet).dora(0, macB, nodeB, 1).at(2500, synth.UDP(nodeB, gateway, 40000, 53, []byte{1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1})).ends(60000).sorted(),
			[]string{noLoad}, nil, nil},
	})
}

func TestFiltered(t *testing.T) {
	// requests are DHCP and read requests alone, as "port 67 or 68 or 69" shows
	// them: one node's are nine packets.
	requests := func(nodes int) *sheet {
		s := new(sheet)
		for i := range nodes {
			mac := fmt.Sprintf("d4:ae:52:00:01:%02x", i)
			node := synth.NewHost(mac, fmt.Sprintf("10.0.0.%d", 100+i))
			s.dora(10*i, mac, node, uint32(i+1)).reads(2200+10*i, node, place.Rack.Host, "x", 5)
		}
		return s
	}
	filter := func(text string) *synth.Capture {
		return silent().on(capture.Interface{Name: "eth0", Filter: text}).sorted()
	}
	two := silent()
	two.Ifaces = []capture.Interface{{Name: "eth0", Link: capture.LinkEthernet}, {Name: "eth1", Link: capture.LinkEthernet, Filter: "port 69"}}
	manyDHCP := new(sheet)
	for i := range 6 {
		mac := fmt.Sprintf("d4:ae:52:00:02:%02x", i)
		manyDHCP.dora(11000*i, mac, synth.NewHost(mac, fmt.Sprintf("10.0.0.%d", 120+i)), uint32(i+1))
	}
	runGates(t, []gateCase{
		{"nine packets of DHCP and port 69", requests(1).sorted(), []string{noTFTP}, nil, nil},
		{"twenty-seven packets of DHCP and port 69", requests(3).sorted(), nil, []string{"filtered: tftp-no-answer"}, []string{"ends-early"}},
		{"twenty-four packets of DHCP", manyDHCP.sorted(), nil, []string{"filtered: no-load-after-ack", "filtered: no-load-after-ack"}, []string{"ends-early"}},
		{"ARP beside them", requests(3).resolves(5, bystander, gateway).sorted(), []string{noTFTP}, nil, nil},
		{"a recorded filter on port 69", filter("udp port 67 or 68 or 69"), nil, []string{"filtered: tftp-no-answer"}, nil},
		{"a recorded filter that only leaves out ssh", filter("not port 22"), []string{noTFTP}, []string{"filtered:"}, nil},
		{"a recorded filter on the node", filter("host 10.0.0.57 or ether host " + macB), []string{noTFTP}, []string{"filtered:"}, nil},
		{"a recorded filter on bytes that no TFTP reply has", filter("udp[8:2] = 1 or port 67"), nil, []string{"filtered: tftp-no-answer"}, nil},
		{"a recorded filter that nobody here understands", filter("len > 60 and udp[4:2] > 40 or port 67"), []string{"error likely tftp-no-answer"}, []string{"filtered: tftp-no-answer"}, nil},
		{"a recorded filter of another interface", two.sorted(), []string{noTFTP}, nil, nil},
	})
}

// The real capture of the case: a filter on DHCP and port 69 shows no answer.
func TestFilteredInTheWild(t *testing.T) {
	file := filepath.Join(corpus, "webtech", "pxe.cap")
	if _, err := os.Stat(file); err != nil {
		t.Skip("the corpus of other people's captures is not beside the project")
	}
	r := analyzeFile(t, file)
	for _, f := range r.Findings {
		if f.ID == "tftp-no-answer" || f.ID == "no-load-after-ack" {
			t.Errorf("got %s%s", f.ID, dump(r))
		}
	}
	if !slices.ContainsFunc(r.Quality, func(q Quality) bool { return q.Gate == "filtered" }) {
		t.Errorf("got no filter%s", dump(r))
	}
}

func TestPasses(t *testing.T) {
	data := missed{proto: 17, from: ephemeral, to: 2070, server: addr("10.0.0.2"), node: addr("10.0.0.57")}
	offer := missed{proto: 17, from: 67, to: 68}
	arp := missed{arp: true, server: data.server, node: data.node}
	web := missed{proto: 6, from: 80, to: 40000, server: data.server, node: data.node}
	part := missed{proto: 17, fragment: true, from: 67, to: 68}
	unknown := missed{from: 111, to: 700}
	for _, c := range []struct {
		filter string
		m      missed
		want   chance
	}{
		{"", data, always}, {"udp", data, always}, {"tcp", data, never}, {"ip", data, always}, {"ip", arp, never}, {"arp", arp, always},
		{"udp port 69", data, never}, {"port 67 or 68", offer, always}, {"port 67 or port 68", offer, always}, {"udp port bootps", offer, always},
		{"tcp port 67", offer, never}, {"src port 67", offer, always}, {"dst port 67", offer, never}, {"src or dst port 67", offer, always},
		{"portrange 1024-65535", data, always}, {"portrange 1024-40000", offer, never}, {"port 67", part, never}, {"udp", part, always},
		{"not port 22", data, always}, {"not tcp port 3389 and not arp", data, always}, {"not arp", arp, never}, {"!(port 67 or port 68)", offer, never},
		{"host 10.0.0.57", data, always}, {"host 10.0.0.99", data, never}, {"src host 10.0.0.2", data, always}, {"dst 10.0.0.2", data, never},
		{"host 10.0.0.57", offer, maybe}, {"host rack1", data, maybe}, {"net 10.0.0.0/8", data, maybe}, {"ether host d4:ae:52:00:00:0b", data, maybe},
		{"vlan", data, maybe}, {"vlan 30 and port 69", data, never}, {"vlan 30 or arp", arp, always}, {"udp[8:2] = 1", data, maybe},
		{"port 80 and host 10.0.0.57", web, always}, {"(port 80 or port 443) and tcp", web, always}, {"port 69 or (udp and port 68)", web, never},
		{"port 111", unknown, always}, {"tcp port 111", unknown, maybe}, {"port", data, maybe}, {"((((", data, maybe}, {"port 70000", data, maybe},
		{strings.Repeat("not ", 200) + "arp", data, never}, {strings.Repeat("(", 200) + "arp" + strings.Repeat(")", 200), arp, maybe},
	} {
		if got := passes(c.filter, &c.m); got != c.want {
			t.Errorf("%.60q, %+v: got %d, want %d", c.filter, c.m, got, c.want)
		}
	}
}

func FuzzPasses(f *testing.F) {
	for _, s := range []string{"port 67 or 68", "not (tcp port 22 and host 10.0.0.1)", "udp[8:2] = 1", "src or dst portrange 1-2", "!((", "vlan 3 and arp"} {
		f.Add(s)
	}
	m := missed{proto: 17, from: 67, to: 68, server: addr("10.0.0.2"), node: addr("10.0.0.57")}
	f.Fuzz(func(t *testing.T, s string) {
		if c := passes(s, &m); c < never || c > always {
			t.Errorf("got %d", c)
		}
		if len(s) < 200 && passes("arp and ("+s+")", &m) == always {
			t.Errorf("%q: what is no ARP passes", s)
		}
	})
}

func TestDrops(t *testing.T) {
	dropped := func(n uint64, known bool) *synth.Capture {
		return silent().on(capture.Interface{Name: "eth0", Dropped: capture.Count{Known: known, N: n}}).sorted()
	}
	other := silent()
	other.Ifaces = []capture.Interface{{Name: "eth0", Link: capture.LinkEthernet}, {Name: "eth1", Link: capture.LinkEthernet, Dropped: capture.Count{Known: true, N: 9}}}
	other.Packets = append(other.Packets, synth.Packet{At: ms(1), Data: synth.ARP(1, bystander, gateway), Iface: 1})
	lossy := func(n int) *synth.Capture {
		s := silent()
		for i := range n {
			v := s.Dial(ms(50+100*i), bystander, uint16(40000+i), gateway, 80).Open()
			v.Transmit(true, make([]byte, 100)).Advance(true, 100).Advance(true, 500) // 500 bytes are not captured
			v.Transmit(true, make([]byte, 100)).Advance(true, 100).ACK(false)
		}
		return s.sorted()
	}
	reordered := silent()
	v := reordered.Dial(ms(50), bystander, 40000, gateway, 80).Open()
	for range 5 {
		v.Advance(true, 500).Transmit(true, make([]byte, 100)).Advance(true, -500).Transmit(true, make([]byte, 500)).Advance(true, 600).ACK(false)
	}
	const likely = "error likely tftp-no-answer"
	runGates(t, []gateCase{
		{"none", dropped(0, true), []string{noTFTP}, nil, nil},
		{"not known", dropped(0, false), []string{noTFTP}, nil, nil},
		{"one packet", dropped(1, true), []string{likely}, []string{"drops: tftp-no-answer"}, nil},
		{"a third of all", dropped(10, true), []string{"warning likely tftp-no-answer"}, []string{"drops: tftp-no-answer"}, nil},
		{"on another interface", other.sorted(), []string{noTFTP}, []string{"drops:"}, nil},
		{"TCP acknowledges what is not there", lossy(3), []string{likely}, []string{"drops: tftp-no-answer"}, nil},
		{"once may be anything", lossy(2), []string{noTFTP}, nil, nil},
		{"segments out of order", reordered.sorted(), []string{noTFTP}, nil, nil},
	})
}

func TestClockGate(t *testing.T) {
	within := silent()
	jump := func(n int, d time.Duration) *synth.Capture { return within.Join().StepBack(ms(n), d) }
	runGates(t, []gateCase{
		{"a step back between the requests", jump(4000, time.Hour), nil, []string{"clock: tftp-no-answer"}, nil},
		{"a step forward between the requests", jump(4000, -time.Hour), nil, []string{"clock: tftp-no-answer"}, nil},
		{"a step before the requests", jump(1500, time.Hour), []string{noTFTP}, []string{"clock:"}, nil},
		{"a step after the deadline", jump(40000, time.Hour), []string{noTFTP}, []string{"clock:"}, nil},
		{"a pause of less than 300 s", jump(1500, -200*time.Second), []string{noTFTP}, nil, nil},
		{"two queues", new(sheet).at(500, synth.ARP(1, bystander, gateway)).at(400, synth.ARP(1, bystander, gateway)).at(39999, synth.ARP(1, bystander, gateway)).Join(), nil, nil, nil},
	})
	// What was said before the step stands, whatever comes behind it.
	s := silent().reads(50000, nodeB, place.Rack.Host, "lpxelinux.0", 3).ends(80000)
	r := analyzed(t, s.Join().StepBack(ms(52000), time.Hour), Options{})
	if got := atLeast(r, "error"); !slices.Equal(got, []string{"tftp-no-answer " + macB}) {
		t.Errorf("got %q, want the finding from before the step%s", got, dump(r))
	}
}

// onTwo is a capture on two interfaces, the second one's clock later by d.
func onTwo(s *sheet, d time.Duration) *synth.Capture {
	s.Ifaces = []capture.Interface{{Name: "eth0", Link: capture.LinkEthernet}, {Name: "eth1", Link: capture.LinkEthernet}}
	for _, p := range slices.Clone(s.Packets) {
		p.At, p.Iface = p.At+d, 1
		s.Packets = append(s.Packets, p)
	}
	return s.Join()
}

func TestMerge(t *testing.T) {
	slow := func() *sheet {
		c, rack := synth.PXERom(macC), place.Rack
		rack.File = place.File
		d := c.Discover(77, 0)
		offer := rack.Offer(d, "10.0.0.58")
		return new(sheet).dora(0, macB, nodeB, 1).at(100, d.Broadcast()).at(4000, rack.Frame(offer)).at(4500, c.Request(offer, 2).Broadcast()).
			at(4501, rack.Frame(rack.Ack(c.Request(offer, 2), "10.0.0.58"))).ends(9000)
	}
	copies := []string{"duplicates"}
	runGates(t, []gateCase{
		{"two interfaces of one host", onTwo(silent(), 2*time.Millisecond), []string{noTFTP}, nil, copies},
		{"two hosts whose clocks differ", onTwo(silent(), 7*time.Second), []string{"error likely tftp-no-answer"}, []string{"merge: tftp-no-answer"}, copies},
		{"a slow offer, one clock", slow().sorted(), []string{"warning certain dhcp-slow-offer"}, nil, []string{"ends-early"}},
		{"a slow offer, two clocks", onTwo(slow(), 7*time.Second), nil, []string{"merge: dhcp-slow-offer"}, []string{"ends-early", "duplicates"}},
	})
}

// again adds each packet once more, changed.
func (s *sheet) again(change func(p *synth.Packet)) *synth.Capture {
	for _, p := range slices.Clone(s.Packets) {
		p.At += 300 * time.Microsecond
		p.Data = slices.Clone(p.Data)
		change(&p)
		s.Packets = append(s.Packets, p)
	}
	return s.Join()
}

func TestCopyGates(t *testing.T) {
	routed := func(p *synth.Packet) {
		if p.Data[12] != 8 || p.Data[13] != 0 {
			return
		}
		copy(p.Data[6:], gateway.MAC[:])
		p.Data[22]--
	}
	tagged := func(p *synth.Packet) {
		p.Data = slices.Concat(p.Data[:12], []byte{0x81, 0, 0, 30}, p.Data[12:])
	}
	relay := new(sheet)
	agent := synth.NewHost("00:00:0c:00:00:02", "10.0.0.254")
	d := synth.PXERom(macB).Discover(9, 0)
	relay.at(0, d.Broadcast()).at(1, d.Relayed(agent, place.Rack.Host, "10.0.0.254")).ends(2000)
	direct := new(sheet).at(0, d.Broadcast()).ends(2000)
	runGates(t, []gateCase{
		{"both directions of a SPAN port", silent().again(func(*synth.Packet) {}), []string{noTFTP}, []string{"duplicates:"}, nil},
		{"before and after a router", silent().again(routed), []string{noTFTP}, []string{"duplicates:", "routed-copy:"}, nil},
		{"inside and outside of a trunk", silent().again(tagged), []string{noTFTP}, []string{"duplicates:", "trunk:"}, nil},
		{"a few copies are not worth a note", func() *synth.Capture { s := silent(); s.at(2200, s.Packets[0].Data); return s.sorted() }(), []string{noTFTP}, nil, nil},
		{"both sides of a relay", relay.sorted(), nil, []string{"ends-early:", "relay-twice:"}, nil},
		{"one side of a relay", direct.sorted(), nil, []string{"ends-early:"}, nil},
	})
}

func TestOtherGates(t *testing.T) {
	big := func(n int) *synth.Capture {
		return silent().at(39000, synth.TCP(gateway, bystander, 80, 40000, synth.Segment{Flags: 16, Seq: 1, Ack: 1, Payload: make([]byte, n)})).sorted()
	}
	snapped := silent().sorted().Snapped(300)
	running := silent()
	running.at(0, synth.TCP(bystander, gateway, 50000, 22, synth.Segment{Flags: 16, Seq: 1, Ack: 1}))
	late := silent()
	late.at(30000, synth.TCP(bystander, gateway, 50000, 22, synth.Segment{Flags: 16, Seq: 1, Ack: 1}))
	runGates(t, []gateCase{
		{"a full-size frame", big(1460), []string{noTFTP}, nil, nil},
		{"a frame that no wire carries", big(4000), []string{noTFTP}, []string{"offload:"}, nil},
		{"a tagged full-size frame", func() *synth.Capture {
			return silent().sorted().Join((&synth.Capture{Packets: big(1460).Packets[len(big(1460).Packets)-3:]}).Tagged(30))
		}(), []string{noTFTP}, nil, []string{"trunk"}},
		{"a snap length", snapped, []string{noTFTP}, []string{"snaplen:"}, nil},
		{"a session that runs when the capture begins", running.sorted(), []string{noTFTP}, []string{"mid-flow:"}, nil},
		{"one that the capture misses later", late.sorted(), []string{noTFTP}, nil, nil},
		{"the capture ends within the grace", silent().sorted().Until(ms(2300)), nil, []string{"ends-early:"}, nil},
	})
}

// Offload concerns the findings about checksums and sizes of the host that has
// it, and nobody else's.
func TestOffloadScope(t *testing.T) {
	q := newQuality(site.Default(), catalog.Default())
	frames, svcs, dirs := qualityFrames(t, new(sheet).at(0, synth.TCP(gateway, bystander, 80, 40000, synth.Segment{Flags: 16, Payload: make([]byte, 4000)})).sorted())
	q.met(&frames[0], svcs[0], dirs[0])
	huge := newQuality(site.Default(), catalog.Default())
	frames, svcs, dirs = qualityFrames(t, new(sheet).at(0, synth.TCP(gateway, bystander, 80, 40000, synth.Segment{Flags: 16, Payload: make([]byte, 20000)})).sorted())
	huge.met(&frames[0], svcs[0], dirs[0])
	for _, c := range []struct {
		name string
		q    *quality
		rule string
		mac  [6]byte
		want doubt
	}{
		{"checksums of the host", q, "bad-udp-checksum-reply", gateway.MAC, withhold},
		{"checksums of another host", q, "bad-udp-checksum-reply", images.MAC, noDoubt},
		{"sizes, and the frames may be jumbo", q, "path-mtu-black-hole", gateway.MAC, noDoubt},
		{"sizes, beyond jumbo", huge, "path-mtu-black-hole", gateway.MAC, withhold},
		{"sizes of another host", huge, "fragments-lost", images.MAC, noDoubt},
		{"silence", huge, "tftp-no-answer", gateway.MAC, noDoubt},
	} {
		f := findingOf(c.rule, c.mac)
		if got := c.q.offload(c.q.interfaceSums([]segment{{}})).doubts(f); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestLocalVirt(t *testing.T) {
	rogue := func(name string) *synth.Capture {
		s := &sheet{*synth.RogueAndStall()}
		return s.on(capture.Interface{Name: name}).sorted()
	}
	for name, accused := range map[string]bool{"eth0": true, "br-prov": true, "virbr0": false, "vnet3": false, "tap7": false, "lxdbr0": false, "docker0": false, "veth12ab": false} {
		r := analyzed(t, rogue(name), Options{})
		found := slices.ContainsFunc(r.Findings, func(f Finding) bool { return strings.HasPrefix(f.ID, "dhcp-rogue-") })
		gate := slices.ContainsFunc(r.Quality, func(q Quality) bool { return q.Gate == "local-virt" && len(q.Affects) > 0 })
		if found != accused || gate == accused {
			t.Errorf("%s: accused %v, gate %v, want %v, %v%s", name, found, gate, accused, !accused, dump(r))
		}
		if !slices.Contains(atLeast(r, "error"), "tftp-no-answer d4:ae:52:00:10:03") {
			t.Errorf("%s: a finding about TFTP is gone%s", name, dump(r))
		}
	}
}

// A capture on "any" is said to be one, and whether the accused libvirt is the
// capturing host's own cannot be told from it.
func TestAnyInterface(t *testing.T) {
	cooked := func(outgoing string) *synth.Capture {
		s := &sheet{*synth.RogueAndStall()}
		for i := range s.Packets {
			p := &s.Packets[i]
			kind := byte(0)
			if synth.MAC(outgoing) == [6]byte(p.Data[6:12]) {
				kind = 4
			}
			p.Data = slices.Concat([]byte{0, kind, 0, 1, 0, 6}, p.Data[6:12], []byte{0, 0}, p.Data[12:])
			p.Link = capture.LinkSLL
		}
		return s.sorted()
	}
	for mac, accused := range map[string]bool{"52:54:00:8f:3c:11": false, "52:54:00:00:00:02": true} {
		r := analyzed(t, cooked(mac), Options{})
		found := slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.ID == "dhcp-rogue-libvirt" })
		if found != accused {
			t.Errorf("captured on %s: accused %v, want %v%s", mac, found, accused, dump(r))
		}
		if !slices.ContainsFunc(r.Quality, func(q Quality) bool { return q.Gate == "any-interface" }) {
			t.Errorf("got no word about the cooked capture%s", dump(r))
		}
	}
}

func TestInconclusive(t *testing.T) {
	oneWay := silent().ends(80000).asks(50, 12, place.Rack.Host).without(place.Rack.Host).sorted()
	booted := new(sheet)
	place.Boot(&booted.Capture, 0, macC, "10.0.0.58", 0x77)
	other := booted.sorted().Join(new(sheet).reads(100, synth.NewHost(macD, "10.0.9.9"), images, "x", 5).asks(10, 12, images).sorted().Tagged(30))
	for _, c := range []struct {
		name string
		c    *synth.Capture
		want bool
	}{
		{"a healthy boot", synth.HealthyBoot(), false},
		{"faults that are proven", synth.FiveFaults(), false},
		{"one direction", oneWay, true},
		{"one direction of one VLAN, and a boot beside it", other, true},
		{"one direction and a fault that is proven", synth.FiveFaults().Join(new(sheet).asks(10, 12, images).sorted().Tagged(30)), false},
		{"the capture ends within the grace", silent().sorted().Until(ms(2300)), false},
		{"drops alone", silent().on(capture.Interface{Name: "eth0", Dropped: capture.Count{Known: true, N: 10}}).sorted(), false},
		{"libvirt at home", (&sheet{*new(sheet).dora(0, macB, nodeB, 1).ends(3000).sorted()}).on(capture.Interface{Name: "virbr0"}).sorted(), false},
		{"nothing at all", &synth.Capture{}, false},
	} {
		r := analyzed(t, c.c, Options{})
		if r.Inconclusive != c.want {
			t.Errorf("%s: got %v, want %v%s", c.name, r.Inconclusive, c.want, dump(r))
		}
	}
	// The verdict says what it could not tell.
	if n := nodeOf(t, analyzed(t, oneWay, Options{}), macB); n.Outcome != "unknown" || !strings.Contains(n.Verdict, "tftp-no-answer the capture cannot show (one-sided)") {
		t.Errorf("got %s: %s", n.Outcome, n.Verdict)
	}
}

// The tables that watch a capture are bounded.
func TestQualityBounds(t *testing.T) {
	q := newQuality(site.Default(), catalog.Default())
	frames, svcs, dirs := qualityFrames(t, new(sheet).asks(0, 1, images).sorted())
	f := frames[0]
	for i := range 200_000 {
		f.SrcMAC = [6]byte{2, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		f.Src[12], f.Src[13], f.Src[14], f.Src[15] = byte(i>>24), byte(i>>16), byte(i>>8), byte(i)
		f.Iface = i
		q.met(&f, svcs[0], dirs[0])
	}
	if n := len(q.segments); n > maxSegments {
		t.Errorf("got %d segments, want at most %d", n, maxSegments)
	}
	if n := max(len(q.hosts.addrs), len(q.hosts.macs)); n > maxHosts {
		t.Errorf("got %d hosts, want at most %d", n, maxHosts)
	}
	if !q.hosts.heard(findingOf("x", [6]byte{9}).Server) {
		t.Error("beyond the bound somebody counts as never heard")
	}
}
