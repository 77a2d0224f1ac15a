package dhcp

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// ICMP destination unreachable and its codes, RFC 792 and RFC 1812 section
// 5.2.7.1.
const (
	icmpUnreachable = 3

	codeNet  = 0
	codeHost = 1
	codePort = 3
)

var codeNames = map[uint8]string{codeNet: "net-unreachable", codeHost: "host-unreachable", codePort: "port-unreachable"}

// icmp reads an error about a DHCP datagram. Prohibitions by a firewall are
// the ICMP tracker's.
func (t *tracker) icmp(f *wire.Frame, out *track.Out) {
	q := &f.ICMP.Quote
	what, ok := codeNames[f.ICMP.Code]
	if f.Copy || f.ICMP.Type != icmpUnreachable || !ok || !f.ICMP.HasQuote || q.Proto != wire.ProtoUDP {
		return
	}
	fromTarget := f.ICMP.Code == codePort && f.Src == q.Dst
	switch {
	case q.SrcPort == PortServer && q.DstPort == PortServer:
		t.relayUnreachable(f, what, out)
	case (q.DstPort == PortPXE || q.DstPort == PortServer) && fromTarget:
		t.portClosed(f, out)
	}
}

// relayUnreachable: what a server sends to a relay, or a relay to a server,
// does not arrive.
func (t *tracker) relayUnreachable(f *wire.Frame, what string, out *track.Out) {
	q := &f.ICMP.Quote
	agent, other, toRelay := q.Dst, q.Src, true
	if _, ok := t.relays.agents[agent]; !ok {
		if _, ok = t.relays.agents[q.Src]; !ok {
			return
		}
		agent, other, toRelay = q.Src, q.Dst, false
	}
	g := finding.Finding{
		Rule: RuleRelayBroken, Subject: agent.String() + " " + other.String(), Severity: finding.Error, Confidence: finding.Likely,
		Server: finding.Endpoint{Addr: other, Port: PortServer}, VLAN: f.VLAN(), Iface: f.Iface,
		First: f.Time, Last: f.Time, Frames: []capture.FrameID{f.ID},
		Summary: fmt.Sprintf("replies to the relay %s do not arrive: %s reports %s", agent, f.Src, what),
		Facts: []finding.Fact{
			{Key: "relay", Value: agent.String()}, {Key: "server", Value: other.String()}, {Key: "icmp", Value: what}, {Key: "icmp_from", Value: f.Src.String()},
		},
	}
	if !toRelay {
		g.Summary = fmt.Sprintf("the relay %s cannot reach the server %s: %s reports %s", agent, other, f.Src, what)
		g.Next = fmt.Sprintf("Check that %s is the right target of the relay and that its DHCP service runs.", other)
	}
	if m := Message(f.ICMP.QuoteData); m.Valid() {
		g.Node.MAC = m.CHAddr()
	}
	out.Find(g)
}

// portClosed: the server that a client asked has nothing listening.
func (t *tracker) portClosed(f *wire.Frame, out *track.Out) {
	q := &f.ICMP.Quote
	var c *client
	if m := Message(f.ICMP.QuoteData); m.Valid() {
		c = t.lookup(clientKey{hardware(m, nil), f.VLAN()})
	}
	if c == nil {
		if c = t.byAddr(q.Src, f.VLAN()); c == nil {
			return
		}
	}
	for _, k := range [...]op{opBINL, opBootServer, opRenew, opRequest, opInform} {
		a := c.attempts[k]
		if a == nil || a.done || a.unreadable || a.server.Addr != q.Dst || (k == opBINL || k == opBootServer) != (q.DstPort == PortPXE) {
			continue
		}
		a.frames.add(f.ID)
		a.waiting.clear()
		a.closed = true
		x := t.attemptExchange(c, a, track.Refused, f.Time)
		x.Reason = "ICMP port unreachable"
		out.Exchange(x)
		switch k {
		case opBINL, opBootServer:
			t.bootSilence(c, a, f.Time, true, out)
		case opRenew, opRequest:
			t.requestRefused(c, a, f, out)
		}
		t.schedule(c)
		return
	}
}

// requestRefused: a REQUEST met a closed port.
func (t *tracker) requestRefused(c *client, a *attempt, f *wire.Frame, out *track.Out) {
	g := finding.Finding{
		Rule: RuleRequestUnanswered, Subject: c.kind().String(), Severity: finding.Warning, Confidence: finding.Certain,
		Node: c.endpoint(), Server: a.server, VLAN: c.key.vlan, Iface: a.iface, First: a.first, Last: f.Time, Frames: a.frames.frames(),
		Summary: fmt.Sprintf("REQUEST for %s to %s: ICMP says that no DHCP server listens there", a.asked, a.server.Addr),
		Facts: append([]finding.Fact{
			{Key: "requests", Value: a.tries}, {Key: "requested", Value: a.asked.String()}, {Key: "server", Value: a.server.Addr.String()},
			{Key: "state", Value: stateNames[a.state]}, {Key: "icmp", Value: "port-unreachable"},
		}, c.clientFacts()...),
	}
	if a.state == selecting {
		g.Severity = finding.Error
	}
	a.accused = RuleRequestUnanswered
	out.Find(g)
}
