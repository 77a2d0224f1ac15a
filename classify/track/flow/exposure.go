package flow

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A serverKey is one port of one machine.
type serverKey struct {
	addr  wire.Addr
	port  uint16
	proto uint8
}

// An exposure is who reached a port that they should not reach. What the
// internet finds in an hour is one finding, not a thousand.
type exposure struct {
	clients int
	next    int // report again at this many clients
	named   []string
	first   capture.Time
	frames  []capture.FrameID
	server  finding.Endpoint
}

const (
	maxExposures = 1024
	namedClients = 8
)

// expose adds the client that f answers.
func (t *tracker) expose(f *wire.Frame, v *catalog.Service, server catalog.Role, out *track.Out) {
	k := serverKey{f.Src, f.SrcPort, f.Proto}
	e := t.exposures.Get(k)
	if e == nil {
		e = t.exposures.Put(k)
		e.next, e.first = 1, f.Time
		e.server = finding.Endpoint{MAC: f.SrcMAC, Addr: f.Src, Port: f.SrcPort}
	}
	e.clients++
	if len(e.named) < namedClients {
		e.named = append(e.named, f.Dst.String())
		e.frames = append(e.frames, f.ID)
	}
	if e.clients < e.next {
		return
	}
	e.next = 2 * e.clients
	to := netip.AddrPortFrom(f.Src.Netip(), f.SrcPort).String()
	who := f.Dst.String() + ", which is"
	if e.clients > 1 {
		who = fmt.Sprintf("%d clients which are", e.clients)
	}
	out.Find(finding.Finding{
		Rule: RuleExposed, Subject: v.ID + " " + to, Severity: RuleExposed.Severity, Confidence: RuleExposed.Confidence,
		Server: e.server, VLAN: f.VLAN(), Iface: f.Iface, First: e.first, Last: f.Time, Frames: slices.Clone(e.frames),
		Summary: fmt.Sprintf("%s of %s %s answers %s in no admin network", v.Name, server, to, who),
		Facts: []finding.Fact{
			{Key: "service", Value: v.ID}, {Key: "server_port", Value: int(f.SrcPort)}, {Key: "server_role", Value: string(server)},
			{Key: "clients", Value: slices.Clone(e.named)}, {Key: "client_count", Value: e.clients},
		},
	})
}
