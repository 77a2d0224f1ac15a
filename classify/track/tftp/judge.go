package tftp

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// noAnswer reports requests that nobody answered by now.
func (t *tracker) noAnswer(fe *fetch, at capture.Time, out *track.Out) {
	span := fe.lastTry.Sub(fe.first)
	overdue := fe.overdue
	s := finding.Note
	switch {
	case fe.icmpServer, overdue >= t.th.TFTPOpenError, overdue > 1 && span >= t.th.TFTPOpenSpan:
		s = finding.Error
	case overdue >= t.th.TFTPOpenWarning:
		s = finding.Warning
	}
	f := t.finding(RuleNoAnswer, fe, s)
	what := "request for"
	plurals := "requests for"
	if fe.op() == WRQ {
		what, plurals = "request to write", "requests to write"
	}
	reply := "no reply, no ICMP"
	switch {
	case fe.icmpServer:
		reply = "ICMP port unreachable: nothing listens there"
	case fe.icmp != "":
		reply = "no reply, ICMP " + fe.icmp
	}
	f.Summary = fmt.Sprintf("%s %q to %s, %s", finding.Count(fe.tries, what, plurals), fe.name, fe.server.Addr, reply)
	f.Facts = append(f.Facts, finding.Fact{Key: "requests", Value: fe.tries}, finding.Fact{Key: "overdue", Value: overdue},
		finding.Fact{Key: "ports", Value: fe.ports}, finding.Fact{Key: "span_s", Value: span.Seconds()})
	switch {
	case fe.icmpServer:
		f.Facts = append(f.Facts, finding.Fact{Key: "icmp", Value: "port-unreachable"})
	case fe.icmp != "":
		f.Facts = append(f.Facts, finding.Fact{Key: "icmp", Value: fe.icmp})
	}
	if fe.npending > 0 {
		f.Facts = append(f.Facts, finding.Fact{Key: "still_in_grace", Value: fe.npending})
	}
	f.Frames = append([]capture.FrameID(nil), fe.frames...)
	f.Last = at
	fe.saidNoAnswer = true
	out.Find(f)
}

// judgeRefusal reports an ERROR that no retry and no alternative made good.
func (t *tracker) judgeRefusal(key fetchKey, fe *fetch, at capture.Time, out *track.Out) {
	rule, s := RuleError, finding.Error
	c := t.asked(key.client)
	if !fe.errClient && notFound(fe.errCode, []byte(fe.errText)) {
		rule = RuleNotFound
		needed := fe.file.kind != kindOther || c.served == 0 && c.lastRequest <= fe.errAt
		if !needed && key.op == RRQ {
			s = finding.Note
		}
	}
	if fe.file.list != listNone && !fe.file.last {
		s = finding.Note
	}
	f := t.finding(rule, fe, s)
	who := fe.server.Addr.String()
	if fe.errClient {
		who = "the client"
	}
	switch {
	case rule == RuleNotFound:
		f.Summary = fmt.Sprintf("%s does not have %q (%s)", who, fe.name, errorName(fe.errCode, fe.errText))
	case fe.errClient:
		f.Summary = fmt.Sprintf("the client broke off the transfer of %q from %s: %s", fe.name, fe.server.Addr, errorName(fe.errCode, fe.errText))
	case key.op == WRQ:
		f.Summary = fmt.Sprintf("%s refuses to take %q: %s", who, fe.name, errorName(fe.errCode, fe.errText))
	default:
		f.Summary = fmt.Sprintf("%s refuses %q: %s", who, fe.name, errorName(fe.errCode, fe.errText))
	}
	f.Facts = append(f.Facts, finding.Fact{Key: "error", Value: int(fe.errCode)}, finding.Fact{Key: "text", Value: fe.errText},
		finding.Fact{Key: "times", Value: fe.errCount}, finding.Fact{Key: "what", Value: fe.file.kind.String()})
	if rule == RuleNotFound {
		t.addSibling(&f, key.server, fe.name)
	}
	f.Frames = append([]capture.FrameID(nil), fe.errFrames...)
	f.First, f.Last = fe.errFirst, fe.errAt
	fe.saidError = true
	out.Find(f)
}

// judgeAbort decides about a client's ERROR 8 to an OACK when size_probe is
// over: a refusal, unless the client went on in some other way.
func (t *tracker) judgeAbort(fe *fetch, out *track.Out) {
	if t.asked(fe.client.Addr).lastRequest > fe.abortAt {
		return
	}
	f := t.finding(RuleError, fe, finding.Error)
	f.Confidence = finding.Likely
	f.Summary = fmt.Sprintf("the client refuses the options of %s for %q and does not ask again: %s", fe.server.Addr, fe.name, errorName(fe.abortCode, fe.abortText))
	f.Facts = append(f.Facts, finding.Fact{Key: "error", Value: int(fe.abortCode)}, finding.Fact{Key: "text", Value: fe.abortText},
		finding.Fact{Key: "from", Value: "client"})
	f.Frames = append([]capture.FrameID(nil), fe.frames...)
	f.Last = fe.abortAt
	fe.saidError = true
	out.Find(f)
}

// sizeProbe explains the abort before the request f.
func (t *tracker) sizeProbe(fe *fetch, f *wire.Frame, out *track.Out) {
	p := t.finding(RuleSizeProbe, fe, finding.OK)
	p.Summary = fmt.Sprintf("the client asked %s for the size of %q first; its %s is normal", fe.server.Addr, fe.name, errorName(fe.abortCode, fe.abortText))
	p.Facts = append(p.Facts, finding.Fact{Key: "error", Value: int(fe.abortCode)}, finding.Fact{Key: "text", Value: fe.abortText})
	p.Frames = finding.AppendFrame(append([]capture.FrameID(nil), fe.frames...), f.ID)
	p.Last = f.Time
	out.Find(p)
	if fe.saidError {
		fe.saidError = false
		t.withdraw(RuleError, fe, out)
	}
}

// garbage reports a name that no configuration holds. Most servers refuse it;
// when one serves it, the finding is taken back.
func (t *tracker) garbage(fe *fetch, out *track.Out) {
	if fe.nameCut || fe.saidGarbage || !garbled(fe.name) {
		return
	}
	f := t.finding(RuleNameGarbage, fe, finding.Warning)
	f.Summary = fmt.Sprintf("the client asks %s for %q, a name with bytes that do not belong there", fe.server.Addr, fe.name)
	f.Facts = append(f.Facts, finding.Fact{Key: "bytes", Value: fmt.Sprintf("% x", fe.name)})
	f.Frames = append([]capture.FrameID(nil), fe.frames...)
	f.Last = fe.lastTry
	fe.saidGarbage = true
	out.Find(f)
}

// garbageRefused reports whether an ERROR is explained by the name.
func (t *tracker) garbageRefused(fe *fetch, f *wire.Frame, code uint16, out *track.Out) bool {
	junk := ""
	if !garbled(fe.name) {
		if n := t.servers.Get(fe.server.Addr); n != nil && code == errNotFound {
			junk = junkAfter(fe.name, n.list)
		}
		if junk == "" {
			return false
		}
	}
	if fe.nameCut {
		return false
	}
	g := t.finding(RuleNameGarbage, fe, finding.Error)
	if junk != "" {
		g.Confidence = finding.Likely
		g.Summary = fmt.Sprintf("%s refuses %q: that is %q, which it serves, and junk behind it", fe.server.Addr, fe.name, junk)
		g.Facts = append(g.Facts, finding.Fact{Key: "sibling", Value: junk})
	} else {
		g.Summary = fmt.Sprintf("%s refuses %q, a name with bytes that do not belong there", fe.server.Addr, fe.name)
	}
	g.Facts = append(g.Facts, finding.Fact{Key: "bytes", Value: fmt.Sprintf("% x", fe.name)}, finding.Fact{Key: "error", Value: int(code)})
	g.Frames = append([]capture.FrameID(nil), fe.frames...)
	g.Last = f.Time
	fe.saidGarbage = true
	out.Find(g)
	return true
}

func (t *tracker) addSibling(f *finding.Finding, server wire.Addr, name string) {
	n := t.servers.Get(server)
	if n == nil {
		return
	}
	if s := nearest(name, n.list); s != "" {
		f.Facts = append(f.Facts, finding.Fact{Key: "sibling", Value: s})
		f.Summary += fmt.Sprintf("; it does serve %q", s)
	}
}
