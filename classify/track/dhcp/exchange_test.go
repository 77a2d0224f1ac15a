package dhcp_test

import (
	"net/netip"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/arp"
	"github.com/pxescope/pxescope/classify/track/dhcp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
)

// The cast of the scenarios.
const (
	nodeMAC  = "52:54:00:12:34:56"
	otherMAC = "52:54:00:12:34:57"
	nodeAddr = "10.0.0.57"
)

var (
	server   = synth.DHCPServer{Host: synth.NewHost("a0:00:00:00:00:02", "10.0.0.2"), Shape: synth.ISCDhcpd, Router: "10.0.0.1", File: "bootx64.efi", Next: "10.0.0.2"}
	bare     = synth.DHCPServer{Host: synth.NewHost("a0:00:00:00:00:03", "10.0.0.3"), Shape: synth.ISCDhcpd, Router: "10.0.0.1"}
	proxy    = synth.DHCPServer{Host: synth.NewHost("a0:00:00:00:00:04", "10.0.0.4"), Shape: synth.GoServer, File: "ipxe.efi", Next: "10.0.0.4"}
	router   = synth.NewHost("a0:00:00:00:00:01", "10.0.0.1")
	useFile  = synth.OptBytes(6, 8) // option 43.6: take the boot file of the offer
	uefi     = synth.UEFI(nodeMAC, 7)
	rom      = synth.PXERom(nodeMAC)
	ipxe     = synth.IPXE(nodeMAC, 7)
	udhcpc   = synth.Udhcpc(nodeMAC)
	dhclient = synth.Dhclient(nodeMAC)
)

func at(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// A scene is a capture in the making.
type scene struct{ synth.Capture }

func (s *scene) add(seconds float64, frame []byte) *scene {
	s.Add(at(seconds), frame)
	return s
}

func (s *scene) capture() *synth.Capture { return s.Join() }

// discovers adds unanswered DISCOVERs at times.
func (s *scene) discovers(c synth.DHCPClient, xid uint32, times ...float64) *scene {
	for i, t := range times {
		s.add(t, c.Discover(xid, coded(c, i+1, false)).Broadcast())
	}
	return s
}

// coded is secs of the n-th send.
func coded(c synth.DHCPClient, n int, hasOffer bool) uint16 {
	if !c.CodedSecs {
		return 0
	}
	if hasOffer {
		return uint16(n<<2 | 2)
	}
	return uint16(n << 2)
}

// offered adds DISCOVERs at times, each answered by servers 1 ms later.
func (s *scene) offered(c synth.DHCPClient, xid uint32, servers []synth.DHCPServer, times ...float64) *scene {
	for i, t := range times {
		d := c.Discover(xid, coded(c, i+1, i > 0))
		s.add(t, d.Broadcast())
		for j, v := range servers {
			s.add(t+0.001*float64(j+1), v.Frame(v.Offer(d, nodeAddr)))
		}
	}
	return s
}

// dora adds a whole exchange: DISCOVER, OFFER, REQUEST after wait, ACK.
func (s *scene) dora(start float64, c synth.DHCPClient, v synth.DHCPServer, xid uint32, wait float64) *scene {
	d := c.Discover(xid, coded(c, 1, false))
	o := v.Offer(d, nodeAddr)
	r := c.Request(o, coded(c, 2, true))
	s.add(start, d.Broadcast()).add(start+0.001, v.Frame(o))
	return s.add(start+wait, r.Broadcast()).add(start+wait+0.001, v.Frame(v.Ack(r, nodeAddr)))
}

// ours are the rules of the exchanges; what Servers finds is tested elsewhere.
var ours = []*finding.Rule{
	dhcp.RuleNoOffer, dhcp.RuleNoBootInfo, dhcp.RuleNAK, dhcp.RuleOfferIgnored, dhcp.RuleRequestUnanswered, dhcp.RuleProxyConflict,
	dhcp.RuleNo4011Answer, dhcp.RuleNoBootServer, dhcp.RuleRelayBroken, dhcp.RuleRelayOffRack, dhcp.RuleBootOptionsOffRack, dhcp.RuleSlowOffer,
	dhcp.RuleReplyFiltered, dhcp.RuleBadChecksum, dhcp.RulePingCheck, dhcp.RuleIPXEWaiting, dhcp.RuleUEFICollecting,
	dhcp.RuleRenew, dhcp.RuleProbeMAAS, dhcp.RuleProbeXCAT, dhcp.RuleProbeNmap, arp.RuleDuplicateAddress,
}

// said lists our findings as "severity id", sorted; dhcp-ok only when asked
// for by TestLease.
func said(r *tracktest.Result) []string {
	list := []string{}
	for _, f := range r.Findings {
		if slices.Contains(ours, f.Rule) {
			list = append(list, f.Severity.String()+" "+f.Rule.ID)
		}
	}
	slices.Sort(list)
	return list
}

func run(t *testing.T, c *synth.Capture, cfg *track.Config) *tracktest.Result {
	t.Helper()
	return tracktest.Run(t, c, cfg, dhcp.Spec)
}

// racks is a site with one rack.
func racks(addr string) *track.Config {
	cfg := tracktest.Config()
	cfg.Site.Racks = []netip.Addr{netip.MustParseAddr(addr)}
	return cfg
}

// A ruleTest is one scenario. A fault is also played through the gates: seen
// twice it is the same fault, cut to 96 bytes it is none, and before its
// deadline has come it is none either.
type ruleTest struct {
	name  string
	scene *scene
	cfg   *track.Config
	want  []string
	until float64 // the capture that ends here must not show the first of want
	from  float64 // nor the one that begins here
}

func (x ruleTest) run(t *testing.T) {
	c := x.scene.capture()
	if d := cmp.Diff(x.want, said(run(t, c, x.cfg))); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	if d := cmp.Diff(x.want, said(run(t, c.Doubled(), x.cfg))); d != "" {
		t.Errorf("findings of the doubled capture (-want +got):\n%s", d)
	}
	if len(x.want) == 0 {
		return
	}
	for _, f := range run(t, c.Snapped(96), x.cfg).Findings {
		if slices.Contains(ours, f.Rule) && f.Severity > finding.OK {
			t.Errorf("with snap length 96: got %s %s, want silence", f.Severity, f.Rule.ID)
		}
	}
	gone := func(gate string, c *synth.Capture) {
		t.Helper()
		if got := said(run(t, c, x.cfg)); slices.Contains(got, x.want[0]) {
			t.Errorf("%s: got %v, want no %q", gate, got, x.want[0])
		}
	}
	if x.until > 0 {
		gone("until", c.Until(at(x.until)))
	}
	if x.from > 0 {
		gone("from", c.From(at(x.from)))
	}
}

func runAll(t *testing.T, tests []ruleTest) {
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			if x.want == nil {
				x.want = []string{}
			}
			x.run(t)
		})
	}
}

// later adds a packet of somebody else, so that deadlines pass.
func (s *scene) later(seconds float64) *scene {
	return s.add(seconds, synth.ARP(1, synth.NewHost("a0:00:00:00:00:99", "10.0.0.99"), synth.NewHost("00:00:00:00:00:00", "10.0.0.98")))
}

// Thresholds are documented by the names that a site file uses.
func TestRulesNameTheirThresholds(t *testing.T) {
	known := map[string]bool{}
	for _, x := range site.Table {
		known[x.Name] = true
	}
	word := regexp.MustCompile(`[a-z]+(_[a-z]+)+`)
	for _, r := range ours {
		if r == arp.RuleDuplicateAddress {
			continue
		}
		for _, w := range word.FindAllString(r.Detect, -1) {
			if !known[w] {
				t.Errorf("%s: Detect names %q, which is no threshold", r.ID, w)
			}
		}
		if !slices.Contains(dhcp.Spec.Rules, r) {
			t.Errorf("%s is not in Spec.Rules", r.ID)
		}
		if r.Title == "" || r.Detect == "" || r.Means == "" || r.Next == "" || r.Traps == "" || len(r.References) == 0 {
			t.Errorf("%s is not documented in full", r.ID)
		}
	}
}
