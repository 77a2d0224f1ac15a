package dhcp

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// says reports whether w is a source of PXE boot information: a proxy, or a
// DHCP server with option 60 that names a file or boot servers.
func (w *offer) says() bool {
	return w.bootAware && (w.proxy || w.lease.File != "" || w.servers)
}

// proxyConflict compares a source of boot information with the ones before it
// in the same search. All of them answer the same machine, so files that
// differ by architecture do not differ here.
func (t *tracker) proxyConflict(c *client, w *offer, out *track.Out) {
	if !w.says() || w.cut {
		return
	}
	for _, v := range c.burst.offers {
		if v == w || !v.says() || v.cut || v.sameSource(w) {
			continue
		}
		severity := finding.Error
		switch {
		case v.lease.File != w.lease.File:
		case firstServer(v.lease) != firstServer(w.lease):
			severity = finding.Warning // the same file from two servers: a pair, perhaps
		default:
			continue
		}
		b := &c.burst
		out.Find(finding.Finding{
			Rule: RuleProxyConflict, Subject: b.kind.String(), Severity: severity, Confidence: finding.Likely,
			Node: c.endpoint(), Server: w.endpoint(), VLAN: c.key.vlan, Iface: b.iface, First: v.first, Last: w.last,
			Frames:  []capture.FrameID{v.frame, w.lastFrame},
			Summary: fmt.Sprintf("two sources of PXE boot information: %s and %s", v.bootText(), w.bootText()),
			Facts: append([]finding.Fact{
				{Key: "first_source", Value: v.server.String()}, {Key: "first_file", Value: v.lease.File},
				{Key: "second_source", Value: w.server.String()}, {Key: "second_file", Value: w.lease.File},
			}, c.clientFacts()...),
		})
		return
	}
}

func firstServer(l *track.Lease) wire.Addr {
	if len(l.BootServers) == 0 {
		return wire.Addr{}
	}
	return l.BootServers[0]
}

func (w *offer) bootText() string {
	who := w.server.String()
	if a := firstServer(w.lease); a != w.server && !a.IsZero() {
		who += " (boot server " + a.String() + ")"
	}
	if w.lease.File == "" {
		return who + " without a file"
	}
	return fmt.Sprintf("%s with %q", who, w.lease.File)
}

// onlyProxy: proxies answer, but no server offers an address.
func (t *tracker) onlyProxy(c *client, now capture.Time, out *track.Out) {
	b := &c.burst
	p := b.proxy()
	b.proxyOnly = true
	n := b.overdue
	severity := severityOf(t.th, n, n, now.Sub(b.first), b.last.Sub(b.first))
	out.Find(finding.Finding{
		Rule: RuleProxyConflict, Subject: onlyProxySubject, Severity: severity, Confidence: finding.Certain,
		Node: c.endpoint(), VLAN: c.key.vlan, Iface: b.iface, First: b.first, Last: now,
		Frames:  join(b.frames.frames(), []capture.FrameID{p.frame, p.lastFrame}),
		Summary: fmt.Sprintf("%s, only the proxy %s answered: no server offers an address", count(n, "DISCOVER"), p.server),
		Next:    "Find out why the DHCP server does not answer this client; the proxy only adds boot information to an address that somebody else must offer.",
		Facts: append([]finding.Fact{
			{Key: "discovers", Value: n}, {Key: "proxy", Value: p.server.String()}, {Key: "proxy_offers", Value: p.count},
		}, c.clientFacts()...),
	})
}

const onlyProxySubject = "no-dhcp"

func (t *tracker) proxyOnlyNoMore(c *client, out *track.Out) {
	if c.burst.proxyOnly {
		c.burst.proxyOnly = false
		out.Withdraw(track.Withdrawal{Rule: RuleProxyConflict, Node: c.endpoint(), Subject: onlyProxySubject})
	}
}

// A client asks on port 4011, or a boot server by its type (option 43.71).
func (t *tracker) askBoot(f *wire.Frame, m Message, o *Options, c *client, pxe *PXE, out *track.Out) {
	op := opBINL
	if pxe.HasItem {
		op = opBootServer
	}
	c.listen(f, m, o)
	if !m.CIAddr().IsZero() {
		t.remember(c, m.CIAddr())
	}
	a := c.attempts[op]
	// Clients take a new transaction id for each step, some for each try, and
	// iPXE asks group, broadcast and listed servers in turn: it is one question
	// until it is answered or left alone.
	if a == nil || a.done || f.Time.Sub(a.last) > t.th.BurstGap || op == opBINL && a.server.Addr != asked(f) {
		a = t.begin(f, m, c, op, out)
		a.server = finding.Endpoint{Addr: asked(f), Port: f.DstPort}
		if pxe.HasItem {
			a.subject = fmt.Sprintf("boot item %d", pxe.Item)
		}
	}
	a.xid = m.XID()
	a.try(f, t.th.BINLGrace)
}

// asked is who a request was sent to, zero for everybody.
func asked(f *wire.Frame) wire.Addr {
	if f.Dst.IsMulticast() {
		return wire.Addr{}
	}
	return f.Dst
}

// bootAnswer takes a reply to askBoot and reports whether it was one.
func (t *tracker) bootAnswer(f *wire.Frame, m Message, o *Options, c *client, out *track.Out) bool {
	pxe, _ := replyPXE(o)
	var a *attempt
	for _, op := range [...]op{opBootServer, opBINL} {
		x := c.attempts[op]
		if x == nil || x.xid != m.XID() || op == opBootServer && !pxe.HasItem && f.SrcPort == PortServer && !m.YIAddr().IsZero() {
			continue
		}
		// ROMs keep the transaction id of the exchange before: a late copy of
		// that ACK must not pass for an answer.
		if f.SrcPort == PortPXE || f.DstPort == PortPXE || f.Src == x.server.Addr || m.YIAddr().IsZero() {
			a = x
			break
		}
	}
	if a == nil {
		return false
	}
	given := NewLease(f, m, o)
	if !given.Server.IsZero() && given.Server == f.Src || a.server.Addr.IsZero() {
		a.server.Addr = f.Src
	}
	if given.Server.IsZero() {
		given.Server = f.Src
	}
	base := c.lease
	if base == nil {
		base = &track.Lease{MAC: c.mac, Addr: known(m.CIAddr()), Arch: -1}
		if c.said != nil {
			base.Arch = c.said.Arch
		}
	}
	l := c.merge(base, false)
	if given.File != "" {
		takeBoot(l, given)
	}
	if l.Server.IsZero() {
		l.Server, l.ServerMAC = given.Server, given.ServerMAC
	}
	c.lease = l
	t.answer(f, c, a, out)
	x := t.attemptExchange(c, a, track.Answered, f.Time)
	x.Lease = l
	x.Detail = "no boot file"
	if given.File != "" {
		x.Detail = fmt.Sprintf("file %q", given.File)
	}
	out.Exchange(x)
	if c.load.watching && given.File != "" {
		t.loads(c, out)
	}
	return true
}

// bootSilence judges a question on port 4011, or to a boot server, that nobody
// answers; refused says that ICMP called the port closed.
func (t *tracker) bootSilence(c *client, a *attempt, now capture.Time, refused bool, out *track.Out) {
	rule, need := RuleNo4011Answer, t.th.BINLTries
	if a.op == opBootServer {
		rule, need = RuleNoBootServer, bootServerTries
	}
	if a.abandoned {
		need = 1 // one try, and then the client started over: to it, that was it
	}
	if a.overdue < need && !refused {
		return
	}
	g := finding.Finding{
		Rule: rule, Subject: c.kind().String(), Severity: finding.Error, Confidence: rule.Confidence, Node: c.endpoint(), Server: a.server,
		VLAN: c.key.vlan, Iface: a.iface, First: a.first, Last: now, Frames: a.frames.frames(),
		Facts: append([]finding.Fact{{Key: "requests", Value: a.tries}}, c.clientFacts()...),
	}
	to := "everybody"
	if !a.server.Addr.IsZero() {
		to = a.server.Addr.String()
	}
	if a.op == opBootServer {
		g.Summary = fmt.Sprintf("%s for %s to %s, no boot server answers", count(a.tries, "request"), a.subject, to)
		g.Facts = append(g.Facts, c.discoveryFacts()...)
	} else {
		g.Summary = fmt.Sprintf("%s to %s:4011, no reply", count(a.tries, "request"), to)
	}
	if refused {
		g.Facts = append(g.Facts, finding.Fact{Key: "icmp", Value: "port-unreachable"})
		g.Summary += ": ICMP says that the port is closed"
		g.Confidence = finding.Certain
	} else if a.op == opBINL {
		g.Summary += ", no ICMP"
	}
	if c.kind() == track.ClientIPXE {
		g.Severity = finding.Note
		g.Summary += "; iPXE goes on without"
	}
	a.accused = rule
	out.Find(g)
}

// bootServerTries are the requests to boot servers before silence counts.
const bootServerTries = 3

// discoveryFacts say where the offers told the client to look: options 43.6,
// 43.7 and 43.8.
func (c *client) discoveryFacts() (facts []finding.Fact) {
	for _, w := range c.burst.offers {
		if !w.bootAware || w.control < 0 && w.group.IsZero() && !w.servers {
			continue
		}
		facts = append(facts, finding.Fact{Key: "told_by", Value: w.server.String()})
		if w.control >= 0 {
			facts = append(facts, finding.Fact{Key: "discovery_control", Value: w.control})
		}
		if !w.group.IsZero() {
			facts = append(facts, finding.Fact{Key: "multicast", Value: w.group.String()})
		}
		if w.servers {
			var list []string
			for _, a := range w.lease.BootServers {
				list = append(list, a.String())
			}
			facts = append(facts, finding.Fact{Key: "boot_servers", Value: list})
		}
		break
	}
	return facts
}
