package tcp

import (
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A client counts the ports that one machine begins to try without being
// answered: a scan tries many, a node that boots one or two.
type client struct {
	since capture.Time
	tried int
}

const (
	maxClients  = 4096
	scanWindow  = 10 * time.Second
	scanTargets = 6 // ports tried within scanWindow without an answer
	scanMemory  = time.Minute

	// A sweep tries ports by the dozen; what its machine does in the next
	// minutes, by hand or by script, is no boot either.
	sweepTargets = 10 * scanTargets
	sweepMemory  = 10 * time.Minute
)

// tried notes that a client begins to try a port, or was refused by one of no
// known service: scans ask for those above all.
func (t *tracker) tried(a wire.Addr, now capture.Time) {
	c := t.clients.At(a)
	if now.Sub(c.since) > c.memory() {
		*c = client{since: now}
	}
	c.tried++
}

// memory is how long the tries of c count.
func (c *client) memory() time.Duration {
	switch {
	case c.tried >= sweepTargets:
		return sweepMemory
	case c.tried >= scanTargets:
		return scanMemory
	}
	return scanWindow
}

// reached notes that a port answered.
func (t *tracker) reached(a wire.Addr) {
	if c := t.clients.Get(a); c != nil && c.tried > 0 {
		c.tried--
	}
}

func (t *tracker) scans(a wire.Addr, now capture.Time) bool {
	c := t.clients.Get(a)
	return c != nil && c.tried >= scanTargets && now.Sub(c.since) <= c.memory()
}

// elsewhere reports whether another server answered the same client on the same
// port since a time, and whether by the other version of IP.
func (t *tracker) elsewhere(k seriesKey, s *series, since capture.Time) (other, family bool) {
	t.series.Each(func(j seriesKey, o *series, _ capture.Time) {
		same := j.client == k.client || !s.client.MAC.IsZero() && o.client.MAC == s.client.MAC
		if j.port != k.port || j.server == k.server || !same || o.episode.outcome != track.Answered || o.episode.last < since {
			return
		}
		other = true
		family = family || j.server.Is4() != k.server.Is4()
	})
	return other, family
}

// unheard looks at a handshake that the server answers and the client repeats:
// the SYN/ACK does not reach the client. A client that is silent after its
// first SYN proves nothing; it may be a scan or a forged address.
func (t *tracker) unheard(k seriesKey, s *series, a *attempt, f *wire.Frame, out *track.Out) {
	e := &s.episode
	if int(a.answers) < t.th.SYNTries || a.repeats < 2 || e.outcome != track.Answered || e.bytes > 0 {
		return
	}
	x := t.streams.of(f)
	if x == nil || x.established || x.halfOpen || f.Time.Sub(e.first) < t.th.SYNGrace {
		return
	}
	x.halfOpen = true
	e.outcome, e.last, e.detail = track.Unanswered, f.Time, "the SYN/ACK does not reach the client"
	e.tries += int(a.repeats)
	e.frames.add(f.ID)
	t.tell(k, s, f.Time, out)
	n := t.finding(RuleSYNUnanswered, k, s)
	n.Confidence = finding.Likely
	n.First, n.Last, n.Frames = e.first, f.Time, e.frames.list()
	n.Summary = fmt.Sprintf("%s answers, %d times, but the client goes on asking: the answers are lost on the way back", s.title(k), a.answers)
	n.Facts = append(n.Facts, finding.Fact{Key: "half_open", Value: true},
		finding.Fact{Key: "syns", Value: int(a.repeats) + 1}, finding.Fact{Key: "syn_acks", Value: int(a.answers)})
	out.Find(n)
}

// established notes that the client acknowledges the server's SYN/ACK.
func (t *tracker) established(x *stream, f *wire.Frame, out *track.Out) {
	x.established = true
	if !x.halfOpen {
		return
	}
	x.halfOpen = false
	k, s := t.known(t.streams.flow(x))
	if s == nil {
		return
	}
	out.Withdraw(track.Withdrawal{Rule: RuleSYNUnanswered, Node: s.client, Server: s.server, Subject: k.String()})
	e := &s.episode
	e.outcome, e.last, e.detail = track.Answered, f.Time, ""
	t.tell(k, s, f.Time, out)
}

const portUnreachable = "ICMP port unreachable"

// icmp reads an ICMP error about a connection (RFC 1122 section 4.2.3.9).
func (t *tracker) icmp(f *wire.Frame, out *track.Out) {
	q := &f.ICMP.Quote
	if !f.ICMP.HasQuote || q.Proto != wire.ProtoTCP || f.Copy {
		return
	}
	kind := classify(f)
	if kind == otherError {
		return
	}
	if kind == tooBig {
		t.tooBig(f)
		return
	}
	k, s := t.known(*q)
	a := t.attempts.Get(*q)
	if s == nil || a == nil || !a.begun || a.answers > 0 || s.run.tries == 0 {
		return
	}
	if kind == portError && f.Src == q.Dst {
		t.refused(k, s, f, portUnreachable, out)
		return
	}
	// Somebody else rejects: that is blocked-by-firewall's, and silence after
	// it is no news, because ICMP errors are limited in rate.
	r, e := &s.run, &s.episode
	r.rejected = true
	if e.outcome == track.Refused && e.first == r.first {
		e.tries, e.last, e.changed = r.tries, f.Time, true
	} else {
		*e = episode{
			outcome: track.Refused, first: r.first, last: f.Time, tries: r.tries, frames: r.frames,
			reason: fmt.Sprintf("ICMP type %d code %d from %s", f.ICMP.Type, f.ICMP.Code, f.Src),
		}
		e.frames.add(f.ID)
		t.tell(k, s, f.Time, out)
	}
	t.schedule(k, s)
}

// Kinds of ICMP errors.
const (
	otherError = iota
	unreachable
	portError
	tooBig
)

// classify tells kinds of ICMP errors (RFC 792, RFC 4443 section 3).
func classify(f *wire.Frame) int {
	t, c := f.ICMP.Type, f.ICMP.Code
	if f.Proto == wire.ProtoICMP {
		switch {
		case t != 3:
			return otherError
		case c == 3:
			return portError
		case c == 4:
			return tooBig
		}
		return unreachable
	}
	switch {
	case t == 2:
		return tooBig
	case t != 1:
		return otherError
	case c == 4:
		return portError
	}
	return unreachable
}
