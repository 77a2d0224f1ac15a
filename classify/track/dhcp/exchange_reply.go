package dhcp

import (
	"fmt"

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

// asking is the question of c with a transaction id that an ACK or NAK answers:
// the last one that is open, for clients that keep one transaction id for life,
// else one that was answered.
func (c *client) asking(xid uint32, ops ...op) *attempt {
	var best *attempt
	for _, k := range ops {
		a := c.attempts[k]
		if a == nil || a.xid != xid {
			continue
		}
		if best == nil || !a.done && (best.done || a.last > best.last) {
			best = a
		}
	}
	return best
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
	t.promote(c, leaseholder)
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
	t.promote(c, leaseholder)
}
