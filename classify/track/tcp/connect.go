package tcp

import (
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// asked counts a SYN to a known service.
func (t *tracker) asked(k seriesKey, s *series, a *attempt, f *wire.Frame, out *track.Out) {
	s.meet(f, true)
	if a.answers > 0 {
		t.unheard(k, s, a, f, out)
		return
	}
	r := &s.run
	if r.tries == 0 || f.Time.Sub(r.last) > seriesGap {
		*r = run{first: f.Time}
		if s.episode.outcome == track.Open {
			r.counted = true
			t.tried(k.client, f.Time)
		}
	}
	r.tries++
	r.last = f.Time
	r.frames.add(f.ID)
	if r.tries == t.th.SYNTries {
		r.enough = f.Time
	}
	if r.found && r.tries >= r.next {
		t.unanswered(k, s, f.Time, out)
	}
	t.schedule(k, s)
}

// silenceDue is when the SYNs of s are overdue: after syn_grace for the
// exchange, and when the last of syn_tries had its time for the finding.
func (t *tracker) silenceDue(s *series) capture.Time {
	r := &s.run
	grace := r.first.Add(t.th.SYNGrace)
	switch {
	case r.tries == 0 || r.rejected || r.found:
		return track.Never
	case r.tries >= t.th.SYNTries:
		if due := max(grace, r.enough.Add(answerGrace)); !r.told || due > s.episode.told {
			return due
		}
	case !r.told:
		return grace
	}
	return track.Never
}

// unanswered reports the SYNs of s as overdue at a time.
func (t *tracker) unanswered(k seriesKey, s *series, at capture.Time, out *track.Out) {
	r := &s.run
	r.told = true
	s.episode = episode{outcome: track.Unanswered, first: r.first, last: at, tries: r.tries, frames: r.frames}
	t.tell(k, s, at, out)
	if r.tries < t.th.SYNTries || t.scans(k.client, at) || s.stage == track.StageMount {
		return // mount's silence is rpc's: clients try TCP and UDP, and one failing is normal
	}
	other, family := t.elsewhere(k, s, r.first)
	if family {
		return
	}
	f := t.finding(RuleSYNUnanswered, k, s)
	f.First, f.Last, f.Frames = r.first, at, r.frames.list()
	f.Summary = fmt.Sprintf("%d SYNs to %s in %s, no answer and no ICMP: dropped, not refused",
		r.tries, s.title(k), seconds(r.last.Sub(r.first)))
	f.Facts = append(f.Facts, finding.Fact{Key: "syns", Value: r.tries}, finding.Fact{Key: "seconds", Value: r.last.Sub(r.first).Seconds()})
	if other {
		f.Severity = finding.Warning
		f.Facts = append(f.Facts, finding.Fact{Key: "answered_elsewhere", Value: true})
	}
	r.found, r.next = true, 2*r.tries
	out.Find(f)
}

// answered reads a SYN/ACK, the first of a connection or a repetition, or what
// shows that there was one.
func (t *tracker) answered(k seriesKey, s *series, a *attempt, f *wire.Frame, out *track.Out) {
	s.meet(f, f.Src == k.client)
	if a.answers > 1 {
		t.unheard(k, s, a, f, out)
		return
	}
	t.came(k, s, f.Time, out)
	r, e := s.run, &s.episode
	s.run, s.refusals = run{}, &nothing
	if e.outcome == track.Answered && f.Time.Sub(e.last) <= pause {
		e.tries += r.tries
		e.last, e.changed = f.Time, true
		t.schedule(k, s)
		return
	}
	if r.counted {
		t.reached(k.client)
	}
	first := r.first
	if r.tries == 0 {
		first = f.Time
	}
	*e = episode{outcome: track.Answered, first: first, last: f.Time, tries: r.tries, frames: r.frames}
	e.frames.add(f.ID)
	if r.tries > 1 {
		e.detail = fmt.Sprintf("after %d attempts", r.tries)
	}
	t.tell(k, s, f.Time, out)
	t.schedule(k, s)
}

// came tones down, or takes back, what was found before the server answered.
func (t *tracker) came(k seriesKey, s *series, now capture.Time, out *track.Out) {
	if r := &s.run; r.found {
		f := t.finding(RuleSYNUnanswered, k, s)
		f.Severity, f.First, f.Last, f.Frames = finding.Note, r.first, now, r.frames.list()
		f.Summary = fmt.Sprintf("%d SYNs to %s got no answer for %s, then the server answered",
			r.tries, s.title(k), seconds(now.Sub(r.first)))
		f.Facts = append(f.Facts, finding.Fact{Key: "syns", Value: r.tries}, finding.Fact{Key: "answered_after", Value: now.Sub(r.first).Seconds()})
		out.Find(f)
	}
	n := s.refusals
	switch {
	case !n.found:
	case now.Sub(n.begun) <= t.th.RefusedWindow:
		out.Withdraw(track.Withdrawal{Rule: RuleRefused, Node: s.client, Server: s.server, Subject: k.String()})
	default:
		f := t.finding(RuleRefused, k, s)
		f.Severity, f.First, f.Last, f.Frames = finding.Note, n.begun, now, n.frames.list()
		f.Summary = fmt.Sprintf("%s refused connections for %s, then it accepted", s.title(k), seconds(now.Sub(n.begun)))
		f.Facts = append(f.Facts, finding.Fact{Key: "accepted_after", Value: now.Sub(n.begun).Seconds()})
		out.Find(f)
	}
}

// refused reads a RST, or an ICMP port unreachable of the server, to a SYN.
func (t *tracker) refused(k seriesKey, s *series, f *wire.Frame, reason string, out *track.Out) {
	e := &s.episode
	first, tries, last := s.run.first, s.run.tries, s.run.frames
	if tries == 0 {
		first = f.Time
	}
	n := s.refusals
	if n.n == 0 || !n.found && f.Time.Sub(n.last) > t.th.RefusedWindow {
		n = &refusals{begun: f.Time, first: first, next: t.th.RefusedTries}
		s.refusals = n
	}
	n.n++
	n.last, n.reason = f.Time, reason
	if last.n > 0 {
		n.frames.add(last.id[last.n-1])
	}
	n.frames.add(f.ID)
	s.run = run{}
	if e.outcome == track.Refused && f.Time.Sub(e.last) <= pause {
		e.tries += tries
		e.last, e.changed = f.Time, true
		e.frames.add(f.ID)
	} else {
		*e = episode{outcome: track.Refused, reason: reason, first: first, last: f.Time, tries: tries, frames: last}
		e.frames.add(f.ID)
		t.tell(k, s, f.Time, out)
	}
	if n.n >= n.next && !t.scans(k.client, f.Time) && s.stage != track.StageMount {
		t.findRefused(k, s, f.Time, out)
	}
	t.schedule(k, s)
}

// refusalDue is when a refusal counts as the client's last try.
func (t *tracker) refusalDue(s *series) capture.Time {
	if n := s.refusals; s.boot && s.stage != track.StageMount && n.n > 0 && !n.found && s.run.tries == 0 {
		return n.last.Add(t.th.RefusedWindow)
	}
	return track.Never
}

// gaveUp reports a refusal after which the client did not try again.
func (t *tracker) gaveUp(k seriesKey, s *series, at capture.Time, out *track.Out) {
	other, _ := t.elsewhere(k, s, s.refusals.begun)
	if other || t.scans(k.client, at) {
		s.refusals = &nothing
		return
	}
	t.findRefused(k, s, at, out)
}

func (t *tracker) findRefused(k seriesKey, s *series, at capture.Time, out *track.Out) {
	n := s.refusals
	f := t.finding(RuleRefused, k, s)
	f.First, f.Last, f.Frames = n.first, n.last, n.frames.list()
	if n.n == 1 {
		f.Confidence = finding.Likely
		f.Summary = fmt.Sprintf("%s refused the connection (%s), and the client gave up", s.title(k), n.reason)
	} else {
		f.Summary = fmt.Sprintf("%s refused %d SYNs (%s)", s.title(k), n.n, n.reason)
	}
	f.Facts = append(f.Facts, finding.Fact{Key: "refusals", Value: n.n}, finding.Fact{Key: "by", Value: n.reason})
	if n.reason == portUnreachable {
		f.Facts = append(f.Facts, finding.Fact{Key: "icmp", Value: "port-unreachable"})
	}
	n.found, n.next = true, 2*n.n
	out.Find(f)
}

// finding is what all findings about a series have in common. What no boot
// stands on, and what machines outside the node networks meet, is a warning.
func (t *tracker) finding(r *finding.Rule, k seriesKey, s *series) finding.Finding {
	severity := r.Severity
	if !s.boot || len(t.site.NodeNets) > 0 && !site.In(t.site.NodeNets, k.client) {
		severity = finding.Warning
	}
	return finding.Finding{
		Rule: r, Subject: k.String(), Severity: severity, Confidence: r.Confidence,
		Node: s.client, Server: s.server, VLAN: s.vlan, Iface: s.iface,
		Facts: []finding.Fact{{Key: "service", Value: s.service}, {Key: "server_port", Value: int(k.port)}},
	}
}

// title names what the client wanted.
func (s *series) title(k seriesKey) string {
	if s.name == "" {
		return k.String()
	}
	return k.String() + " (" + s.name + ")"
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
