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
	Title:      "One station asks for addresses in the name of many clients",
	Detect:     "One Ethernet source sends DISCOVERs, not through a relay, with 16 or more different client addresses (chaddr), none of which is its own.",
	Means:      "In order of likelihood: a load test of the DHCP server; a wireless bridge or a NIC that rewrites the source of what it forwards; an attack that empties the pool.",
	Next:       "Find the station by its MAC in the switches' MAC tables; DHCP snooping with MAC verification and a rate limit stops it.",
	Traps:      "A relay sends for many clients too, but sets giaddr.",
	References: []string{"RFC 2131 section 7", "RFC 7819 section 3"},
}

const sprayClients = 16

// sprayed counts the clients in whose name one station asks. It remembers one
// suspect per segment: the last that began.
type sprayed struct {
	mac    wire.MAC
	n      int
	seen   [sprayClients]wire.MAC
	at     capture.Time
	frames []capture.FrameID
	said   bool
}

// spray follows DISCOVERs whose Ethernet source is not their client.
func (s *Servers) spray(f *wire.Frame, m Message, out *track.Out) {
	mac := m.CHAddr()
	if f.SrcMAC.IsZero() || f.SrcMAC == mac || !m.GIAddr().IsZero() || m.HLen() != 6 {
		return
	}
	g := s.segment(segmentOf(f))
	p := &g.sprayed
	if p.mac != f.SrcMAC {
		if p.said {
			return
		}
		*p = sprayed{mac: f.SrcMAC, at: f.Time}
	}
	if p.said || slices.Contains(p.seen[:p.n], mac) {
		return
	}
	p.seen[p.n] = mac
	p.n++
	p.frames = finding.AppendFrame(p.frames, f.ID)
	if p.n < sprayClients {
		return
	}
	p.said = true
	out.Find(finding.Finding{
		Rule: RuleStarvation, Subject: f.SrcMAC.String(), Severity: finding.Note, Confidence: finding.Possible,
		Server: finding.Endpoint{MAC: f.SrcMAC}, VLAN: g.key.vlan, Iface: f.Iface,
		Summary: fmt.Sprintf("%s sent DISCOVERs for %d or more clients, none of them itself", f.SrcMAC, p.n),
		Facts:   []finding.Fact{{Key: "source_mac", Value: f.SrcMAC.String()}, {Key: "clients", Value: p.n}},
		Frames:  p.frames, First: p.at, Last: f.Time,
	})
}
