package rpc

import (
	"fmt"
	"strings"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A silence is what a client sent to one program of a server, portmap or
// mountd, since the program answered last. Clients try TCP, then UDP, so it
// counts when every transport that was tried is silent.
type silence struct {
	udp, tcp, syn attempts
	first, last   capture.Time
	frames        []capture.FrameID
	request       callKey // sent last
	subject       string  // of that request
	port          uint16  // the server's
	severity      finding.Severity
	served        bool // answered earlier in the capture

	shown      *finding.Finding
	shownTries int
}

// attempts are the tries over one transport.
type attempts struct {
	tries     int
	first     capture.Time
	due       capture.Time // when silence counts
	enough    bool         // it counts by itself
	refused   int          // TCP resets, ICMP port unreachables
	refusedAt capture.Time
	from      uint16 // the client's port, of SYNs
}

// secondSYN is the time that a SYN has beyond the graces: the last one that
// was counted may be answered yet.
const secondSYN = time.Second

func (s *silence) add(a *attempts, f *wire.Frame) {
	if s.tries() == 0 {
		s.first = f.Time
	}
	s.last = f.Time
	s.port = f.DstPort
	s.frames = finding.AppendFrame(s.frames, f.ID)
	if a.tries == 0 {
		a.first = f.Time
	}
	a.tries++
}

func (s *silence) tries() int { return s.udp.tries + s.tcp.tries + s.syn.tries }

// call counts a call, or its repetition.
func (s *silence) call(t *tracker, p *pair, f *wire.Frame, c *call, k callKey) {
	s.severity = max(s.severity, severityOf(c))
	s.request, s.subject = k, c.request.exchange.Subject
	a := &s.tcp
	if c.udp {
		a = &s.udp
	}
	s.add(a, f)
	switch {
	case !c.udp && a.tries == 1:
		a.due, a.enough = f.Time.Add(t.th.RPCGraceTCP), true
	case c.udp && !a.enough:
		a.due, a.enough = f.Time.Add(t.th.RPCGraceUDP), a.tries >= t.th.RPCTriesUDP
	}
	t.arm(p, s.next(t, f.Time))
}

// severityOf is how much the silence matters: a root cannot be mounted without
// mountd, but without locks. Servers that restart ask the portmap of every
// client for statd, whether it runs or not.
func severityOf(c *call) finding.Severity {
	if c.prog == programPortmap {
		switch c.request.asked.prog {
		case programNLM:
			return finding.Warning
		case programNSM:
			return finding.Note
		}
	}
	return finding.Error
}

// knock counts a SYN. Only SYNs from one port are tries of one connection: a
// port scan sends one each.
func (s *silence) knock(t *tracker, p *pair, f *wire.Frame) {
	a := &s.syn
	if a.from != f.SrcPort && !a.enough {
		refused, at := a.refused, a.refusedAt
		*a = attempts{from: f.SrcPort, refused: refused, refusedAt: at}
	}
	s.add(a, f)
	if !a.enough {
		a.due = a.first.Add(t.th.SYNGrace)
		if a.tries >= t.th.SYNTries {
			a.due, a.enough = max(a.due, f.Time.Add(secondSYN)), true
		}
	}
	t.arm(p, s.next(t, f.Time))
}

// refuse counts a reset, or an ICMP port unreachable, from the server itself.
func (s *silence) refuse(t *tracker, f *wire.Frame, a *attempts) {
	if a.tries == 0 {
		return
	}
	if f.Time.Sub(a.refusedAt) > t.th.RefusedWindow && a != &s.udp {
		a.refused = 0
	}
	a.refused++
	a.refusedAt = f.Time
	a.enough = a.enough || a == &s.udp || a.refused >= t.th.RefusedTries
	s.frames = finding.AppendFrame(s.frames, f.ID)
}

// silent reports whether the attempts have no answer to hope for.
func (a *attempts) silent(now capture.Time) bool {
	return a.tries > 0 && (a.refused > 0 || now >= a.due)
}

// next is the next time at which something may be decided.
func (s *silence) next(t *tracker, now capture.Time) capture.Time {
	at := track.Never
	soon := func(x capture.Time) {
		if x > now {
			at = min(at, x)
		}
	}
	for _, a := range [...]*attempts{&s.udp, &s.tcp, &s.syn} {
		if a.tries == 0 {
			continue
		}
		soon(a.due)
		if a.refused > 0 {
			soon(a.refusedAt.Add(t.th.RPCGraceUDP))
		}
	}
	if s.shown != nil && s.tries() > s.shownTries {
		soon(s.last.Add(t.th.RPCGraceUDP))
	}
	return at
}

// broken ends a silence: the program answered.
func (t *tracker) broken(s *silence, out *track.Out) {
	if s.shown != nil {
		withdraw(s.shown, out)
	}
	*s = silence{served: true, frames: s.frames[:0]}
}

// judgeSilence reports s when every transport that was tried is silent and one
// of them for long enough. final: no more frames come.
func (t *tracker) judgeSilence(p *pair, s *silence, now capture.Time, final bool, out *track.Out) {
	silent, enough, refusedOnly, at := 0, false, true, capture.Time(0)
	for _, a := range [...]*attempts{&s.udp, &s.tcp, &s.syn} {
		if a.tries == 0 {
			continue
		}
		if !a.silent(now) {
			t.arm(p, s.next(t, now))
			return
		}
		silent++
		enough = enough || a.enough
		if a.refused > 0 {
			at = max(at, a.refusedAt)
		} else {
			refusedOnly = false
			at = max(at, a.due)
		}
	}
	if silent == 0 || !enough && silent < 2 {
		t.arm(p, s.next(t, now))
		return
	}
	both := s.udp.tries > 0 && s.tcp.tries+s.syn.tries > 0
	if refusedOnly && !both {
		// The other transport may be tried yet.
		wait := at.Add(t.th.RPCGraceUDP)
		if now < wait && !final {
			t.arm(p, wait)
			return
		}
	}
	if s.shown != nil && s.tries() == s.shownTries {
		return
	}
	early := refusedOnly && !both && now < at.Add(t.th.RPCGraceUDP)
	s.show(t, p, max(at, s.last), early, out)
	t.arm(p, s.next(t, now))
}

// show reports the finding, or what it has become; early when the capture ended
// before the client could have tried something else.
func (s *silence) show(t *tracker, p *pair, last capture.Time, early bool, out *track.Out) {
	r, what := RulePortmapNoAnswer, "portmap"
	if s == &p.mount {
		r, what = RuleMountNoAnswer, "mountd"
	}
	f := p.finding(r, "")
	if s.udp.tries+s.tcp.tries > 0 {
		f.Severity = s.severity
	}
	if early {
		f.Confidence = f.Confidence.Lower()
	}
	f.Server.Port = s.port
	f.First, f.Last = s.first, last
	f.Frames = append([]capture.FrameID(nil), s.frames...)

	var sent []string
	add := func(n int, one, many string) {
		if n > 0 {
			sent = append(sent, finding.Count(n, one, many))
		}
	}
	add(s.udp.tries, "call over UDP", "calls over UDP")
	add(s.tcp.tries, "call over TCP", "calls over TCP")
	add(s.syn.tries, "SYN", "SYNs")
	reply := "no reply, no ICMP"
	resets := s.syn.refused + s.tcp.refused
	switch {
	case s.udp.refused > 0 && resets > 0:
		reply = "refused by ICMP port unreachable and by TCP reset"
	case s.udp.refused > 0:
		reply = "refused by ICMP port unreachable"
	case resets > 0:
		reply = "refused by TCP reset"
	}
	asked := ""
	if s.subject != "" {
		asked = fmt.Sprintf(" for %q", s.subject)
	}
	where := ""
	if s == &p.mount {
		where = fmt.Sprintf(" port %d", s.port)
		if t.fromPortmap(p.key.server, s.port) {
			where += " (from portmap)"
		}
	}
	f.Summary = fmt.Sprintf("%s%s to %s on %s%s, %s", strings.Join(sent, " and "), asked, what, p.key.server, where, reply)
	if p.stray != (wire.Addr{}) {
		f.Summary += fmt.Sprintf("; a reply came from %s, another address", p.stray)
	}

	f.Facts = append(f.Facts, finding.Fact{Key: "port", Value: int(s.port)},
		finding.Fact{Key: "calls_udp", Value: s.udp.tries}, finding.Fact{Key: "calls_tcp", Value: s.tcp.tries}, finding.Fact{Key: "syns", Value: s.syn.tries})
	if s.subject != "" {
		f.Facts = append(f.Facts, finding.Fact{Key: "asked", Value: s.subject})
	}
	if s.udp.refused > 0 {
		f.Facts = append(f.Facts, finding.Fact{Key: "icmp", Value: "port-unreachable"})
	}
	if resets > 0 {
		f.Facts = append(f.Facts, finding.Fact{Key: "resets", Value: resets})
	}
	if s.served {
		f.Facts = append(f.Facts, finding.Fact{Key: "answered_before", Value: true})
	}
	f.Facts = p.facts(f.Facts)
	s.shown, s.shownTries = &f, s.tries()
	out.Find(f)
}
