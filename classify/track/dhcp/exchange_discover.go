package dhcp

import (
	"fmt"
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A burst is the DISCOVERs of one client that belong together: gaps of at most
// burst_gap, one kind of client, no REQUEST in between. It outlives its search:
// what was offered is merged into the lease when the ACK comes.
type burst struct {
	searching bool // no REQUEST since
	kind      track.ClientKind
	iface     int
	broadcast bool // the client asked for broadcasts
	rapid     bool // it would take an ACK at once (RFC 4039)

	first, last capture.Time
	tries       int
	gaps        [4]time.Duration // between the first five DISCOVERs
	xids        [4]uint32        // the last ones, nxids of them used
	nxids       int
	frames      evidence

	waiting    graces
	overdue    int
	deadlineAt capture.Time // of the last overdue DISCOVER
	unreadable bool         // a reply was seen whose type or content is unknown
	strays     int          // replies to this client with another transaction id
	relay      [4]byte      // a relay passed a DISCOVER on

	offers   []*offer
	usable   capture.Time // of the first OFFER with an address
	replies  int          // OFFERs with an address
	toRelay  int          // of those, sent to the relay's address
	after    int          // DISCOVERs after the first such OFFER
	selectAt capture.Time // when a REQUEST is due at last, or 0
	infoAt   capture.Time // when boot information is due at last, or 0
	selected bool         // its time is over
	informed bool         // its time is over

	secs      int  // iPXE's counter in the last DISCOVER, 0 when unknown
	uncoded   bool // secs is no counter
	heard     bool // iPXE said that it has an OFFER
	lost      int  // iPXE said that it has none, half a second and more after one
	lostBy    finding.Endpoint
	severity  finding.Severity
	accused   bool // dhcp-no-offer was reported for this burst
	muted     bool // and left out, because there are too many
	proxyOnly bool // proxydhcp-conflict was reported for want of a server
	empty     bool // dhcp-no-boot-info was reported
	ignored   *finding.Rule
	ignoredBy finding.Endpoint

	noOfferSaid, emptySaid, ignoredSaid throttle
}

func (b *burst) deadline() capture.Time {
	at := b.waiting.next()
	if b.selectAt != 0 {
		at = min(at, b.selectAt)
	}
	if b.infoAt != 0 {
		at = min(at, b.infoAt)
	}
	return at
}

func (b *burst) has(xid uint32) bool { return slices.Contains(b.xids[:b.nxids], xid) }

func (b *burst) addXID(xid uint32) {
	switch {
	case b.has(xid):
	case b.nxids < len(b.xids):
		b.xids[b.nxids] = xid
		b.nxids++
	default:
		copy(b.xids[:], b.xids[1:])
		b.xids[b.nxids-1] = xid
	}
}

// reordered is how far a reply may stand before its request in a capture that
// several queues or files were merged into.
const reordered = time.Second

func (t *tracker) discover(f *wire.Frame, m Message, o *Options, c *client, x *txn, out *track.Out) {
	c.listen(f, m, o)
	b := &c.burst
	if !b.searching || c.kind() != b.kind || f.Time.Sub(b.last) > t.th.BurstGap {
		again := c.kind() == b.kind // else its next program searches: it got on
		t.closeBurst(c, out)
		if p := b.proxy(); p != nil {
			c.proxied = proxied{server: p.server, at: b.last}
		}
		offers := b.offers[:0]
		*b = burst{searching: true, kind: c.kind(), iface: f.Iface, first: f.Time, offers: offers}
		t.settleLoad(c, out)
		if again {
			t.abandon(c, f.Time, out)
		}
	}
	if n := b.tries; n > 0 && n <= len(b.gaps) {
		b.gaps[n-1] = f.Time.Sub(b.last)
	}
	if b.tries++; b.tries > 1 && b.replies == 0 {
		t.promote(c, persistent)
	}
	b.last = f.Time
	b.broadcast, b.rapid = m.Broadcast(), o.Has(OptRapidCommit)
	b.addXID(m.XID())
	b.frames.add(f.ID)
	if x.relay != ([4]byte{}) {
		b.relay = x.relay
	}
	c.sights.request(f)
	if b.replies == 0 && x.seen.any(Offer, Ack) && f.Time.Sub(x.offerAt) <= reordered && x.offerAt > b.first.Add(-reordered) {
		b.unreadable = true
	}
	t.secs(f, m, o, c, out)
	if b.replies == 0 {
		if !b.unreadable {
			b.waiting.add(f.Time.Add(t.th.OfferGrace))
		}
		return
	}
	b.after++
	t.afterOffer(f, c, out)
	t.ignoredOffers(c, f.Time, out)
	t.emptyOffers(c, f.Time, out)
}

// closeBurst ends the search of c without a REQUEST: the client gave up, or
// its next program looks anew.
func (t *tracker) closeBurst(c *client, out *track.Out) {
	b := &c.burst
	if !b.searching {
		return
	}
	b.searching = false
	t.settleSights(c, b.last, out)
	if b.overdue > 0 && b.replies == 0 {
		c.pastOf(b.kind).add(b)
	}
}

// burstOverdue judges a search whose next deadline has come.
func (t *tracker) burstOverdue(c *client, now capture.Time, out *track.Out) {
	b := &c.burst
	if at := b.waiting.next(); at <= now {
		b.overdue += b.waiting.expire(now)
		b.deadlineAt = now
		t.noOffer(c, now, false, out)
	}
	if b.infoAt != 0 && b.infoAt <= now {
		b.infoAt, b.informed = 0, true
		t.emptyOffers(c, now, out)
	}
	if b.selectAt != 0 && b.selectAt <= now {
		b.selectAt, b.selected = 0, true
		t.settleSights(c, now, out)
		t.ignoredOffers(c, now, out)
	}
}

// burstFinish reports what is still open, and that a client accused before
// was still trying.
func (t *tracker) burstFinish(c *client, end capture.Time, out *track.Out) {
	b := &c.burst
	if !b.searching {
		return
	}
	t.settleSights(c, end, out)
	switch {
	case b.replies > 0 || b.unreadable:
	case b.overdue == 0 && b.waiting.pending() > 0:
		out.Exchange(t.discoverExchange(c, track.Open, b.last))
	case b.waiting.pending() > 0:
		t.noOffer(c, b.deadlineAt, true, out)
	}
}

// discoverExchange is the search of c as it stands.
func (t *tracker) discoverExchange(c *client, o track.Outcome, last capture.Time) track.Exchange {
	b := &c.burst
	x := track.Exchange{
		Service: serviceDHCP, Stage: track.StageDHCP, Op: "DISCOVER", Outcome: o,
		Client: c.endpoint(), VLAN: c.key.vlan, Iface: b.iface,
		First: b.first, Last: last, Tries: b.tries, Overdue: b.overdue, Frames: b.frames.frames(), Lease: c.said,
	}
	if w := b.chosen(wire.Addr{}); w != nil {
		x.Server = w.endpoint()
		x.Lease = c.merge(w.lease, true)
		x.Frames = join(x.Frames, []capture.FrameID{w.frame})
		x.Detail = "offered " + w.lease.Addr.String()
		if d := w.first.Sub(b.first); d >= 100*time.Millisecond {
			x.Detail += " after " + seconds(d)
		}
	} else if p := b.proxy(); p != nil {
		x.Detail = fmt.Sprintf("only the proxy %s answered", p.server)
	}
	return x
}

// Services of the catalog.
const (
	serviceDHCP  = "dhcp"
	serviceProxy = "proxydhcp"
)

// seconds prints a duration as people read it in a report.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// kindText is a kind of client in a sentence.
func kindText(k track.ClientKind) string {
	switch k {
	case track.ClientPXE:
		return "PXE firmware"
	case track.ClientHTTP:
		return "UEFI HTTP boot"
	case track.ClientIPXE:
		return "iPXE"
	case track.ClientBOOTP:
		return "a BOOTP client"
	}
	return "an operating system or installer"
}

// clientFacts say who asked.
func (c *client) clientFacts() []finding.Fact {
	f := []finding.Fact{{Key: "client", Value: c.kind().String()}}
	if c.said == nil {
		return f
	}
	if c.said.Arch >= 0 {
		f = append(f, finding.Fact{Key: "arch", Value: ArchName(c.said.Arch)})
	}
	if c.said.Class != "" {
		f = append(f, finding.Fact{Key: "vendor_class", Value: c.said.Class})
	}
	if c.said.UserClass != "" {
		f = append(f, finding.Fact{Key: "user_class", Value: c.said.UserClass})
	}
	return f
}
