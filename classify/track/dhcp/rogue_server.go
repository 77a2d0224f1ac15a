package dhcp

import (
	"strconv"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
)

// RuleRogueServer is dhcp-rogue-server.
var RuleRogueServer = &finding.Rule{
	ID: "dhcp-rogue-server", Ref: "FM-03", Severity: finding.Error, Confidence: finding.Certain,
	Title: "A DHCP server that was not invited answers",
	Detect: "With an allow-list (DHCP servers and racks of the site): a server outside it gives an address in an OFFER or ACK, refuses one with a NAK, or is named in a REQUEST. " +
		"Servers are told apart by option 54, source MAC and VLAN. Not counted are answers without an address (proxyDHCP), other addresses of an invited machine, a relay's address " +
		"in option 54, and a failover peer that gives the same network, router, name servers and domain as an invited server. " +
		"Without a list it is a warning, and only where the difference is plain: the server is of a kind that nobody invites (a hypervisor's or connection sharing's network), or it offers " +
		"clients that boot nothing to boot, in another subnet, while a second server on the segment gives them a boot file. All else is dhcp-several-servers.",
	Means: "Clients that take its lease land in the wrong network: no boot file, a gateway or name server that leads nowhere, refused renewals. In order of likelihood: a home router or access point, " +
		"a hypervisor's network bridged to the wire, a lab appliance, a BMC or switch with its DHCP service on.",
	Next: "Find it by its MAC in the switches' MAC tables, unplug it or switch its DHCP service off, then enable DHCP snooping. If it belongs here, add it to the allow-list.",
	Traps: "One server may answer under several addresses; a relay's address is the source of relayed answers and, with RFC 5107, option 54 too; two halves of a failover pair are two servers " +
		"on purpose; other VLANs have their own.",
	References: []string{"RFC 2131 section 4.3", "RFC 5107", "RFC 3046", "pxescope field catalogue FM-03, 3.5"},
	Rank:       finding.RankRogue,
}

// RuleSeveralServers is dhcp-several-servers.
var RuleSeveralServers = &finding.Rule{
	ID: "dhcp-several-servers", Severity: finding.Warning, Confidence: finding.Certain,
	Title: "Several DHCP servers hand out addresses on one segment",
	Detect: "Two or more servers with different ids and MACs give addresses to clients of one VLAN, or through one relay. It is a note when they all give the same subnet, mask, router, " +
		"name servers and domain: a failover pair. ProxyDHCP servers, which give no address, do not count, and neither do servers that another finding reports as uninvited.",
	Means: "One DHCP server per VLAN is the rule of a provisioning network. With two that differ, the network, gateway and boot file of a node depend on which answer it takes. " +
		"In order of likelihood: an infrastructure DHCP server beside the provisioning one; two provisioning systems on one VLAN; an uninvited server that looks like the others; a failover pair.",
	Next:       "Decide which one serves this VLAN and name it with --dhcp-server: the others are then reported by name. Or tell them apart by reservations and classes, so that only one answers each node.",
	Traps:      "Failover peers; a proxyDHCP server; several addresses of one server; several networks in one capture on \"any\".",
	References: []string{"RFC 2131 section 3.1", "pxescope field catalogue 3.5"},
}

// several reports that more than one server gives addresses on a segment, and
// takes it back when uninvited ones explain it.
func (s *Servers) several(vlan uint16, face int32, out *track.Out) {
	var all []*server
	s.servers.Each(func(k serverKey, v *server, _ capture.Time) {
		if k.vlan == vlan && k.face == face && v.gave && v.verdict == nil {
			all = append(all, v)
		}
	})
	var shown []*server
	together := true
	for i, a := range all {
		beside, again := false, false
		for j, b := range all {
			if i == j {
				continue
			}
			if same(a, b) {
				again = again || j < i
				continue
			}
			if shareSegment(a, b) {
				beside = true
				together = together && peers(a, b)
			}
		}
		if beside && !again {
			shown = append(shown, a)
		}
	}
	g := s.segment(segmentKey{vlan, face})
	subject := segmentName(g.key)
	if len(shown) < 2 {
		if g.several != "" {
			g.several = ""
			out.Withdraw(track.Withdrawal{Rule: RuleSeveralServers, Subject: subject})
		}
		return
	}
	const most = 16
	shown = shown[:min(len(shown), most)]
	f := finding.Finding{
		Rule: RuleSeveralServers, Subject: subject, Severity: finding.Warning, Confidence: finding.Certain,
		VLAN: vlan, Iface: int(face), First: shown[0].first,
	}
	var ids, cards []string
	for _, v := range shown {
		ids = append(ids, v.key.id.String())
		cards = append(cards, strings.Join([]string{v.key.id.String(), v.key.mac.String(), v.shape.program(), v.terms.subnet.String()}, " "))
		f.First, f.Last = min(f.First, v.first), max(f.Last, v.last)
		f.Frames = append(f.Frames, v.frames[0])
	}
	f.Summary = count(len(ids), "DHCP server") + " hand out addresses in " + subject + ": " + strings.Join(ids, ", ")
	if together {
		f.Severity = finding.Note
		f.Summary += "; they agree, as a failover pair does"
	}
	state := f.Severity.String() + " " + strings.Join(ids, " ")
	if state == g.several {
		return
	}
	g.several = state
	f.Facts = []finding.Fact{{Key: "servers", Value: ids}, {Key: "details", Value: cards}, {Key: "peers", Value: together}}
	out.Find(f)
}

// segmentName is how a segment is called in findings.
func segmentName(k segmentKey) string {
	name := "the untagged network"
	if k.vlan != 0 {
		name = "VLAN " + strconv.Itoa(int(k.vlan))
	}
	if k.face != 0 {
		name += " of interface " + strconv.Itoa(int(k.face)+1)
	}
	return name
}
