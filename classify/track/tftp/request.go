package tftp

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// request takes an RRQ or WRQ.
func (t *tracker) request(f *wire.Frame, m Message, op Op, out *track.Out) {
	r := m.Request()
	key := fetchKey{client: f.Src, server: f.Dst, name: hashName(r.File), op: op}
	t.countRequest(requestKey{key, f.SrcPort})
	if f.Copy {
		return
	}
	fe, again := t.attempt(key, f, &r, out)
	early := f.Time.Sub(fe.lastTry) < impatient
	fe.lastTry = f.Time
	fe.frames = finding.AppendFrame(fe.frames, f.ID)
	fe.tries++
	fe.reported = false
	if fe.port != f.SrcPort {
		fe.port = f.SrcPort
		fe.ports++
	}
	if fe.phase == asking {
		if fe.tries > 1 && early {
			fe.npending, fe.waits = 0, 0
		}
		fe.waits++
		if fe.npending < maxPending {
			fe.pending[fe.npending] = f.Time
			fe.npending++
		}
	}
	c := t.asked(f.Src)
	if c.lastFetch != key && c.lastFetch.server == key.server {
		t.passed(c.lastFetch, f.Time, out)
	}
	c.lastRequest, c.lastFetch = f.Time, key

	k := endpoint{f.Src, f.SrcPort}
	x := t.transfers.Get(k)
	if x != nil && x.fetch != key {
		t.leave(x, out)
	}
	if x == nil || x.fetch != key || !again {
		if t.clients.Get(key.server) != nil {
			t.mutual = true
		}
		if x != nil {
			t.countCompleted(x)
		}
		x = t.transfers.Put(k)
		x.key, x.fetch, x.peer, x.op, x.b = k, key, f.Dst, op, newBlocks()
	}
	x.last, x.lastClient = f.Time, f.Time
	t.expect(x, f.Time, out)
	t.garbage(fe, out)
	t.schedule(key, fe)
}

// passed looks at the file that a client asked for before it asks the same
// server for another one. A client that waits in vain repeats itself for many
// seconds; one that goes on at once was answered, and the capture (a filter, a
// mirror of one direction) does not show it.
func (t *tracker) passed(key fetchKey, now capture.Time, out *track.Out) {
	fe := t.fetches.Get(key)
	if fe == nil || fe.phase != asking || !fe.wrong.IsZero() || fe.icmpServer || fe.icmp != "" {
		return
	}
	since := now.Sub(fe.first)
	if since > giveUp && (fe.waits > 1 || since > sameAttempt) {
		return
	}
	fe.npending, fe.overdue = 0, 0
	if fe.saidNoAnswer {
		fe.saidNoAnswer = false
		t.withdraw(RuleNoAnswer, fe, out)
	}
	t.exchange(fe, nil, track.Answered, out, "the client went on; the answer is not in the capture")
	t.schedule(key, fe)
}

func (t *tracker) asked(a wire.Addr) *client {
	return t.clients.At(a)
}

// attempt finds the fetch that a request belongs to. again: it repeats a
// request that led to nothing yet; otherwise a new attempt begins.
func (t *tracker) attempt(key fetchKey, f *wire.Frame, r *Request, out *track.Out) (fe *fetch, again bool) {
	fe = t.fetches.Get(key)
	if fe == nil {
		fe = t.fetches.Put(key)
		t.name(fe, key.op, f, r)
		t.begin(fe, f)
		return fe, false
	}
	recent := f.Time.Sub(fe.lastTry) <= sameAttempt
	if (fe.phase == asking || fe.phase == answered) && recent {
		return fe, true
	}
	if x := t.transfers.Get(endpoint{key.client, fe.port}); x != nil && x.fetch == key {
		recent = recent || f.Time.Sub(x.last) <= sameAttempt
		if fe.phase == running {
			t.startedOver(fe, x, f, out)
		}
		x.done = true
	}
	t.probed(fe, f, out)
	if !recent {
		fe.restarts, fe.restartFrames = 0, nil
		fe.saidNoAnswer, fe.saidStalled, fe.saidLimit, fe.saidWrong, fe.saidError = false, false, false, false, false
	}
	t.begin(fe, f)
	return fe, false
}

// name sets what stays the same in all attempts.
func (t *tracker) name(fe *fetch, op Op, f *wire.Frame, r *Request) {
	fe.name = string(r.File[:min(len(r.File), maxName)])
	fe.nameCut = len(r.File) > maxName || len(r.File)+opLen == len(f.Payload) && f.Cut()
	fe.file = classify(fe.name)
	fe.write = op == WRQ
	fe.octet = !foldASCII(r.Mode, "netascii") && !foldASCII(r.Mode, "mail")
}

// begin starts an attempt; refusals that are not judged yet stay.
func (t *tracker) begin(fe *fetch, f *wire.Frame) {
	if fe.client.MAC != f.SrcMAC { // the first attempt, or the address has a new owner
		fe.saidNoAnswer, fe.saidStalled, fe.saidLimit, fe.saidWrong, fe.saidGarbage, fe.saidError = false, false, false, false, false, false
	}
	fe.client = finding.Endpoint{MAC: f.SrcMAC, Addr: f.Src, Port: f.SrcPort}
	fe.server = finding.Endpoint{Addr: f.Dst, Port: Port}
	if f.HasDstMAC && !f.DstMAC.IsGroup() {
		fe.server.MAC = f.DstMAC
	}
	fe.vlan, fe.iface = f.VLAN(), f.Iface
	fe.phase, fe.reported = asking, false
	fe.first, fe.tries, fe.port, fe.ports = f.Time, 0, f.SrcPort, 1
	fe.frames = nil // the reported exchange keeps the old ones
	fe.npending, fe.overdue, fe.waits = 0, 0, 0
	fe.answers, fe.answersAt = 0, 0
	fe.icmpServer, fe.icmp = false, ""
	fe.wrong, fe.wrongAt, fe.wrongTaken = finding.Endpoint{}, 0, false
	fe.abort, fe.abortAt, fe.probeAt = false, 0, 0
}

// leave ends a transfer whose port the client uses for another file.
func (t *tracker) leave(x *transfer, out *track.Out) {
	fe := t.fetches.Get(x.fetch)
	if x.done || fe == nil || fe.port != x.key.port || fe.phase == asking || fe.phase == ended {
		return // silence is judged by the fetch
	}
	if x.b.final > 0 && x.b.behind == 0 {
		t.complete(x, out)
		return
	}
	fe.phase, x.done = ended, true
	t.exchange(fe, x, track.Answered, out, "the client went on to another file")
}

// probed explains an abort before any DATA that the client follows up with a
// request for the same file.
func (t *tracker) probed(fe *fetch, f *wire.Frame, out *track.Out) {
	if !fe.abort || fe.abortAt == 0 || f.Time.Sub(fe.abortAt) > t.th.SizeProbe {
		return
	}
	fe.abort, fe.probeAt = false, 0
	t.sizeProbe(fe, f, out)
}

// schedule sets the deadline of a fetch to whatever comes first.
func (t *tracker) schedule(key fetchKey, fe *fetch) {
	at := track.Never
	if fe.npending > 0 {
		at = fe.pending[0].Add(t.th.TFTPOpenGrace)
	}
	for _, d := range [...]capture.Time{fe.judgeAt, fe.wrongAt, fe.probeAt} {
		if d != 0 {
			at = min(at, d)
		}
	}
	t.fetches.SetDeadline(key, at)
}

// fetchDue handles what is due of a fetch at a time.
func (t *tracker) fetchDue(key fetchKey, fe *fetch, at capture.Time, out *track.Out) {
	n := 0
	for n < fe.npending && fe.pending[n].Add(t.th.TFTPOpenGrace) <= at {
		n++
	}
	if n > 0 {
		fe.npending = copy(fe.pending[:], fe.pending[n:fe.npending])
		fe.overdue += n
		if fe.phase == asking && fe.wrong.IsZero() {
			t.noAnswer(fe, at, out)
			if fe.npending == 0 {
				t.unansweredExchange(fe, at, out)
			}
		}
	}
	if fe.wrongAt != 0 && fe.wrongAt <= at {
		fe.wrongAt = 0
		if fe.phase == asking {
			t.wrongSource(fe, finding.Error, "the client does not go on with it", at, out)
			t.unansweredExchange(fe, at, out)
		}
	}
	if fe.probeAt != 0 && fe.probeAt <= at {
		fe.probeAt = 0
		t.judgeAbort(fe, out)
	}
	if fe.judgeAt != 0 && fe.judgeAt <= at {
		fe.judgeAt = 0
		t.judgeRefusal(key, fe, at, out)
	}
	t.schedule(key, fe)
}

// finishFetch reports what the end of the capture leaves open. Refusals need
// no grace.
func (t *tracker) finishFetch(key fetchKey, fe *fetch, end capture.Time, out *track.Out) {
	if fe.judgeAt != 0 {
		fe.judgeAt = 0
		t.judgeRefusal(key, fe, end, out)
	}
	if fe.reported || fe.phase != asking {
		return
	}
	switch {
	case fe.saidWrong:
		t.unansweredExchange(fe, end, out)
	case !fe.wrong.IsZero():
		t.exchange(fe, nil, track.Open, out, "answered from "+fe.wrong.Addr.String())
	case fe.overdue > 0:
		t.noAnswer(fe, end, out)
		t.unansweredExchange(fe, end, out)
	default:
		t.exchange(fe, nil, track.Open, out, "")
	}
}

// finishTransfer reports a transfer that the end of the capture cut.
func (t *tracker) finishTransfer(x *transfer, out *track.Out) {
	defer t.countCompleted(x)
	fe := t.fetches.Get(x.fetch)
	if x.done || x.stalled || fe == nil || fe.port != x.key.port || fe.phase == asking || fe.phase == ended {
		return
	}
	if since, ok := t.repeating(x); ok && x.last.Sub(since) >= stallSpan {
		t.stall(x, x.last, false, out)
		if x.done || x.stalled {
			return
		}
	}
	switch {
	case x.b.final > 0 && x.b.behind == 0:
		t.complete(x, out)
	case !x.answered:
		t.exchange(fe, x, track.Answered, out, "the capture shows the client only")
	default:
		t.exchange(fe, x, track.Answered, out, "running when the capture ended")
	}
}

func foldASCII(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != s[i] {
			return false
		}
	}
	return true
}
