// Package flow holds conversations against what the site's operator told: who
// may reach what, and who starts it. It is silent where nothing was told.
//
// The one invariant: only an answer is judged. It proves in one packet that the
// service is there and that the client reached it, so no state is needed but
// the memory of what was said.
package flow

import (
	"fmt"
	"net/netip"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Spec describes the tracker. Over UDP only IPMI has something to expose.
var Spec = track.Spec{
	Name:  "flow",
	Rules: []*finding.Rule{RuleExposed, RuleReversed},
	UDP:   []uint16{portIPMI},
	Kinds: track.Answers,
	New:   func(cfg *track.Config) track.Tracker { return newTracker(cfg) },
}

const (
	portIPMI = 623
)

// maxJudged bounds the conversations remembered as judged; one that is
// forgotten is judged again, with the same result.
const maxJudged = 8192

// A judgedKey is a client, a server and its port.
type judgedKey struct {
	client, server wire.Addr
	port           uint16
	proto          uint8
}

type tracker struct {
	site   *site.Site
	cat    *catalog.Catalog
	judged *track.Table[judgedKey, struct{}]
	silent bool // nothing was told

	exposures *track.Table[serverKey, exposure]
}

func newTracker(cfg *track.Config) *tracker {
	t := &tracker{site: site.Default(), cat: new(catalog.Catalog), judged: track.NewTable[judgedKey, struct{}](maxJudged, nil)}
	t.exposures = track.NewTable[serverKey, exposure](maxExposures, nil)
	if cfg != nil && cfg.Site != nil {
		t.site = cfg.Site
	}
	if cfg != nil && cfg.Catalog != nil {
		t.cat = cfg.Catalog
	}
	s := t.site
	t.silent = len(s.Racks)+len(s.Regions)+len(s.NodeNets)+len(s.AdminNets)+len(s.BMCNets) == 0
	return t
}

// Frame looks for an answer to a client that was not judged yet.
func (t *tracker) Frame(f *wire.Frame, out *track.Out) (news bool) {
	if t.silent || f.Proto == wire.ProtoTCP && f.TCP.Flags&(wire.SYN|wire.ACK) != wire.SYN|wire.ACK {
		return false
	}
	i, toServer := t.cat.Lookup(f.Proto, f.SrcPort, f.DstPort)
	if i == catalog.None || toServer || f.Src == f.Dst || f.Dst.IsMulticast() {
		return false
	}
	k := judgedKey{f.Dst, f.Src, f.SrcPort, f.Proto}
	if t.judged.Get(k) != nil {
		return false
	}
	t.judged.Put(k)
	client, server := track.RoleOf(t.site, f.Dst), track.RoleOf(t.site, f.Src)
	v := t.cat.At(t.cat.Refine(i, f.Proto, f.SrcPort, client, server))
	if claim, ok := v.Claim(f.Proto, f.SrcPort); ok && claim.Use == catalog.Listed {
		return false
	}
	switch {
	case t.exposed(v.ID, client, server):
		t.expose(f, v, server, out)
	case t.reversed(v, client, server):
		t.turnabout(f, v, client, server, out)
	}
	return true
}

// Quiet reports that nothing was told, so that there is nothing to hold
// conversations against.
func (t *tracker) Quiet() bool { return t.silent }

// Deadline is Never: each answer is judged as it comes.
func (t *tracker) Deadline() capture.Time { return track.Never }

// Expire has nothing to do.
func (t *tracker) Expire(capture.Time, *track.Out) {}

// Finish has nothing to say.
func (t *tracker) Finish(capture.Time, *track.Out) {}

// Count adds nothing.
func (t *tracker) Count(*track.Counts) {}

// Evicted is 0: what is forgotten was judged.
func (t *tracker) Evicted() uint64 { return 0 }

// exposed reports whether a service for administrators answers somebody else.
func (t *tracker) exposed(id string, client, server catalog.Role) bool {
	if len(t.site.AdminNets) == 0 || server == catalog.NoRole {
		return false
	}
	switch client {
	case catalog.Admin, catalog.Rack, catalog.Region:
		return false
	}
	switch id {
	case "ssh", "libvirt":
		return client != catalog.Node
	case "bmc-web", "redfish", "ipmi":
		return server == catalog.BMC && client != catalog.BMC
	}
	return false
}

// reversed reports whether the conversation fits the service the other way
// round only. It looks at what only a provisioning system serves: any machine
// may serve HTTP, DNS or SSH to another one. A controller that was not named
// may well stand in an admin network.
func (t *tracker) reversed(v *catalog.Service, client, server catalog.Role) bool {
	if client == server || client == catalog.Admin || server == catalog.Admin ||
		v.On(catalog.Generic) || !v.In(catalog.Provisioning) {
		return false
	}
	return v.Against(client, server)
}

// turnabout reports a conversation that runs the wrong way.
func (t *tracker) turnabout(f *wire.Frame, v *catalog.Service, client, server catalog.Role, out *track.Out) {
	to := netip.AddrPortFrom(f.Src.Netip(), f.SrcPort).String()
	out.Find(finding.Finding{
		Rule: RuleReversed, Subject: v.ID + " " + to, Severity: RuleReversed.Severity, Confidence: RuleReversed.Confidence,
		Node: finding.Endpoint{Addr: f.Dst}, Server: finding.Endpoint{MAC: f.SrcMAC, Addr: f.Src, Port: f.SrcPort},
		VLAN: f.VLAN(), Iface: f.Iface, First: f.Time, Last: f.Time, Frames: []capture.FrameID{f.ID},
		Summary: fmt.Sprintf("%s %s serves %s to %s %s; the service runs the other way", server, to, v.Name, client, f.Dst),
		Facts: []finding.Fact{
			{Key: "service", Value: v.ID}, {Key: "server_port", Value: int(f.SrcPort)},
			{Key: "client_role", Value: string(client)}, {Key: "server_role", Value: string(server)},
		},
	})
}
