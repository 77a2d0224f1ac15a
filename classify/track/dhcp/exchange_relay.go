package dhcp

import (
	"fmt"

	"net/netip"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// relays are the relay agents seen, and what was said of them.
type relays struct {
	agents map[wire.Addr]struct{}           // giaddr
	off    map[[2]wire.Addr]finding.Finding // giaddr and target: relay-off-rack
}

// maxAgents bounds the relays remembered; giaddr is whatever a packet says.
const maxAgents = 1024

// relayed reads a request that a relay agent passed on.
func (t *tracker) relayed(f *wire.Frame, m Message, out *track.Out) {
	r, agent := &t.relays, m.GIAddr()
	if _, ok := r.agents[agent]; !ok && len(r.agents) < maxAgents {
		if r.agents == nil {
			r.agents = make(map[wire.Addr]struct{})
		}
		r.agents[agent] = struct{}{}
	}
	if len(t.cfg.Site.Racks) == 0 {
		return
	}
	// A target that relays in its turn is on the way to the rack.
	if was, ok := r.off[[2]wire.Addr{agent, f.Src}]; ok {
		delete(r.off, [2]wire.Addr{agent, f.Src})
		out.Withdraw(track.Withdrawal{Rule: was.Rule, Node: was.Node, Server: was.Server, Subject: was.Subject})
	}
	k := [2]wire.Addr{agent, f.Dst}
	if _, ok := r.off[k]; ok || f.Dst.IsMulticast() || !f.Dst.Is4() || t.cfg.Site.IsDHCPServer(f.Dst) || len(r.off) >= maxAgents {
		return
	}
	if r.off == nil {
		r.off = make(map[[2]wire.Addr]finding.Finding)
	}
	g := finding.Finding{
		Rule: RuleRelayOffRack, Subject: agent.String(), Severity: finding.Warning, Confidence: finding.Likely,
		Server: finding.Endpoint{MAC: f.DstMAC, Addr: f.Dst, Port: PortServer}, VLAN: f.VLAN(), Iface: f.Iface,
		First: f.Time, Last: f.Time, Frames: []capture.FrameID{f.ID},
		Summary: fmt.Sprintf("the relay %s passes DHCP requests to %s, which is no rack", agent, f.Dst),
		Facts:   []finding.Fact{{Key: "relay", Value: agent.String()}, {Key: "target", Value: f.Dst.String()}, {Key: "client", Value: m.CHAddr().String()}},
	}
	r.off[k] = g
	out.Find(g)
}

// offRack judges the boot options of a DHCP server that is not a rack: where
// racks are told, something in them must lead to one.
func (t *tracker) offRack(f *wire.Frame, c *client, w *offer, out *track.Out) {
	s := t.cfg.Site
	if len(s.Racks) == 0 || s.IsRack(w.server) || s.IsRack(f.Src) || !w.lease.BootInfo || w.cut || !c.burst.kind.Boots() {
		return
	}
	l := w.lease
	if slices.ContainsFunc(l.BootServers, s.IsRack) {
		return
	}
	var places []string
	for _, name := range []string{urlHost(l.File), l.ServerName} {
		switch a, err := netip.ParseAddr(name); {
		case name == "":
		case err != nil:
			return // a name: who it is, only DNS knows
		case s.IsRack(wire.AddrFrom(a)):
			return
		default:
			places = append(places, a.String())
		}
	}
	for _, a := range l.BootServers {
		if a != w.server && !slices.Contains(places, a.String()) {
			places = append(places, a.String())
		}
	}
	if len(places) == 0 {
		places = []string{w.server.String()}
	}
	if !c.once(postOffRack) {
		return
	}
	out.Find(finding.Finding{
		Rule: RuleBootOptionsOffRack, Severity: finding.Warning, Confidence: finding.Likely, Node: c.endpoint(), Server: w.endpoint(),
		VLAN: c.key.vlan, Iface: f.Iface, First: f.Time, Last: f.Time, Frames: []capture.FrameID{f.ID},
		Summary: fmt.Sprintf("the DHCP server %s sends the client to %s to boot, which is no rack", w.server, strings.Join(places, ", ")),
		Facts: []finding.Fact{
			{Key: "next_server", Value: l.NextServer.String()}, {Key: "server_name", Value: l.ServerName}, {Key: "file", Value: l.File},
			{Key: "boot_servers", Value: places},
		},
	})
}

// urlHost is the host of a boot file that is a URL, without its port.
func urlHost(file string) string {
	_, rest, ok := strings.Cut(file, "://")
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "/")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	host, _, _ := strings.Cut(rest, ":")
	return host
}
