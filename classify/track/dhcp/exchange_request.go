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

// An op is a question that a client asks besides DISCOVER.
type op uint8

const (
	opRequest    op = iota // SELECTING and INIT-REBOOT
	opRenew                // RENEWING and REBINDING
	opInform               // RFC 2131 section 4.3.5
	opBOOTP                // a request without a message type
	opBINL                 // to port 4011
	opBootServer           // with option 43.71
	numOps
)

var opNames = [numOps]string{"REQUEST", "RENEW", "INFORM", "BOOTP", "BINL", "BOOT-SERVER"}

// A requestState is the client's state in which it sends a REQUEST, told by
// the fields of table 4 of RFC 2131 section 4.3.2.
type requestState uint8

const (
	selecting  requestState = iota // names the server it chose: must be answered
	initReboot                     // asks for an earlier address: silence is legal
	renewing                       // unicast to the server of its lease
	rebinding                      // asks anybody: silence is legal
)

var stateNames = [...]string{"SELECTING", "INIT-REBOOT", "RENEWING", "REBINDING"}

func stateOf(f *wire.Frame, m Message, o *Options) requestState {
	switch {
	case m.CIAddr().IsZero() && o.Has(OptServerID):
		return selecting
	case m.CIAddr().IsZero():
		return initReboot
	case f.Dst.IsMulticast() || !m.GIAddr().IsZero():
		return rebinding
	}
	return renewing
}

// An attempt is one question and its repetitions.
type attempt struct {
	op     op
	state  requestState
	xid    uint32
	server finding.Endpoint // named by the request, or its destination
	asked  wire.Addr        // the address asked for

	subject     string
	iface       int
	first, last capture.Time
	tries       int
	waiting     graces
	overdue     int
	deadlineAt  capture.Time // of the last overdue try
	frames      evidence

	done       bool // answered or refused
	refused    bool // by a NAK
	unreadable bool // a reply was seen of which the rest is unknown
	closed     bool // ICMP called the server's port closed
	abandoned  bool // the client gave up: it released its lease, or searches anew
	accused    *finding.Rule
	said       throttle
	finish     bool // the capture is over
}

// begin starts a new question of c in place of an older one.
func (t *tracker) begin(f *wire.Frame, m Message, c *client, k op, out *track.Out) *attempt {
	a := c.attempts[k]
	if a == nil {
		a = new(attempt)
		c.attempts[k] = a
	} else if !a.done && !a.unreadable && a.tries > 0 && a.waiting.pending() > 0 {
		x := t.attemptExchange(c, a, track.Unanswered, a.last)
		x.Detail = "given up by the client"
		out.Exchange(x)
	}
	*a = attempt{op: k, xid: m.XID(), iface: f.Iface, first: f.Time, last: f.Time}
	return a
}

func (a *attempt) try(f *wire.Frame, grace time.Duration) {
	a.tries++
	a.last = f.Time
	a.frames.add(f.ID)
	if !a.done && !a.unreadable {
		a.waiting.add(f.Time.Add(grace))
	}
}

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

// attemptOverdue judges a question whose next deadline has come.
func (t *tracker) attemptOverdue(c *client, a *attempt, now capture.Time, out *track.Out) {
	a.overdue += a.waiting.expire(now)
	a.deadlineAt = now
	if a.done || a.unreadable || a.closed || !a.said.pass(a.overdue) {
		return
	}
	t.accuse(c, a, now, out)
}

func (t *tracker) accuse(c *client, a *attempt, now capture.Time, out *track.Out) {
	x := t.attemptExchange(c, a, track.Unanswered, now)
	switch {
	case a.op == opRequest && a.state == initReboot, a.op == opRenew && a.state == rebinding:
		x.Detail = stateNames[a.state] + ": a server without a record of the lease stays silent"
	case a.op == opBOOTP:
		x.Detail = "few servers answer plain BOOTP"
	}
	out.Exchange(x)
	switch {
	case a.op == opBINL || a.op == opBootServer:
		t.bootSilence(c, a, now, false, out)
	case a.op == opRequest && a.state == selecting && a.overdue >= 2:
		t.requestSilence(c, a, finding.Error, now, out)
	}
}

// attemptFinish reports a question that is still open at the end.
func (t *tracker) attemptFinish(c *client, a *attempt, end capture.Time, out *track.Out) {
	switch {
	case a.done || a.unreadable || a.closed || a.tries == 0:
	case a.overdue == 0 && a.waiting.pending() > 0:
		out.Exchange(t.attemptExchange(c, a, track.Open, a.last))
	case a.accused != nil && a.waiting.pending() > 0:
		a.finish = true
		t.accuse(c, a, a.deadlineAt, out)
	}
}

func (t *tracker) attemptExchange(c *client, a *attempt, o track.Outcome, last capture.Time) track.Exchange {
	x := track.Exchange{
		Service: serviceDHCP, Stage: track.StageDHCP, Op: opNames[a.op], Subject: a.subject, Outcome: o,
		Client: c.endpoint(), Server: a.server, VLAN: c.key.vlan, Iface: a.iface,
		First: a.first, Last: last, Tries: a.tries, Frames: a.frames.frames(), Lease: c.said,
	}
	if a.op == opBINL || a.op == opBootServer {
		x.Service, x.Stage = serviceProxy, track.StageProxyDHCP
	}
	return x
}

// requestSilence: the server that the client chose neither grants nor refuses.
func (t *tracker) requestSilence(c *client, a *attempt, s finding.Severity, now capture.Time, out *track.Out) {
	g := finding.Finding{
		Rule: RuleRequestUnanswered, Subject: c.kind().String(), Severity: s, Confidence: finding.Certain,
		Node: c.endpoint(), Server: a.server, VLAN: c.key.vlan, Iface: a.iface, First: a.first, Last: now, Frames: a.frames.frames(),
		Summary: fmt.Sprintf("%s for %s to %s, neither ACK nor NAK", count(a.tries, "REQUEST"), a.asked, a.server.Addr),
		Facts: append([]finding.Fact{
			{Key: "requests", Value: a.tries}, {Key: "requested", Value: a.asked.String()}, {Key: "server", Value: a.server.Addr.String()},
			{Key: "state", Value: stateNames[a.state]},
		}, c.clientFacts()...),
	}
	if a.finish {
		g.Facts = append(g.Facts, finding.Fact{Key: "still_retrying", Value: a.waiting.pending()})
	}
	a.accused = RuleRequestUnanswered
	out.Find(g)
}

// renewFailed: the client went on to ask everybody (REBINDING, at T2), so its
// own server answered none of the renewals before (RFC 2131 section 4.4.5).
func (t *tracker) renewFailed(c *client, a *attempt, f *wire.Frame, out *track.Out) {
	if a.tries < 2 || a.overdue < 2 {
		return
	}
	t.requestSilence(c, a, finding.Warning, f.Time, out)
	a.done = true
}
