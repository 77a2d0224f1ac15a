package dhcp

import (
	"fmt"
	"strings"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

func (t *tracker) offer(f *wire.Frame, m Message, o *Options, c *client, out *track.Out) {
	b := &c.burst
	if b.tries == 0 {
		return // the DISCOVER came before the capture began
	}
	if !b.has(m.XID()) {
		b.strays++
		return
	}
	w, fresh := b.offerOf(f, m, o)
	if w == nil {
		return
	}
	w.last, w.lastFrame = f.Time, f.ID
	w.count++
	w.late = w.count == 1 && !b.searching
	w.sums[f.UDPChecksum()]++
	w.outgoing = w.outgoing || f.Outgoing
	c.sights.reply(f)
	if f.DstPort == PortServer && !m.GIAddr().IsZero() && f.Dst == m.GIAddr() {
		b.toRelay++
	}
	if fresh {
		t.proxyConflict(c, w, out)
		t.offRack(f, c, w, out)
	}
	if b.empty && w.lease.BootInfo {
		t.bootInfoCame(c, out)
	}
	if w.proxy {
		return
	}
	b.replies++
	if b.replies == 1 {
		b.usable = f.Time
		t.offered(c, out)
		t.proxyOnlyNoMore(c, out)
		t.delay(f, c, w, out)
		if b.searching {
			b.frames.add(f.ID)
			b.selectAt = f.Time.Add(t.th.SelectGrace)
			if b.kind.Boots() {
				b.infoAt = f.Time.Add(t.th.OfferGrace)
			}
			out.Exchange(t.discoverExchange(c, track.Answered, f.Time))
		}
	}
	if b.searching {
		t.ignoredOffers(c, f.Time, out)
	}
}

// acceptance lists why a client may refuse an offer that reaches it: the tests
// of iPXE (net/udp/dhcp.c), edk2 (PxeBcDhcp4.c) and RFC 2131 section 4.1.
func acceptance(f *wire.Frame, m Message, o *Options, b *burst) (failed []string) {
	relayed := !m.GIAddr().IsZero() && f.Dst == m.GIAddr()
	if f.SrcPort != PortServer && f.SrcPort != PortPXE {
		failed = append(failed, fmt.Sprintf("sent from UDP port %d, clients take 67 only", f.SrcPort))
	}
	if !o.Cut() {
		if !o.Has(OptServerID) {
			failed = append(failed, "no server identifier (option 54)")
		}
		if !o.Has(OptMask) && !m.YIAddr().IsZero() {
			failed = append(failed, "no subnet mask (option 1), which UEFI demands")
		}
		if _, pxe := ParsePXE(o.Get(OptVendorSpecific)); pxe && !bootAware(o) && b.kind == track.ClientPXE {
			failed = append(failed, "PXE's option 43 without option 60 PXEClient")
		}
	}
	if b.broadcast && !relayed && !f.Dst.IsMulticast() {
		failed = append(failed, "unicast to a client that asked for broadcasts")
	}
	return failed
}

// Ping checks: a server asks whether the address is in use before it offers it
// and waits this long for the answer, more or less checkSlack.
var pingChecks = []struct {
	wait time.Duration
	by   string
}{
	{time.Second, "ISC dhcpd pings the address for 1 s"},
	{2 * time.Second, "busybox udhcpd asks for the address by ARP for 2 s"},
	{3 * time.Second, "dnsmasq asks for the address for 3 s"},
}

const checkSlack = 100 * time.Millisecond

// delay judges how long the first OFFER took. A client that repeated itself
// may have been answered for any of its DISCOVERs: only what is slow counted
// from the last one is certainly slow.
func (t *tracker) delay(f *wire.Frame, c *client, w *offer, out *track.Out) {
	b := &c.burst
	first, last := f.Time.Sub(b.first), f.Time.Sub(b.last)
	if last > t.th.ClockForward {
		return // the clock was set, or the capture paused
	}
	for _, p := range pingChecks {
		d, ok := first, near(first, p.wait)
		if !ok {
			d, ok = last, near(last, p.wait)
		}
		if !ok {
			continue
		}
		if c.once(postPingCheck) {
			g := t.positive(RulePingCheck, c, w.endpoint(), b.first, f.Time, b.frames.frames(), f.ID)
			g.Summary = fmt.Sprintf("the OFFER of %s came after %s: %s, which is normal", w.lease.Addr, seconds(d), p.by)
			g.Facts = []finding.Fact{{Key: "delay_seconds", Value: d.Seconds()}, {Key: "check", Value: p.by}}
			out.Find(g)
		}
		return
	}
	if last <= t.th.SlowOffer && (first <= t.th.SlowOffer || b.tries > 1 && last < 500*time.Millisecond || w.relayed()) {
		return
	}
	g := finding.Finding{
		Rule: RuleSlowOffer, Severity: finding.Warning, Confidence: finding.Certain, Node: c.endpoint(), Server: w.endpoint(),
		VLAN: c.key.vlan, Iface: f.Iface, First: b.first, Last: f.Time, Frames: join(b.frames.frames(), []capture.FrameID{f.ID}),
		Summary: fmt.Sprintf("the first OFFER came %s after the DISCOVER", seconds(last)),
		Facts:   []finding.Fact{{Key: "delay_seconds", Value: last.Seconds()}, {Key: "since_first_discover_seconds", Value: first.Seconds()}, {Key: "discovers", Value: b.tries}},
	}
	if last <= t.th.SlowOffer {
		g.Severity, g.Confidence = finding.Note, finding.Possible
		g.Summary = fmt.Sprintf("the first OFFER came %s after the first of %d DISCOVERs", seconds(first), b.tries)
	}
	out.Find(g)
}

func (w *offer) relayed() bool { return !w.lease.Relay.IsZero() }

func near(d, want time.Duration) bool { return d >= want-checkSlack && d <= want+checkSlack }

// positive is a finding of normal behaviour.
func (t *tracker) positive(r *finding.Rule, c *client, server finding.Endpoint, first, last capture.Time, frames []capture.FrameID, id capture.FrameID) finding.Finding {
	return finding.Finding{
		Rule: r, Severity: finding.OK, Confidence: r.Confidence, Node: c.endpoint(), Server: server,
		VLAN: c.key.vlan, Iface: c.iface, First: first, Last: last, Frames: join(frames, []capture.FrameID{id}),
	}
}

// afterOffer explains a DISCOVER that follows an OFFER.
func (t *tracker) afterOffer(f *wire.Frame, c *client, out *track.Out) {
	b := &c.burst
	w := b.chosen(wire.Addr{})
	if b.kind != track.ClientIPXE || w == nil || b.lost > 0 || b.secs > 0 && !b.heard {
		return
	}
	wait := proxyWait
	if b.heard {
		wait = proxyWaitHeard
	}
	if f.Time.Sub(b.usable) <= wait && c.once(postIPXEWaiting) {
		g := t.positive(RuleIPXEWaiting, c, w.endpoint(), b.first, f.Time, b.frames.frames(), f.ID)
		g.Summary = fmt.Sprintf("iPXE repeats its DISCOVER %s after the OFFER while it waits for a proxy, which is normal", seconds(f.Time.Sub(b.usable)))
		out.Find(g)
	}
}

// How long after an OFFER iPXE still discovers: until 2 s are over
// (config/dhcp.h, DHCP_DISC_PROXY_TIMEOUT_SEC); where it says that it holds
// the OFFER, the retry timer that runs then may be longer.
const (
	proxyWait      = 2100 * time.Millisecond
	proxyWaitHeard = 4500 * time.Millisecond
)

// ignoredOffers judges a client that goes on searching in spite of usable
// offers: dhcp-offer-ignored, or dhcp-relay-broken where the offers went to a
// relay and nothing tells that they got beyond it.
func (t *tracker) ignoredOffers(c *client, now capture.Time, out *track.Out) {
	b := &c.burst
	if !b.searching || !b.selected || b.after < 2 || b.unreadable {
		return
	}
	w := b.chosen(wire.Addr{})
	if w == nil || w.cut || b.kind.Boots() && !b.hasBootInfo() {
		return
	}
	rule := RuleOfferIgnored
	if b.toRelay >= 3 && b.toRelay == b.replies && !b.heard && len(w.failed) == 0 {
		rule = RuleRelayBroken
	}
	if b.ignored != rule {
		t.notIgnored(c, out)
		b.ignored, b.ignoredBy = rule, w.endpoint()
	} else if !b.ignoredSaid.pass(b.after) {
		return
	}
	g := finding.Finding{
		Rule: rule, Subject: b.kind.String(), Severity: finding.Error, Confidence: finding.Likely,
		Node: c.endpoint(), Server: b.ignoredBy, VLAN: c.key.vlan, Iface: b.iface, First: b.first, Last: now,
		Frames: join(b.frames.frames(), []capture.FrameID{w.frame, w.lastFrame}),
		Facts: append([]finding.Fact{
			{Key: "discovers", Value: b.tries}, {Key: "offers", Value: b.replies}, {Key: "discovers_after_offer", Value: b.after},
			{Key: "offered", Value: w.lease.Addr.String()},
		}, c.clientFacts()...),
	}
	if rule == RuleRelayBroken {
		r := w.lease.Relay.String()
		g.Facts = append(g.Facts, finding.Fact{Key: "relay", Value: r})
		g.Summary = fmt.Sprintf("%s sent to the relay %s, the client goes on with DISCOVERs and never sends a REQUEST", count(b.toRelay, "OFFER"), r)
		out.Find(g)
		return
	}
	g.Summary = fmt.Sprintf("%s of %s from %s, %s after %s and no REQUEST", count(b.replies, "OFFER"), w.lease.Addr, w.server, count(b.after, "DISCOVER"), b.firstOffer())
	if len(w.failed) > 0 {
		g.Facts = append(g.Facts, finding.Fact{Key: "failed_tests", Value: w.failed})
		g.Summary += ": " + strings.Join(w.failed, "; ")
		g.Next = "Correct what the client refuses in the OFFER: " + strings.Join(w.failed, "; ") + "."
	}
	switch {
	case b.secs == 0:
	case b.heard:
		g.Facts = append(g.Facts, finding.Fact{Key: "ipxe_has_offer", Value: true})
		g.Summary += "; iPXE's secs field says that it has the OFFER"
	default:
		g.Facts = append(g.Facts, finding.Fact{Key: "ipxe_has_offer", Value: false})
		g.Summary += "; iPXE's secs field says that no OFFER reached it"
	}
	out.Find(g)
	t.badChecksum(c, w, now, out)
}

// firstOffer points back to the first of the OFFERs that a sentence counted.
func (b *burst) firstOffer() string {
	if b.replies > 1 {
		return "the first"
	}
	return "it"
}

func (b *burst) hasBootInfo() bool {
	for _, w := range b.offers {
		if w.lease.BootInfo {
			return true
		}
	}
	return false
}

// offersAreCut reports whether boot information may hide behind the snap length.
func (b *burst) offersAreCut() bool {
	for _, w := range b.offers {
		if w.cut {
			return true
		}
	}
	return false
}

// notIgnored takes dhcp-offer-ignored back: the client made its choice.
func (t *tracker) notIgnored(c *client, out *track.Out) {
	b := &c.burst
	if b.ignored != nil {
		out.Withdraw(track.Withdrawal{Rule: b.ignored, Node: c.endpoint(), Server: b.ignoredBy, Subject: b.kind.String()})
		b.ignored = nil
	}
}
