package dhcp

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// offload knows the servers whose wrong checksums mean nothing: a client took
// such an offer, so the checksum was put right behind the capture point, as
// network cards do.
type offload struct {
	trusted map[source]struct{}
	accused map[source][]track.Withdrawal
}

type source struct {
	addr wire.Addr
	mac  wire.MAC
}

// maxSources bounds the servers remembered, and the clients of each.
const maxSources = 256

func (w *offer) source() source { return source{w.server, w.mac} }

// allBad reports whether every datagram of w had a wrong checksum.
func (w *offer) allBad() bool {
	return w.sums[wire.SumBad] > 0 && w.sums[wire.SumGood]+w.sums[wire.SumAbsent] == 0
}

// trust notes that a client took an offer of w.
func (p *offload) trust(w *offer, c *client, out *track.Out) {
	if w.sums[wire.SumBad] == 0 || len(p.trusted) >= maxSources {
		return
	}
	if p.trusted == nil {
		p.trusted = make(map[source]struct{})
	}
	p.trusted[w.source()] = struct{}{}
	for _, x := range p.accused[w.source()] {
		out.Withdraw(x)
	}
	delete(p.accused, w.source())
}

// badChecksum explains offers that a client ignores by their checksums, unless
// they were captured where they are computed later.
func (t *tracker) badChecksum(c *client, w *offer, now capture.Time, out *track.Out) {
	p := &t.offload
	if _, ok := p.trusted[w.source()]; ok || !w.allBad() || w.outgoing || w.count < 2 {
		return
	}
	if p.accused == nil {
		p.accused = make(map[source][]track.Withdrawal)
	}
	list := p.accused[w.source()]
	if len(list) >= maxSources || list == nil && len(p.accused) >= maxSources {
		return
	}
	b := &c.burst
	g := finding.Finding{
		Rule: RuleBadChecksum, Severity: finding.Warning, Confidence: finding.Possible, Node: c.endpoint(), Server: w.endpoint(),
		VLAN: c.key.vlan, Iface: b.iface, First: w.first, Last: now, Frames: []capture.FrameID{w.frame, w.lastFrame},
		Summary: fmt.Sprintf("all %d OFFERs of %s carry a wrong UDP checksum, and the client ignores them", w.count, w.server),
		Facts:   []finding.Fact{{Key: "replies", Value: w.count}, {Key: "bad_checksums", Value: w.sums[wire.SumBad]}},
	}
	x := track.Withdrawal{Rule: g.Rule, Node: g.Node, Server: g.Server}
	for _, y := range list {
		if y == x {
			out.Find(g)
			return
		}
	}
	p.accused[w.source()] = append(list, x)
	out.Find(g)
}
