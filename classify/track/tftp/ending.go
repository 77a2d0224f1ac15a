package tftp

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// complete ends a transfer of which every block arrived.
func (t *tracker) complete(x *transfer, out *track.Out) {
	t.countCompleted(x)
	x.done, x.whole = true, true
	fe := t.fetches.Get(x.fetch)
	if fe == nil {
		return
	}
	fe.phase, fe.restarts = ended, 0
	if fe.judgeAt != 0 {
		fe.judgeAt = 0
		t.schedule(x.fetch, fe)
	}
	if fe.saidStalled {
		fe.saidStalled = false
		t.withdraw(RuleStalled, fe, out)
	}
	if fe.saidLimit {
		fe.saidLimit = false
		t.withdraw(RuleSizeLimit, fe, out)
	}
	if fe.saidWrong && !fe.wrongTaken && !fe.wrong.IsZero() {
		t.wrongSource(fe, finding.Note, "a later try was answered by the server itself", x.last, out)
	}
	if fe.saidError {
		fe.saidError = false
		t.withdraw(RuleError, fe, out)
	}
	t.exchange(fe, x, track.Answered, out, "")
}

// clientError takes an ERROR of the client: it wants no more of this transfer.
func (t *tracker) clientError(x *transfer, f *wire.Frame, code uint16, text []byte, out *track.Out) {
	x.last, x.lastClient = f.Time, f.Time
	fe := t.fetches.Get(x.fetch)
	if fe == nil || fe.phase == ended {
		x.done = true
		return
	}
	if x.b.final > 0 && x.b.behind == 0 && code == errUndefined { // closes the file in the place of the last ACK
		t.complete(x, out)
		return
	}
	x.done, fe.phase = true, ended
	fe.npending, fe.answers, fe.wrongAt = 0, 0, 0
	fe.abort = x.b.acked <= 0 && x.op == RRQ
	fe.abortAt, fe.abortCode, fe.abortText = f.Time, code, clip(text)
	fe.frames = finding.AppendFrame(fe.frames, f.ID)
	switch {
	case x.b.atLimit():
		t.sizeLimit(fe, x, "broken off by the client", f.Time, out)
	case code == errUndefined:
	case code == errOptionRefused:
		if fe.abort {
			fe.probeAt = f.Time.Add(t.th.SizeProbe)
		}
	default:
		fe.errMid = true
		t.refused(x.fetch, fe, f, code, text, true)
	}
	t.exchange(fe, x, track.Answered, out, "broken off by the client: "+errorName(code, fe.abortText))
	t.schedule(x.fetch, fe)
}

// serverError takes an ERROR of the server.
func (t *tracker) serverError(x *transfer, f *wire.Frame, code uint16, text []byte, out *track.Out) {
	fe := t.fetches.Get(x.fetch)
	if fe == nil || fe.phase == ended {
		x.done = true
		return
	}
	if x.b.final > 0 && x.b.behind == 0 && x.reacted {
		t.complete(x, out) // the server missed the last ACK and gave up
		return
	}
	x.done, fe.phase = true, ended
	fe.npending, fe.wrongAt = 0, 0
	fe.frames = finding.AppendFrame(fe.frames, f.ID)
	x.firstID = 0
	if x.b.atLimit() {
		t.sizeLimit(fe, x, "broken off by the server", f.Time, out)
	} else if !t.garbageRefused(fe, f, code, out) {
		missing := notFound(code, text)
		if fe.file.list != listNone && x.op == RRQ && x.b.high == 0 && (missing || code == errUndefined || code == errAccess) {
			t.miss(x.fetch, fe, f, code, text, out)
		} else {
			fe.errMid = x.reacted || fe.answers > 0
			t.refused(x.fetch, fe, f, code, text, false)
		}
	}
	t.exchangeRefused(fe, x, errorName(code, clip(text)), out)
	t.schedule(x.fetch, fe)
}

// refused keeps an ERROR for judgement: a retry or an alternative may follow.
func (t *tracker) refused(key fetchKey, fe *fetch, f *wire.Frame, code uint16, text []byte, byClient bool) {
	if fe.judgeAt == 0 {
		fe.judgeAt = f.Time.Add(t.th.TFTPSibling)
		if !fe.saidError {
			fe.errCount, fe.errFirst, fe.errFrames = 0, f.Time, nil
		}
	}
	fe.errCode, fe.errText, fe.errClient, fe.errAt = code, clip(text), byClient, f.Time
	fe.errCount++
	if len(fe.frames) >= 2 {
		fe.errFrames = finding.AppendFrame(fe.errFrames, fe.frames[len(fe.frames)-2])
	}
	fe.errFrames = finding.AppendFrame(fe.errFrames, f.ID)
	t.asked(key.client).missed(key)
}

// served notes that a file is there: misses of which it is an alternative are
// no longer held against the server.
func (t *tracker) served(key fetchKey, fe *fetch, at capture.Time, out *track.Out) {
	c := t.asked(key.client)
	c.served++
	kept := 0
	for _, m := range c.misses[:c.nmisses] {
		other := t.fetches.Get(m)
		if other == nil || other.judgeAt == 0 {
			continue
		}
		if !alternatives(other.name, fe.name) || other == fe && fe.errMid {
			c.misses[kept] = m
			kept++
			continue
		}
		other.judgeAt = 0
		if other != fe {
			t.alternativeFound(other, fe, at, out)
			t.schedule(m, other)
		}
	}
	c.nmisses = kept
	if fe.saidGarbage {
		fe.saidGarbage = false
		t.withdraw(RuleNameGarbage, fe, out)
	}
	if fe.file.list != listNone {
		t.listFound(key, fe, at, out)
	}
	n := t.servers.At(key.server)
	n.add(fe.name)
}
