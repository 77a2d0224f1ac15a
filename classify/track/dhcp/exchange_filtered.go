package dhcp

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// heardWithin is how long an OFFER may be on its way before a DISCOVER that
// denies having it proves that it was lost.
const heardWithin = 500 * time.Millisecond

// secs reads iPXE's secs field, which says whether an OFFER arrived at the
// client. It is trusted only while it counts up by one with each DISCOVER:
// forks of iPXE put seconds there.
func (t *tracker) secs(f *wire.Frame, m Message, o *Options, c *client, out *track.Out) {
	b := &c.burst
	n, hasOffer, _, ok := IPXESecs(m, o)
	if !ok || b.uncoded || b.tries > 1 && n != b.secs+1 {
		b.secs, b.uncoded = 0, true
		return
	}
	b.secs, b.heard = n, hasOffer
	if hasOffer {
		t.notFiltered(c, out)
		return
	}
	w := b.chosen(wire.Addr{})
	if w == nil || f.Time.Sub(b.usable) < heardWithin || len(w.failed) > 0 || b.toRelay > 0 {
		return
	}
	b.lost++
	if b.lost == 1 {
		b.lostBy = w.endpoint()
	}
	g := finding.Finding{
		Rule: RuleReplyFiltered, Subject: "ipxe", Severity: finding.Error, Confidence: finding.Likely, Node: c.endpoint(), Server: b.lostBy,
		VLAN: c.key.vlan, Iface: b.iface, First: b.first, Last: f.Time, Frames: join(b.frames.frames(), []capture.FrameID{w.frame, w.lastFrame}),
		Summary: fmt.Sprintf("%s of %s captured, but iPXE says %s later that none arrived", count(b.replies, "OFFER"), w.server, seconds(f.Time.Sub(b.usable))),
		Facts: []finding.Fact{
			{Key: "offers", Value: b.replies}, {Key: "denied_in_discovers", Value: b.lost}, {Key: "evidence", Value: "ipxe-secs"},
		},
	}
	if b.lost == 1 {
		g.Severity, g.Confidence = finding.Warning, finding.Possible // one lost packet is no filter
	}
	out.Find(g)
}

// notFiltered takes it back: an OFFER arrived.
func (t *tracker) notFiltered(c *client, out *track.Out) {
	b := &c.burst
	if b.lost > 0 {
		b.lost = 0
		out.Withdraw(track.Withdrawal{Rule: RuleReplyFiltered, Node: c.endpoint(), Server: b.lostBy, Subject: "ipxe"})
	}
}

// sights are the interfaces on which the DISCOVERs of a client and the replies
// to them were captured, as sets of bits. A broadcast reply that is missing on
// an interface which showed the DISCOVER before it and the one after it was
// lost between the two points.
type sights struct {
	before, after uint64 // the last two DISCOVERs
	between       uint64 // broadcast replies in between
	pending       uint64 // broadcast replies since
	replied       uint64 // any broadcast reply
	missing       [maxSights]uint8
	said          uint64
}

// maxSights is the number of interfaces told apart.
const maxSights = 64

func sight(f *wire.Frame) uint64 {
	if f.Iface >= maxSights {
		return 0
	}
	return 1 << f.Iface
}

func (s *sights) request(f *wire.Frame) {
	s.settle()
	s.before, s.between = s.after, s.pending
	s.after, s.pending = sight(f), 0
}

func (s *sights) reply(f *wire.Frame) {
	// A unicast frame is not flooded: other interfaces cannot show it.
	if f.HasDstMAC && f.DstMAC.IsGroup() && f.Dst.IsMulticast() {
		s.pending |= sight(f)
		s.replied |= sight(f)
	}
}

// settle counts what is missing, once.
func (s *sights) settle() {
	if s.between == 0 {
		return
	}
	for lost := s.before & s.after &^ s.between; lost != 0; lost &= lost - 1 {
		if i := bits.TrailingZeros64(lost); s.missing[i] < 255 {
			s.missing[i]++
		}
	}
	s.between = 0
}

// sighting notes a copy of a message on another interface.
func (t *tracker) sighting(f *wire.Frame, m Message, o *Options, hw hwAddr, x *txn) {
	typ := o.Type()
	if typ != Discover && typ != Offer || !m.GIAddr().IsZero() {
		return
	}
	c := t.replyTo(f, hw, m.XID(), x)
	if c == nil || !c.burst.has(m.XID()) {
		return
	}
	if typ == Discover {
		c.sights.after |= sight(f)
	} else {
		c.sights.reply(f)
	}
}

// settleSights reports interfaces on which replies are missing, when a search
// ends or has lasted long enough.
func (t *tracker) settleSights(c *client, now capture.Time, out *track.Out) {
	s, b := &c.sights, &c.burst
	s.settle()
	w := b.chosen(wire.Addr{})
	if w == nil || s.replied == 0 {
		return
	}
	for i, n := range s.missing {
		bit := uint64(1) << i
		if n < 2 || s.replied&bit != 0 || s.said&bit != 0 {
			continue
		}
		s.said |= bit
		from := bits.TrailingZeros64(s.replied)
		out.Find(finding.Finding{
			Rule: RuleReplyFiltered, Subject: fmt.Sprintf("interface-%d", i), Severity: finding.Error, Confidence: finding.Certain,
			Node: c.endpoint(), Server: w.endpoint(), VLAN: c.key.vlan, Iface: i, First: b.first, Last: now,
			Frames:  join(b.frames.frames(), []capture.FrameID{w.frame, w.lastFrame}),
			Summary: fmt.Sprintf("%d broadcast OFFERs of %s were captured on one interface and not on another that showed the client's DISCOVERs", n, w.server),
			Facts: []finding.Fact{
				{Key: "replies_missing", Value: int(n)}, {Key: "seen_on_interface", Value: from}, {Key: "missing_on_interface", Value: i},
				{Key: "evidence", Value: "two-interfaces"},
			},
		})
	}
}
