package dhcp

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// reply reads a message of a server.
func (t *tracker) reply(f *wire.Frame, m Message, o *Options, hw hwAddr, x *txn, out *track.Out) {
	typ := o.Type()
	switch typ {
	case 0, Offer, Ack, Nak:
	default:
		return // FORCERENEW and what servers tell relays about leases
	}
	c := t.replyTo(f, hw, m.XID(), x)
	if c == nil {
		if typ != Ack && typ != Nak || o.Cut() {
			return
		}
		c = t.client(f, m, hw, f.VLAN()) // the capture began after its REQUEST
	}
	if c.probed && m.XID() == c.probeXID {
		return
	}
	switch typ {
	case Offer:
		t.offer(f, m, o, c, out)
	case Ack:
		t.ack(f, m, o, c, out)
	case Nak:
		t.refuse(f, m, o, c, out)
	default:
		t.bootReply(f, m, o, c, out)
	}
	t.schedule(c)
}

// asking is the question of c with a transaction id that an ACK or NAK answers.
func (c *client) asking(xid uint32, ops ...op) *attempt {
	for _, k := range ops {
		if a := c.attempts[k]; a != nil && a.xid == xid {
			return a
		}
	}
	return nil
}

func (t *tracker) ack(f *wire.Frame, m Message, o *Options, c *client, out *track.Out) {
	if t.bootAnswer(f, m, o, c, out) {
		return
	}
	a := c.asking(m.XID(), opRequest, opRenew, opInform)
	if m.YIAddr().IsZero() {
		a = c.asking(m.XID(), opInform, opRenew, opRequest)
	}
	b := &c.burst
	rapid := a == nil && b.searching && b.has(m.XID())
	switch {
	case a == nil:
		if m.YIAddr().IsZero() {
			return // to an INFORM before the capture began
		}
		a = t.begin(f, m, c, opRequest, out)
		a.subject, a.asked = m.YIAddr().String(), m.YIAddr()
		if !rapid && !m.CIAddr().IsZero() {
			a.state = renewing
		}
	case a.done && !a.refused:
		a.frames.add(f.ID) // again, or another server's
		return
	}
	if rapid {
		t.rapidCommit(f, m, o, c, out)
	}
	given := NewLease(f, m, o)
	if given.Server.IsZero() {
		given.Server = f.Src
	}
	if a.server.Addr.IsZero() {
		a.server = finding.Endpoint{Addr: given.Server, Port: PortServer}
	}
	if a.server.MAC.IsZero() && given.Relay.IsZero() && f.Src == a.server.Addr {
		a.server.MAC = f.SrcMAC
	}
	l := c.merge(given, t.justSearched(c, a, rapid))
	if l.Addr.IsZero() {
		l.Addr = a.asked
	}
	t.remember(c, l.Addr)
	t.answer(f, c, a, out)
	ex := t.attemptExchange(c, a, track.Answered, f.Time)
	ex.Lease, ex.Detail = l, leaseText(l)
	if rapid {
		ex.Detail += " (rapid commit)"
	}
	out.Exchange(ex)
	if a.op == opInform {
		return
	}
	c.lease = l
	t.promote(c)
	if a.op == opRenew {
		t.renewed(f, c, a, out)
	} else {
		t.bootless(f, o, c, l, t.justSearched(c, a, rapid), out)
		t.leased(f, c, a, l, out)
	}
	t.acked(c, out)
}

// justSearched reports whether a REQUEST is the fruit of the search that c
// remembers: what was offered then belongs to its lease.
func (t *tracker) justSearched(c *client, a *attempt, rapid bool) bool {
	b := &c.burst
	return rapid || a.tries > 0 && a.state == selecting && b.tries > 0 && b.kind == c.kind() && a.first.Sub(b.last) <= t.th.BurstGap
}

// rapidCommit is an ACK to a DISCOVER with option 80 (RFC 4039).
func (t *tracker) rapidCommit(f *wire.Frame, m Message, o *Options, c *client, out *track.Out) {
	b := &c.burst
	t.offered(c, out)
	t.proxyOnlyNoMore(c, out)
	t.notIgnored(c, out)
	b.searching, b.selectAt, b.infoAt = false, 0, 0
	if b.replies++; b.replies == 1 {
		b.usable = f.Time
	}
	if w, _ := b.offerOf(f, m, o); w != nil {
		w.count++
		w.last, w.lastFrame = f.Time, f.ID
	}
	out.Exchange(t.discoverExchange(c, track.Answered, f.Time))
}

// answer ends a question and takes back what its silence was called.
func (t *tracker) answer(f *wire.Frame, c *client, a *attempt, out *track.Out) {
	a.done, a.refused = true, false
	a.waiting.clear()
	a.frames.add(f.ID)
	t.acquit(c, a, out)
}

func (t *tracker) acquit(c *client, a *attempt, out *track.Out) {
	if a.accused == nil {
		return
	}
	out.Withdraw(track.Withdrawal{Rule: a.accused, Node: c.endpoint(), Server: a.server, Subject: c.kind().String()})
	a.accused = nil
}

// leaseText is a lease in a line of the timeline.
func leaseText(l *track.Lease) string {
	s := "lease " + l.Addr.String()
	if l.LeaseTime != 0 {
		s += fmt.Sprintf(" for %d s", l.LeaseTime)
	}
	if l.File != "" {
		s += fmt.Sprintf(", file %q", l.File)
		if len(l.BootServers) > 0 {
			s += " from " + l.BootServers[0].String()
		}
	}
	return s
}

// leased says that all went well, unless the client wants to boot and nobody
// told it what.
func (t *tracker) leased(f *wire.Frame, c *client, a *attempt, l *track.Lease, out *track.Out) {
	b := &c.burst
	if l.Kind.Boots() && !l.BootInfo || a.tries == 0 && b.tries == 0 || !c.once(postOK) {
		return
	}
	first := a.first
	frames := a.frames.frames()
	if b.tries > 0 && b.first < first && first.Sub(b.last) < t.th.BurstGap {
		first = b.first
		frames = join(b.frames.frames(), frames)
	}
	g := t.positive(RuleOK, c, a.server, first, f.Time, frames, f.ID)
	g.Summary = fmt.Sprintf("%s got %s from %s within %s", kindText(l.Kind), l.Addr, l.Server, seconds(f.Time.Sub(first)))
	g.Facts = append([]finding.Fact{{Key: "address", Value: l.Addr.String()}, {Key: "seconds", Value: f.Time.Sub(first).Seconds()}}, c.clientFacts()...)
	if l.File != "" {
		g.Facts = append(g.Facts, finding.Fact{Key: "file", Value: l.File})
	}
	out.Find(g)
}

// renewed explains a renewal: the machine runs, it does not boot.
func (t *tracker) renewed(f *wire.Frame, c *client, a *attempt, out *track.Out) {
	if a.tries == 0 || !c.once(postRenew) {
		return
	}
	g := t.positive(RuleRenew, c, a.server, a.first, f.Time, a.frames.frames(), f.ID)
	g.Frames = a.frames.frames()
	g.Summary = fmt.Sprintf("a running machine renews its lease of %s", a.asked)
	out.Find(g)
}

// bootReply is a reply without a message type.
func (t *tracker) bootReply(f *wire.Frame, m Message, o *Options, c *client, out *track.Out) {
	if t.bootAnswer(f, m, o, c, out) {
		return
	}
	a := c.asking(m.XID(), opBOOTP)
	if a == nil || a.done {
		return
	}
	given := NewLease(f, m, o)
	if given.Server.IsZero() {
		given.Server = f.Src
	}
	if a.server.Addr.IsZero() {
		a.server = finding.Endpoint{MAC: f.SrcMAC, Addr: given.Server, Port: PortServer}
	}
	l := c.merge(given, false)
	t.remember(c, l.Addr)
	t.answer(f, c, a, out)
	x := t.attemptExchange(c, a, track.Answered, f.Time)
	x.Lease, x.Detail = l, leaseText(l)
	out.Exchange(x)
	c.lease = l
	t.promote(c)
}

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
