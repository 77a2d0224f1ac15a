package dhcp

import (
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// emptyOffers judges a client that boots, goes on searching, and was offered
// addresses without boot information: UEFI firmware takes none of them.
func (t *tracker) emptyOffers(c *client, now capture.Time, out *track.Out) {
	b := &c.burst
	if !b.searching || !b.informed || b.after == 0 || !b.kind.Boots() || b.unreadable || b.hasBootInfo() || b.offersAreCut() {
		return
	}
	w := b.chosen(wire.Addr{})
	if w == nil || !b.emptySaid.pass(b.after) {
		return
	}
	if !b.empty {
		b.empty = true
		t.notIgnored(c, out)
	}
	g := t.emptyFinding(c, now)
	g.Summary = fmt.Sprintf("%s to %s without a boot file, %s after %s and no REQUEST", count(b.replies, "OFFER"), kindText(b.kind), count(b.after, "DISCOVER"), b.firstOffer())
	g.Frames = join(g.Frames, []capture.FrameID{w.frame, w.lastFrame})
	c.missProxy(&g)
	out.Find(g)
}

// proxied is the proxy that offered boot information in the search before.
type proxied struct {
	server wire.Addr
	at     capture.Time // of that search's last DISCOVER
}

// proxyMemory is how long a proxy is missed: firmware starts over within
// seconds, a machine that was sent elsewhere in between within minutes.
const proxyMemory = 5 * time.Minute

// missProxy says that a proxy named the boot file before and is silent now: it
// is the one to look at, not the server that never named one. A question of
// the client to port 4011 that stayed unanswered is the nearer cause.
func (c *client) missProxy(g *finding.Finding) {
	p := c.proxied
	if p.server.IsZero() || c.burst.first.Sub(p.at) > proxyMemory {
		return
	}
	g.Summary += fmt.Sprintf("; the proxy %s offered one before and is silent now", p.server)
	g.Next = fmt.Sprintf("Find out why the boot service on %s answers no more: is it running, does its log tell of a crash?", p.server)
	g.Facts = append(g.Facts, finding.Fact{Key: "proxy_before", Value: p.server.String()})
	if a := c.attempts[opBINL]; a != nil && !a.done && a.accused != nil && a.server.Addr == p.server {
		g.Severity = min(g.Severity, finding.Warning)
	}
}

func (t *tracker) emptyFinding(c *client, now capture.Time) finding.Finding {
	b := &c.burst
	g := finding.Finding{
		Rule: RuleNoBootInfo, Subject: b.kind.String(), Severity: finding.Error, Confidence: finding.Certain,
		Node: c.endpoint(), VLAN: c.key.vlan, Iface: b.iface, First: b.first, Last: now, Frames: b.frames.frames(),
		Facts: append([]finding.Fact{{Key: "offers", Value: b.replies}}, c.clientFacts()...),
	}
	var servers []string
	for _, w := range b.offers {
		servers = append(servers, w.server.String())
	}
	if len(servers) > 0 {
		g.Facts = append(g.Facts, finding.Fact{Key: "servers", Value: servers})
	}
	if b.kind == track.ClientHTTP {
		// Firmware tries HTTP boot because it is next in its boot order, on
		// sites too that never meant to use it.
		g.Severity = finding.Warning
	}
	return g
}

// bootInfoCame takes dhcp-no-boot-info back.
func (t *tracker) bootInfoCame(c *client, out *track.Out) {
	c.burst.empty = false
	out.Withdraw(track.Withdrawal{Rule: RuleNoBootInfo, Node: c.endpoint(), Subject: c.burst.kind.String()})
}

// A loadWatch is a client whose ACK named nothing to boot. It may go on all
// the same: with a script inside its iPXE, or on the word of a proxy whose
// unicast answer the capture cannot show.
type loadWatch struct {
	watching bool
	kind     track.ClientKind
	acked    capture.Time
	warnAt   capture.Time // 0: said
	errorAt  capture.Time // 0: said
	finding  finding.Finding
	said     bool
	due      bool // errorAt is over, but nothing else than DHCP had been captured
}

func (l *loadWatch) at() capture.Time {
	switch {
	case !l.watching:
		return track.Never
	case l.warnAt != 0:
		return l.warnAt
	case l.errorAt != 0:
		return l.errorAt
	}
	return track.Never
}

// bootless judges an ACK after a search that was seen from its start and in
// which nobody said what to boot.
func (t *tracker) bootless(f *wire.Frame, o *Options, c *client, l *track.Lease, searched bool, out *track.Out) {
	t.stopAwaiting(c)
	b := &c.burst
	if l.BootInfo {
		if b.empty {
			t.bootInfoCame(c, out)
		}
		return
	}
	if !l.Kind.Boots() || !searched || b.replies == 0 || b.unreadable || b.offersAreCut() || o.Cut() {
		return
	}
	g := t.emptyFinding(c, f.Time)
	g.Frames = join(g.Frames, []capture.FrameID{f.ID})
	g.Summary = fmt.Sprintf("%s got %s from %s, but nobody named a boot file", kindText(l.Kind), l.Addr, l.Server)
	c.missProxy(&g)
	if g.Severity > finding.Warning {
		g.Confidence = finding.Likely
	}
	c.load = loadWatch{watching: true, kind: l.Kind, acked: f.Time, finding: g, errorAt: f.Time.Add(t.th.LoadGrace)}
	t.awaited++
	if l.Kind != track.ClientIPXE && b.broadcast {
		// Every reply was a broadcast, so a proxy's would be here too.
		c.load.finding.Confidence = finding.Certain
		c.load.errorAt = 0
		t.sayBootless(c, g.Severity, f.Time, out)
		return
	}
	c.load.warnAt = f.Time.Add(t.th.OfferGrace)
}

func (t *tracker) sayBootless(c *client, s finding.Severity, now capture.Time, out *track.Out) {
	c.load.said = true
	g := c.load.finding
	g.Severity, g.Last = min(s, g.Severity), now
	if g.Severity < finding.Error && c.load.finding.Severity == finding.Error {
		g.Confidence = finding.Possible
	}
	out.Find(g)
}

func (t *tracker) loadOverdue(c *client, now capture.Time, out *track.Out) {
	l := &c.load
	if !l.watching {
		return
	}
	if l.warnAt != 0 && l.warnAt <= now {
		l.warnAt = 0
		t.sayBootless(c, finding.Warning, now, out)
	}
	if l.errorAt != 0 && l.errorAt <= now {
		l.errorAt = 0
		// With nothing but DHCP in the capture the next step cannot be seen.
		if l.due = !t.sawTraffic; !l.due {
			t.sayBootless(c, finding.Error, now, out)
		}
	}
}

// loadFinish makes up for it when other traffic was captured later.
func (t *tracker) loadFinish(c *client, out *track.Out) {
	if c.load.due && t.sawTraffic {
		t.sayBootless(c, finding.Error, c.load.acked.Add(t.th.LoadGrace), out)
	}
}

// settleLoad ends the watch when the client searches anew: iPXE after firmware
// was loaded from somewhere; anything else gave up.
func (t *tracker) settleLoad(c *client, out *track.Out) {
	l := &c.load
	if !l.watching {
		return
	}
	if c.kind() == track.ClientIPXE && l.kind != track.ClientIPXE {
		t.loads(c, out)
		return
	}
	if l.errorAt != 0 {
		t.sayBootless(c, finding.Error, l.acked, out)
	}
	t.stopAwaiting(c)
}

// loads takes dhcp-no-boot-info back: the client fetches something.
func (t *tracker) loads(c *client, out *track.Out) {
	if c.load.said {
		out.Withdraw(track.Withdrawal{Rule: RuleNoBootInfo, Node: c.load.finding.Node, Subject: c.load.finding.Subject})
	}
	t.stopAwaiting(c)
}

func (t *tracker) stopAwaiting(c *client) {
	if c.load.watching {
		t.awaited--
		c.load = loadWatch{}
	}
}

// alive notes a packet that shows that a client went on after its lease.
func (t *tracker) alive(mac wire.MAC, a wire.Addr, vlan uint16, out *track.Out) *client {
	if t.awaited == 0 {
		return nil
	}
	c := t.byAddr(a, vlan)
	if c == nil {
		k := clientKey{vlan: vlan}
		copy(k.hw[:], mac[:])
		c = t.lookup(k)
	}
	if c != nil && c.load.watching {
		t.loads(c, out)
		t.schedule(c)
	}
	return c
}

// arp reads one ARP packet: iPXE that resolves an address has something to do
// there. Firmware resolves addresses for other reasons too.
func (t *tracker) arp(f *wire.Frame, out *track.Out) {
	t.sawTraffic = true
	a := &f.ARP
	if !a.Sender.IsZero() && !f.Copy {
		t.uses(f, a.SenderMAC, a.Sender, out)
	}
	if t.awaited == 0 || a.Op != 1 || a.Sender.IsZero() || a.Sender == a.Target {
		return
	}
	if c := t.byAddr(a.Sender, f.VLAN()); c != nil && c.load.watching && c.load.kind == track.ClientIPXE &&
		f.Time.Sub(c.load.acked) <= t.th.LoadGrace {
		t.loads(c, out)
		t.schedule(c)
	}
}
