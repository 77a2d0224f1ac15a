package dhcp

import (
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A history is the earlier bursts of one kind of client that nobody answered.
// They are one finding with the present one: it must not get milder because
// the firmware started over.
type history struct {
	kind     track.ClientKind
	severity finding.Severity
	bursts   int
	overdue  int
	first    capture.Time
	last     capture.Time
	frames   [4]capture.FrameID
	nframes  int
}

func (h *history) add(b *burst) {
	if h.bursts == 0 {
		h.first = b.first
	}
	h.bursts++
	h.overdue += b.overdue
	h.last = b.deadlineAt
	h.severity = max(h.severity, b.severity)
	for _, id := range b.frames.ids[:b.frames.n] {
		if h.nframes < len(h.frames) {
			h.frames[h.nframes] = id
			h.nframes++
		}
	}
}

func (c *client) pastOf(k track.ClientKind) *history {
	for i := range c.past {
		if c.past[i].kind == k {
			return &c.past[i]
		}
	}
	c.past = append(c.past, history{kind: k})
	return &c.past[len(c.past)-1]
}

// noOffer judges a search of which DISCOVERs are overdue. finish says that the
// capture ended while others were in grace.
func (t *tracker) noOffer(c *client, now capture.Time, finish bool, out *track.Out) {
	b := &c.burst
	if !b.searching || b.replies > 0 || b.unreadable {
		return
	}
	if !finish && !b.noOfferSaid.pass(b.overdue) {
		return
	}
	if b.proxy() != nil {
		out.Exchange(t.discoverExchange(c, track.Unanswered, now))
		t.onlyProxy(c, now, out)
		return
	}
	h := c.pastOf(b.kind)
	b.severity = severityOf(t.th, h.overdue+b.overdue, b.overdue, now.Sub(b.first), b.last.Sub(b.first))
	if !t.noOffers.admit(c, b, now, out) {
		return
	}
	b.accused = true
	out.Exchange(t.discoverExchange(c, track.Unanswered, now))
	out.Find(t.noOfferFinding(c, h, now, finish))
	if b.severity >= finding.Warning { // one DISCOVER may have been lost
		t.servers.NoOffer(c.mac, c.key.vlan, now, out)
	}
}

// severityOf weighs unanswered DISCOVERs: total over all bursts, recent in this
// one, waited since its first DISCOVER, span between its first and last.
func severityOf(th *site.Thresholds, total, recent int, waited, span time.Duration) finding.Severity {
	switch {
	case total >= th.DiscoverError, span >= th.DiscoverSpan && recent > 1, waited >= th.DiscoverSpan && recent > 2:
		return finding.Error
	case total >= th.DiscoverWarning:
		return finding.Warning
	case total >= th.DiscoverNote:
		return finding.Note
	}
	return finding.OK
}

func (t *tracker) noOfferFinding(c *client, h *history, now capture.Time, finish bool) finding.Finding {
	b := &c.burst
	n := h.overdue + b.overdue
	first := b.first
	if h.bursts > 0 {
		first = h.first
	}
	f := finding.Finding{
		Rule: RuleNoOffer, Subject: b.kind.String(), Severity: max(h.severity, b.severity), Confidence: finding.Certain,
		Node: c.endpoint(), VLAN: c.key.vlan, Iface: b.iface, First: first, Last: now,
		Frames: join(h.frames[:h.nframes], b.frames.frames()),
	}
	f.Summary = fmt.Sprintf("%s by %s, no OFFER within %s", count(n, "DISCOVER"), kindText(b.kind), seconds(now.Sub(first)))
	f.Facts = append([]finding.Fact{{Key: "discovers", Value: n}, {Key: "waited_seconds", Value: now.Sub(first).Seconds()}}, c.clientFacts()...)
	if h.bursts > 0 {
		f.Facts = append(f.Facts, finding.Fact{Key: "attempts", Value: h.bursts + 1})
	}
	if p := profileOf(t.cfg.Site.Profiles, b.gaps[:min(max(b.tries-1, 0), len(b.gaps))]); p != "" {
		f.Facts = append(f.Facts, finding.Fact{Key: "retry_profile", Value: p})
	}
	if b.relay != ([4]byte{}) {
		r := wire.Addr4(b.relay).String()
		f.Facts = append(f.Facts, finding.Fact{Key: "relay", Value: r})
		f.Summary += ", although the relay " + r + " passed them on"
	}
	if b.strays > 0 {
		f.Facts = append(f.Facts, finding.Fact{Key: "replies_with_other_xid", Value: b.strays})
		f.Summary += fmt.Sprintf("; %s had another transaction id", count(b.strays, "reply"))
	}
	if finish {
		f.Facts = append(f.Facts, finding.Fact{Key: "still_retrying", Value: b.waiting.pending()})
	}
	return f
}

// offered takes dhcp-no-offer back: an OFFER came after all. What earlier
// bursts showed stays.
func (t *tracker) offered(c *client, out *track.Out) {
	b := &c.burst
	b.waiting.clear()
	b.overdue = 0
	if !b.accused {
		return
	}
	b.accused = false
	h := c.pastOf(b.kind)
	if h.bursts == 0 {
		out.Withdraw(track.Withdrawal{Rule: RuleNoOffer, Node: c.endpoint(), Subject: b.kind.String()})
		return
	}
	now := *b
	b.frames, b.tries, b.severity, b.strays, b.relay = evidence{}, 0, 0, 0, [4]byte{}
	b.first = h.first
	out.Find(t.noOfferFinding(c, h, h.last, false))
	*b = now
}

// profileOf names the retry profile that the gaps between DISCOVERs follow
// best, the first one among equals. Two gaps at least: one fits too many.
func profileOf(profiles []site.Profile, gaps []time.Duration) (name string) {
	if len(gaps) < 2 {
		return ""
	}
	best := time.Duration(1<<63 - 1)
next:
	for _, p := range profiles {
		if len(p.Gaps) == 0 {
			continue
		}
		var off time.Duration
		for i, g := range gaps {
			want := p.Gaps[min(i, len(p.Gaps)-1)]
			d := (g - want).Abs()
			if d > want/8+200*time.Millisecond {
				continue next
			}
			off += d
		}
		if off < best {
			name, best = p.Name, off
		}
	}
	return name
}

// count prints a number with its noun.
func count(n int, noun string) string {
	if noun == "reply" {
		return finding.Count(n, noun, "replies")
	}
	return finding.Count(n, noun, noun+"s")
}

// noOfferReports bounds what a flood of made-up clients can make the tracker
// say: each of them would be a finding of its own.
type noOfferReports struct {
	// Clients reported within an hour from since: with one DISCOVER, with any
	// number, and as errors.
	once, all, errors int
	since             capture.Time
	said              int // clients reported, ever
	more              int // clients left out
	next              int // of more, when the summary is renewed
	finding           finding.Finding
}

// Limits of what is said about single clients.
const (
	maxLonely   = 512     // clients that sent one DISCOVER
	maxAccused  = 4096    // clients in all
	maxErrors   = 1 << 14 // those that asked as often as makes an error, which few programs of attackers do
	floodReport = 64      // clients left out that make the first summary
)

// admit reports whether the finding of c is to be made. Clients beyond the
// limits of an hour are counted in one finding of the segment; one that had an
// address is not.
func (r *noOfferReports) admit(c *client, b *burst, now capture.Time, out *track.Out) bool {
	if b.accused {
		return true
	}
	if now.Sub(r.since) >= time.Hour {
		r.once, r.all, r.errors, r.since = 0, 0, 0, now
	}
	lonely, isError := b.overdue == 1, b.severity >= finding.Error
	switch {
	case isError && r.errors < maxErrors, r.all < maxAccused && (!lonely || r.once < maxLonely), c.place == leaseholder:
		r.all, r.said = r.all+1, r.said+1
		if lonely {
			r.once++
		}
		if isError {
			r.errors++
		}
		if b.muted {
			r.more--
		}
		return true
	}
	if b.muted {
		return false
	}
	b.muted = true
	if r.finding.Rule == nil {
		r.next = floodReport
		r.finding = finding.Finding{
			Rule: RuleNoOffer, Subject: "flood", Severity: finding.Warning, Confidence: finding.Likely,
			VLAN: c.key.vlan, Iface: b.iface, First: b.first,
		}
	}
	r.more++
	for _, id := range b.frames.ids[:min(b.frames.n, 1)] {
		r.finding.Frames = finding.AppendFrame(r.finding.Frames, id)
	}
	r.finding.Last = now
	if r.more >= r.next {
		r.next *= 4
		r.report(out)
	}
	return false
}

func (r *noOfferReports) report(out *track.Out) {
	f := r.finding
	f.Frames = append([]capture.FrameID(nil), f.Frames...)
	f.Summary = fmt.Sprintf("%d more clients sent DISCOVERs without an OFFER; so many look like a scan or a starvation attack, or the server is down for all", r.more)
	f.Facts = []finding.Fact{{Key: "clients", Value: r.more + r.said}}
	out.Find(f)
}

func (r *noOfferReports) finish(out *track.Out) {
	if r.more > 0 {
		r.report(out)
	}
}
