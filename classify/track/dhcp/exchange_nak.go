package dhcp

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A nak is what servers refused a client lately.
type nak struct {
	count   int
	kindly  bool         // all were for an address from before: the way a server tells a client to start over
	until   capture.Time // an ACK within this makes it mild; 0: said
	said    bool
	finding finding.Finding
}

func (n *nak) at() capture.Time {
	if n.count == 0 || n.until == 0 {
		return track.Never
	}
	return n.until
}

// refuse is a NAK.
func (t *tracker) refuse(f *wire.Frame, m Message, o *Options, c *client, out *track.Out) {
	server := o.Addr(OptServerID)
	if server.IsZero() {
		server = f.Src
	}
	reason := o.String(OptMessage)
	a := c.asking(m.XID(), opRequest, opRenew)
	if a == nil {
		a = t.begin(f, m, c, opRequest, out)
		a.server = finding.Endpoint{Addr: server, Port: PortServer}
		a.state = initReboot
	}
	foreign := !a.server.Addr.IsZero() && a.server.Addr != server
	a.frames.add(f.ID)
	if !foreign && (!a.done || a.refused) {
		if a.server.Addr.IsZero() {
			a.server = finding.Endpoint{Addr: server, Port: PortServer}
		}
		a.done, a.refused = true, true
		a.waiting.clear()
		t.acquit(c, a, out)
		x := t.attemptExchange(c, a, track.Refused, f.Time)
		x.Reason = "NAK"
		if reason != "" {
			x.Reason = fmt.Sprintf("NAK %q", reason)
		}
		out.Exchange(x)
	}

	n := &c.nak
	by := finding.Endpoint{Addr: server, Port: PortServer}
	if m.GIAddr().IsZero() {
		by.MAC = f.SrcMAC
	}
	if n.count == 0 {
		*n = nak{kindly: true, until: f.Time.Add(t.th.NakGrace)}
		n.finding.First = a.first
		if a.tries == 0 {
			n.finding.First = f.Time
		}
	}
	n.count++
	n.kindly = n.kindly && !foreign && a.state != selecting
	g := &n.finding
	g.Rule, g.Subject, g.Confidence = RuleNAK, c.kind().String(), finding.Certain
	g.Node, g.Server, g.VLAN, g.Iface, g.Last = c.endpoint(), by, c.key.vlan, f.Iface, f.Time
	for _, id := range a.frames.ids[:a.frames.n] {
		if len(g.Frames) == 0 || id > g.Frames[len(g.Frames)-1] {
			g.Frames = finding.AppendFrame(g.Frames, id)
		}
	}
	g.Summary = fmt.Sprintf("%s refuses %s", server, addrOr(a.asked, "the client's address"))
	if reason != "" {
		g.Summary += fmt.Sprintf(": %q", reason)
	}
	g.Facts = []finding.Fact{
		{Key: "naks", Value: n.count}, {Key: "server", Value: server.String()}, {Key: "requested", Value: a.asked.String()},
		{Key: "state", Value: stateNames[a.state]}, {Key: "reason", Value: reason},
	}
	if foreign {
		g.Facts = append(g.Facts, finding.Fact{Key: "chosen_server", Value: a.server.Addr.String()})
		g.Summary += fmt.Sprintf(", although the client chose %s", a.server.Addr)
		g.Next = fmt.Sprintf("Find the server %s, which answers for leases that are not its own, and take it off this segment or make it not authoritative here.", server)
	}
	switch {
	case !n.kindly:
		t.sayNAK(c, finding.Error, f.Time, out)
	case n.count > 1:
		t.sayNAK(c, finding.Warning, f.Time, out)
	}
}

func addrOr(a wire.Addr, text string) string {
	if a.IsZero() {
		return text
	}
	return a.String()
}

func (t *tracker) sayNAK(c *client, s finding.Severity, now capture.Time, out *track.Out) {
	c.nak.said = true
	g := c.nak.finding
	g.Frames = append([]capture.FrameID(nil), g.Frames...)
	g.Severity, g.Last = s, now
	out.Find(g)
}

func (t *tracker) nakOverdue(c *client, now capture.Time, out *track.Out) {
	if c.nak.at() > now {
		return
	}
	c.nak.until = 0
	t.sayNAK(c, finding.Error, now, out)
}

// nakFinish reports a refusal after which the capture ends too early to see
// whether the client gets another address.
func (t *tracker) nakFinish(c *client, out *track.Out) {
	if c.nak.count > 0 && !c.nak.said {
		t.sayNAK(c, finding.Warning, c.nak.finding.Last, out)
	}
}

// acked makes earlier refusals mild: after one, of an address from before,
// this is how things should go.
func (t *tracker) acked(c *client, out *track.Out) {
	n := &c.nak
	if n.count == 0 {
		return
	}
	if n.until != 0 && (n.count > 1 || !n.kindly) {
		n.finding.Facts = append(n.finding.Facts, finding.Fact{Key: "ack_followed", Value: true})
		t.sayNAK(c, finding.Warning, n.finding.Last, out)
	}
	*n = nak{}
}
