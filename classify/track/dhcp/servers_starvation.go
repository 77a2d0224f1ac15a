package dhcp

import (
	"fmt"
	"slices"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// RuleStarvation is dhcp-starvation.
var RuleStarvation = &finding.Rule{
	ID: "dhcp-starvation", Severity: finding.Note, Confidence: finding.Possible,
	Title:      "Addresses are asked for in the name of many made-up clients",
	Detect:     "On one segment, not through a relay, DISCOVERs of 16 or more clients (chaddr) come from Ethernet sources that are not those clients.",
	Means:      "In order of likelihood: a load test of the DHCP server; a wireless bridge or a NIC that rewrites the source of what it forwards; an attack that empties the pool.",
	Next:       "Find the stations by the MACs below in the switches' MAC tables; DHCP snooping with MAC verification and a rate limit stops them.",
	Traps:      "A relay sends for many clients too, but sets giaddr.",
	References: []string{"RFC 2131 section 7", "RFC 7819 section 3"},
}

const sprayClients = 16

// sprayed counts the clients in whose name others ask.
type sprayed struct {
	n      int
	seen   [sprayClients]wire.MAC
	source [sprayClients]wire.MAC
	at     capture.Time
	frames []capture.FrameID
}

// forged reports whether a request comes from an Ethernet source that is not
// its client, without a relay that would explain it.
func forged(f *wire.Frame, m Message) bool {
	return !f.SrcMAC.IsZero() && m.HLen() == 6 && f.SrcMAC != m.CHAddr() && m.GIAddr().IsZero() && f.SrcPort != PortServer
}

// spray follows forged DISCOVERs.
func (s *Servers) spray(f *wire.Frame, m Message, out *track.Out) {
	if !forged(f, m) {
		return
	}
	g := s.segment(segmentOf(f))
	p, mac := &g.sprayed, m.CHAddr()
	if p.n == sprayClients || slices.Contains(p.seen[:p.n], mac) {
		return
	}
	if p.n == 0 {
		p.at = f.Time
	}
	p.seen[p.n], p.source[p.n] = mac, f.SrcMAC
	p.n++
	p.frames = append(p.frames, f.ID)
	if p.n < sprayClients {
		return
	}
	var sources []string
	for _, x := range p.source {
		if m := x.String(); !slices.Contains(sources, m) {
			sources = append(sources, m)
		}
	}
	out.Find(finding.Finding{
		Rule: RuleStarvation, Subject: segmentName(g.key), Severity: finding.Note, Confidence: finding.Possible,
		VLAN: g.key.vlan, Iface: f.Iface,
		Summary: fmt.Sprintf("%d clients or more are asked for by %s, none of them itself", p.n, count(len(sources), "other station")),
		Facts:   []finding.Fact{{Key: "source_macs", Value: sources}, {Key: "clients", Value: p.n}},
		Frames:  p.frames, First: p.at, Last: f.Time,
	})
}
