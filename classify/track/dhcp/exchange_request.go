package dhcp

import (
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/arp"
	"github.com/pxescope/pxescope/classify/wire"
)

// request reads a message of a client.
func (t *tracker) request(f *wire.Frame, m Message, o *Options, hw hwAddr, x *txn, out *track.Out) {
	if !m.GIAddr().IsZero() {
		t.relayed(f, m, out)
	}
	if p := ClientProbe(m, o); p != "" {
		t.searchedBy(p, f, m, hw, out)
		return
	}
	if !x.try(f, m) {
		return
	}
	typ := o.Type()
	switch typ {
	case 0, Discover, Request, Decline, Inform:
	case Release:
		if c := t.lookup(clientKey{hw, x.home}); c != nil {
			t.abandon(c, f.Time, out)
		}
		return
	default:
		return // the lease queries of relays: nothing is owed to a node
	}
	if hw == (hwAddr{}) {
		return // nobody's
	}
	c := t.client(f, m, hw, x.home)
	pxe := requestPXE(o)
	switch {
	case typ == Discover:
		t.discover(f, m, o, c, x, out)
	case typ == Decline:
		t.decline(f, o, c, out)
	case f.DstPort == PortPXE || pxe.HasItem && typ == Request:
		t.askBoot(f, m, o, c, &pxe, out)
	case typ == Request:
		t.ask(f, m, o, c, out)
	default:
		t.askOther(f, m, o, c, typ, out)
	}
	t.schedule(c)
}

// abandon notes that a client does not wait for a boot server's answer any
// longer: one unanswered question is then enough.
func (t *tracker) abandon(c *client, now capture.Time, out *track.Out) {
	for _, k := range [...]op{opBINL, opBootServer} {
		a := c.attempts[k]
		if a == nil || a.done || a.unreadable || a.closed || a.abandoned {
			continue
		}
		a.abandoned = true
		if a.overdue > 0 && a.accused == nil {
			t.bootSilence(c, a, now, false, out)
		}
	}
}

// requestPXE is option 43 of a PXE client's request.
func requestPXE(o *Options) PXE {
	if v := o.Get(OptVendorSpecific); len(v) > 0 && bootAware(o) {
		p, _ := ParsePXE(v)
		return p
	}
	return PXE{}
}

// searchedBy notes the probe of a management program: nobody owes it an answer
// and it takes no address.
func (t *tracker) searchedBy(program string, f *wire.Frame, m Message, hw hwAddr, out *track.Out) {
	c := t.client(f, m, hw, f.VLAN())
	c.probed, c.probeXID = true, m.XID()
	if !c.once(postProbe) {
		return
	}
	r := RuleProbeMAAS
	switch program {
	case "xcat":
		r = RuleProbeXCAT
	case "nmap":
		r = RuleProbeNmap
	}
	g := t.positive(r, c, finding.Endpoint{}, f.Time, f.Time, nil, f.ID)
	g.Node.Addr = f.Src
	g.Summary = fmt.Sprintf("%s looks for DHCP servers; it takes no address and needs no answer", proberNames[program])
	out.Find(g)
}

var proberNames = map[string]string{"maas": "MAAS", "xcat": "xCAT", "nmap": "nmap"}

// ask is a REQUEST to port 67.
func (t *tracker) ask(f *wire.Frame, m Message, o *Options, c *client, out *track.Out) {
	state := stateOf(f, m, o)
	c.listen(f, m, o)
	k, asked := opRequest, o.Addr(OptRequestedAddr)
	if state >= renewing {
		k, asked = opRenew, m.CIAddr()
		t.remember(c, asked)
	}
	a := c.attempts[k]
	named := o.Addr(OptServerID)
	if state == rebinding && a != nil && a.state == renewing && !a.done && a.asked == asked {
		t.renewFailed(c, a, f, out)
	}
	fresh := a == nil || a.state != state || a.asked != asked || state == selecting && a.server.Addr != named
	switch {
	case fresh:
	case state == selecting && c.burst.searching:
		fresh = true // it searched again; ROMs use one transaction id for ever
	case k == opRequest:
		fresh = a.xid != m.XID() || f.Time.Sub(a.last) > t.th.BurstGap
	default:
		fresh = a.done || a.unreadable
	}
	if fresh {
		a = t.begin(f, m, c, k, out)
		a.state, a.asked, a.subject = state, asked, asked.String()
		switch state {
		case selecting:
			a.server = finding.Endpoint{Addr: named, Port: PortServer}
			t.chose(f, c, named, out)
			if w := c.burst.chosen(named); w != nil {
				a.server = w.endpoint()
			}
		case renewing:
			a.server = finding.Endpoint{Addr: f.Dst, Port: PortServer}
		}
	}
	a.xid = m.XID()
	if a.done && !a.refused {
		a.done, a.frames.n, a.tries, a.overdue, a.first = false, 0, 0, 0, f.Time // asked again: the ACK did not arrive
	}
	a.try(f, t.th.AckGrace)
}

// askOther is an INFORM or a BOOTP request.
func (t *tracker) askOther(f *wire.Frame, m Message, o *Options, c *client, typ Type, out *track.Out) {
	k, grace := opInform, t.th.AckGrace
	if typ == 0 {
		k, grace = opBOOTP, t.th.OfferGrace
	}
	c.listen(f, m, o)
	t.remember(c, known(m.CIAddr()))
	a := c.attempts[k]
	if a == nil || a.done || a.xid != m.XID() || f.Time.Sub(a.last) > t.th.BurstGap {
		a = t.begin(f, m, c, k, out)
		a.asked = known(m.CIAddr())
		a.server = finding.Endpoint{Addr: asked(f), Port: f.DstPort}
	}
	a.try(f, grace)
}

// chose ends the search of c: it asks for the offer of one server, so there
// was one, whether the capture shows it or not.
func (t *tracker) chose(f *wire.Frame, c *client, named wire.Addr, out *track.Out) {
	b := &c.burst
	if !b.searching {
		return
	}
	t.settleSights(c, f.Time, out)
	seen := b.replies > 0
	t.offered(c, out)
	t.proxyOnlyNoMore(c, out)
	t.notIgnored(c, out)
	b.searching, b.selectAt, b.infoAt = false, 0, 0
	b.waiting.clear()
	t.notFiltered(c, out)
	if w := b.chosen(named); w != nil {
		t.offload.trust(w, c, out)
		if d := f.Time.Sub(w.first); ArchUEFI(c.said.Arch) && b.kind == track.ClientPXE && d >= uefiWaitMin && d <= uefiWaitMax && c.once(postUEFICollecting) {
			g := t.positive(RuleUEFICollecting, c, w.endpoint(), b.first, f.Time, b.frames.frames(), f.ID)
			g.Summary = fmt.Sprintf("UEFI collected offers for %s before it sent its REQUEST, which is normal", seconds(d))
			g.Facts = []finding.Fact{{Key: "waited_seconds", Value: d.Seconds()}}
			out.Find(g)
		}
	}
	x := t.discoverExchange(c, track.Answered, f.Time)
	if !seen {
		x.Server = finding.Endpoint{Addr: named, Port: PortServer}
		x.Detail = "the OFFER was not captured, the REQUEST proves it"
		if b.unreadable {
			x.Detail = "the OFFER could not be read"
		}
	} else if b.after == 0 {
		return // as reported when the OFFER came
	} else {
		x.Last = max(b.usable, b.last)
	}
	out.Exchange(x)
}

// UEFI collects offers for its first timeout of 4 s (edk2, PxeBcDhcp4.c); the
// offer may come late within it.
const (
	uefiWaitMin = 2 * time.Second
	uefiWaitMax = 4500 * time.Millisecond
)

// decline: the client found its address in use (RFC 2131 section 4.4.1).
func (t *tracker) decline(f *wire.Frame, o *Options, c *client, out *track.Out) {
	a := o.Addr(OptRequestedAddr)
	if a.IsZero() && c.lease != nil {
		a = c.lease.Addr
	}
	g := finding.Finding{
		Rule: arp.RuleDuplicateAddress, Subject: a.String(), Severity: finding.Error, Confidence: finding.Certain,
		Node: finding.Endpoint{MAC: c.mac, Addr: a}, VLAN: c.key.vlan, Iface: f.Iface, First: f.Time, Last: f.Time,
		Frames:  []capture.FrameID{f.ID},
		Summary: fmt.Sprintf("the client declines %s: it found the address in use", a),
		Facts:   []finding.Fact{{Key: "address", Value: a.String()}, {Key: "declined", Value: true}},
	}
	if s := o.Addr(OptServerID); !s.IsZero() {
		g.Facts = append(g.Facts, finding.Fact{Key: "dhcp_server", Value: s.String()})
		g.Summary += fmt.Sprintf(" (lease of %s)", s)
	}
	if r := o.String(OptMessage); r != "" {
		g.Facts = append(g.Facts, finding.Fact{Key: "reason", Value: r})
		g.Summary += fmt.Sprintf(": %q", r)
	}
	out.Find(g)
}
