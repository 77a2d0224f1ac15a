package dhcp

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// RulePortNotForwarding is l2-port-not-forwarding.
var RulePortNotForwarding = &finding.Rule{
	ID: "l2-port-not-forwarding", Ref: "FM-07", Severity: finding.Warning, Confidence: finding.Likely,
	Title: "The switch port does not forward yet when the node asks",
	Detect: "At the server: the first DISCOVER seen of a boot already counts earlier ones (iPXE's coded secs, or secs of 8 and more), for two nodes of a VLAN or more, the capture having run " +
		"long enough to show the earlier ones. At the client: three or more DISCOVERs in 15 to 50 s without any answer, then an answer within a second of the next; possible only, unless the " +
		"servers of that VLAN answered others meanwhile. Or rapid spanning tree's BPDUs of the node's port that are not forwarding while DISCOVERs go unanswered; an error when nothing answers at all.",
	Means: "The switch mutes the port after each link-up, 30 s with classic spanning tree, and the firmware or loader gives up before. In order of likelihood: an access port without edge (PortFast); " +
		"a link reset between ROM, loader and kernel that starts spanning tree again; a port channel waiting for LACP; a virtual bridge with a forward delay.",
	Next: "Make the port an edge port (PortFast), use rapid spanning tree, and set the bridge's forward delay to 0. For port channels allow traffic without LACP (fallback, force-up).",
	Traps: "A DHCP server checks an address with ping for up to 3 s. A capture that began late misses the first messages. A server that was started meanwhile answers everybody at once, " +
		"and one with a secs threshold (min-secs, a relay's) makes everybody wait: clients that were all silent until the same moment are not reported.",
	References: []string{"IEEE 802.1D-2004 sections 9.3 and 17", "iPXE net/udp/dhcp.c, net/stp.c", "pxescope field catalogue FM-07, 7.9"},
	Absence:    true,
	Rank:       finding.RankLink,
}

const (
	missedSecs   = 8                // secs of a first DISCOVER that count earlier ones: iPXE's second, or 8 s
	missedNodes  = 2                // nodes of a VLAN that make a finding
	quietLeast   = 15 * time.Second // how long unanswered DISCOVERs last: forward delay ...
	quietMost    = 50 * time.Second // ... and max age plus twice the forward delay
	quietSends   = 3
	promptAnswer = time.Second
	maxLate      = 32 // late callers remembered per segment
)

// lateCaller is a node whose first DISCOVER was not its first.
type lateCaller struct {
	mac   wire.MAC
	secs  uint16
	sends int
	at    capture.Time
	frame capture.FrameID
	said  bool
}

// discovering follows the bursts of DISCOVERs of a client, before the request
// is noted in c.
func (s *Servers) discovering(f *wire.Frame, m Message, o *Options, c *caller, out *track.Out) {
	if o.Type() != Discover || !m.GIAddr().IsZero() {
		return
	}
	fresh := c.sends == 0 || f.Time.Sub(c.at) > s.cfg.Site.Thresholds.BurstGap || c.answered
	if c.xid != m.XID() || c.at == 0 {
		s.lateFirst(f, m, o, out)
	}
	if fresh {
		c.began, c.ignored, c.sends, c.answered = f.Time, 0, 0, false
	} else {
		c.ignored = c.at
	}
	if c.sends < len(c.frames) {
		c.frames[c.sends] = f.ID
	}
	c.sends++
}

// lateFirst looks at the first DISCOVER of a transaction: does it count
// earlier ones that the capture should have shown?
func (s *Servers) lateFirst(f *wire.Frame, m Message, o *Options, out *track.Out) {
	secs := m.Secs()
	if secs >= 256 && secs&0xff == 0 {
		secs >>= 8 // some firmware swaps the bytes
	}
	if secs < missedSecs || secs > 120 || !ClientKind(m, o).Boots() {
		return
	}
	// The earliest that the first of them can have been sent: iPXE's counter at
	// the PXE specification's pace, or plain seconds.
	sends, ago := 0, time.Duration(secs)*time.Second
	if count, hasOffer, hasProxy, ok := IPXESecs(m, o); ok {
		if hasOffer || hasProxy {
			return // an answer reached it
		}
		sends, ago = count, max(ago, specPace(count))
	}
	if f.Time.Sub(s.first) <= ago+time.Second {
		return // the capture may have begun in between
	}
	g := s.segment(segmentOf(f))
	late := lateCaller{mac: m.CHAddr(), secs: secs, sends: sends, at: f.Time, frame: f.ID}
	found := false
	for i := range g.late {
		if g.late[i].mac == late.mac {
			late.said = g.late[i].said
			g.late[i], found = late, true
		}
	}
	if !found && len(g.late) < maxLate {
		g.late = append(g.late, late)
	}
	if len(g.late) < missedNodes {
		return
	}
	for i := range g.late {
		if l := &g.late[i]; !l.said {
			l.said = true
			s.findLate(f, g, l, out)
		}
	}
}

// specPace is when the n-th DISCOVER is sent at most after the first, with the
// PXE specification's timeouts of 4, 8, 16 and 32 s.
func specPace(n int) time.Duration {
	at, gap := time.Duration(0), 4*time.Second
	for range min(n-1, 4) {
		at += gap
		gap *= 2
	}
	return at
}

func (s *Servers) findLate(f *wire.Frame, g *segment, l *lateCaller, out *track.Out) {
	facts := []finding.Fact{{Key: "evidence", Value: "first DISCOVER counts earlier ones"}, {Key: "secs", Value: int(l.secs)}, {Key: "nodes", Value: len(g.late)}}
	what := fmt.Sprintf("the first DISCOVER that arrived says %d s", l.secs)
	if l.sends > 0 {
		what = fmt.Sprintf("the first DISCOVER that arrived was iPXE's number %d", l.sends)
		facts = append(facts, finding.Fact{Key: "ipxe_sends", Value: l.sends})
	}
	out.Find(finding.Finding{
		Rule: RulePortNotForwarding, Severity: finding.Warning, Confidence: finding.Likely,
		Node: finding.Endpoint{MAC: l.mac}, VLAN: g.key.vlan, Iface: f.Iface,
		Summary: what + fmt.Sprintf(": earlier ones were lost, for %d nodes here", len(g.late)),
		Facts:   facts, Frames: []capture.FrameID{l.frame}, First: l.at, Last: l.at,
	})
}

// heard follows an answer to a client: the end of its burst.
func (s *Servers) heard(f *wire.Frame, g *segment, c *caller, mac wire.MAC, out *track.Out) {
	if c.answered || c.sends == 0 || c.seg != g.key {
		c.answered = true
		return
	}
	c.answered = true
	if c.blamed {
		c.blamed = false
		out.Withdraw(track.Withdrawal{Rule: RulePortNotForwarding, Node: finding.Endpoint{MAC: mac}})
	}
	quiet := f.Time.Sub(c.began)
	if f.Time.Sub(c.at) > promptAnswer || c.late {
		return
	}
	if g.stp.opened(c, f.Time) && c.sends > 1 {
		s.findQuiet(f, g, c, mac, finding.Warning, finding.Likely, "BPDUs not forwarding", quiet, out)
		return
	}
	if c.sends <= quietSends || quiet < quietLeast || quiet > quietMost {
		return
	}
	conf := finding.Possible
	if g.pool.answeredBetween(c.began, c.ignored, mac) {
		conf = finding.Likely
	} else if s.othersQuiet(g.key, c, mac) {
		return // nobody was answered: the server was not there
	}
	s.findQuiet(f, g, c, mac, finding.Warning, conf, "answers began after silence", quiet, out)
}

// othersQuiet reports whether another client of the segment had no answer
// while c had none, or none before c was last ignored.
func (s *Servers) othersQuiet(k segmentKey, c *caller, mac wire.MAC) bool {
	yes := false
	s.callers.Each(func(m wire.MAC, o *caller, _ capture.Time) {
		quiet := !o.answered && o.at >= c.began || o.answered && o.sends > 1 && o.at > c.ignored
		yes = yes || m != mac && o.seg == k && o.sends > 0 && quiet
	})
	return yes
}

func (s *Servers) findQuiet(f *wire.Frame, g *segment, c *caller, mac wire.MAC, sev finding.Severity, conf finding.Confidence, evidence string, quiet time.Duration, out *track.Out) {
	c.late = true
	n := min(c.sends, len(c.frames))
	frames := append([]capture.FrameID{}, c.frames[:n]...)
	if evidence == "BPDUs not forwarding" {
		frames = append(frames, g.stp.frame)
	}
	out.Find(finding.Finding{
		Rule: RulePortNotForwarding, Severity: sev, Confidence: conf,
		Node: finding.Endpoint{MAC: mac}, VLAN: g.key.vlan, Iface: f.Iface,
		Summary: fmt.Sprintf("%s in %.1f s went unanswered, then the next was answered at once: %s", count(c.sends-1, "DISCOVER"), c.at.Sub(c.began).Seconds(), evidence),
		Facts:   []finding.Fact{{Key: "evidence", Value: evidence}, {Key: "discovers", Value: c.sends}, {Key: "silence_seconds", Value: quiet.Seconds()}},
		Frames:  append(frames, f.ID), First: c.began, Last: f.Time,
	})
}

// spanning is what BPDUs say of the port that the capture hangs on.
type spanning struct {
	mac       wire.MAC // of the switch's port
	blocked   bool
	since     capture.Time // the first BPDU that was not forwarding
	last      capture.Time // the last such
	frame     capture.FrameID
	forwarded capture.Time // the first forwarding one since
}

// opened reports whether the port was seen not forwarding during the burst of
// c, and forwarding by now.
func (p *spanning) opened(c *caller, now capture.Time) bool {
	return p.since != 0 && p.last >= c.began && p.since <= now && p.forwarded > c.began && p.forwarded <= now
}

// Link reads one link-layer frame (track.LinkLayer): rapid spanning tree's
// BPDUs, IEEE 802.1D-2004 section 9.3.3, and Cisco's per VLAN in SNAP. Classic
// ones (version 0) do not say whether the port forwards.
func (s *Servers) Link(f *wire.Frame, out *track.Out) {
	s.start(f.Time)
	if f.Stop != wire.StopLLC || f.Copy {
		return
	}
	b := f.Payload
	switch {
	case len(b) > 3 && b[0] == 0x42 && b[1] == 0x42 && b[2] == 3:
		b = b[3:]
	case len(b) > 8 && b[0] == 0xaa && b[1] == 0xaa && b[2] == 3 && b[3] == 0 && b[4] == 0 && b[5] == 0x0c && b[6] == 1 && b[7] == 0x0b:
		b = b[8:]
	default:
		return
	}
	const (
		rst        = 2 // type: rapid or multiple spanning tree
		roleMask   = 0x0c
		designated = 0x0c
		forwarding = 0x20
	)
	if len(b) < 5 || binary.BigEndian.Uint16(b) != 0 || b[2] < 2 || b[3] != rst || b[4]&roleMask != designated {
		return
	}
	p := &s.segment(segmentOf(f)).stp
	if p.mac.IsZero() {
		p.mac = f.SrcMAC
	}
	if p.mac != f.SrcMAC {
		return // another port: this is no access port's segment
	}
	switch forwards := b[4]&forwarding != 0; {
	case !forwards && !p.blocked:
		p.blocked, p.since, p.last, p.frame, p.forwarded = true, f.Time, f.Time, f.ID, 0
	case !forwards:
		p.last = f.Time
	case p.blocked:
		p.blocked, p.forwarded = false, f.Time
	}
}

// blockedNoOffer reports a node that nobody answers behind a port that is not
// forwarding: then the silence is the port's.
func (s *Servers) blockedNoOffer(mac wire.MAC, c *caller, at capture.Time, out *track.Out) {
	g := s.segments.Get(c.seg)
	if g == nil || !g.stp.blocked || g.stp.last < c.began {
		return
	}
	c.blamed = true
	n := min(c.sends, len(c.frames))
	out.Find(finding.Finding{
		Rule: RulePortNotForwarding, Severity: finding.Error, Confidence: finding.Likely,
		Node: finding.Endpoint{MAC: mac}, VLAN: c.seg.vlan, Iface: int(c.seg.face),
		Summary: count(c.sends, "DISCOVER") + " went unanswered while the switch port was not forwarding",
		Facts:   []finding.Fact{{Key: "evidence", Value: "BPDUs not forwarding"}, {Key: "discovers", Value: c.sends}},
		Frames:  append(append([]capture.FrameID{}, c.frames[:n]...), g.stp.frame), First: c.began, Last: max(at, c.at),
	})
}
