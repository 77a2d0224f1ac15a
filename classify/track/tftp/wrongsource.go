package tftp

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// stray takes a message to the client's port from an address that it did not
// ask. Only what looks like an answer counts, and only while there is none.
func (t *tracker) stray(x *transfer, f *wire.Frame, m Message, op Op, out *track.Out) {
	n, ok := m.Number()
	if x.answered || !(op == OACK || ok && (op == ERROR || op == DATA && x.op == RRQ && n == 1 || op == ACK && x.op == WRQ && n == 0)) {
		return
	}
	fe := t.fetches.Get(x.fetch)
	if fe == nil || fe.phase != asking {
		return
	}
	if fe.wrong.IsZero() {
		fe.wrong = finding.Endpoint{MAC: f.SrcMAC, Addr: f.Src, Port: f.SrcPort}
		fe.wrongAt = f.Time.Add(t.th.TFTPOpenGrace)
		if fe.saidNoAnswer {
			fe.saidNoAnswer = false
			t.withdraw(RuleNoAnswer, fe, out)
		}
		t.schedule(x.fetch, fe)
	}
	if f.Src != fe.wrong.Addr {
		return
	}
	fe.frames = finding.AppendFrame(fe.frames, f.ID)
	fe.reported = false
	switch op { // what the client goes by, should it take the answer
	case OACK:
		t.oack(x, m)
	case DATA:
		x.b.data(n, f.PayloadLen-headerLen, f.Time)
	}
}

// accepted takes a message of the client to an address that it did not ask and
// reports whether it makes that address the peer of the transfer.
func (t *tracker) accepted(x *transfer, f *wire.Frame, op Op, code uint16, out *track.Out) bool {
	fe := t.fetches.Get(x.fetch)
	if fe == nil || x.answered || fe.wrong.Addr != f.Dst {
		return false
	}
	fe.frames = finding.AppendFrame(fe.frames, f.ID)
	if op == ERROR {
		if fe.phase == asking {
			t.wrongRefused(x.fetch, fe, fmt.Sprintf("the client refuses it with ERROR %d", code), f.Time, out)
		}
		return false
	}
	x.peer, x.answered, x.firstID = f.Dst, true, f.ID
	fe.wrongTaken, fe.wrongAt, fe.npending = true, 0, 0
	t.transfers.SetDeadline(endpoint{f.Src, f.SrcPort}, f.Time.Add(t.th.TFTPStallQuiet))
	t.wrongSource(fe, finding.Note, "the client goes on with it", f.Time, out)
	if x.op == RRQ {
		t.served(x.fetch, fe, f.Time, out)
	}
	t.schedule(x.fetch, fe)
	return true
}

// wrongRefused decides at once: the client said that it does not want it.
func (t *tracker) wrongRefused(key fetchKey, fe *fetch, why string, at capture.Time, out *track.Out) {
	fe.wrongAt, fe.npending = 0, 0
	t.wrongSource(fe, finding.Error, why, at, out)
	t.unansweredExchange(fe, at, out)
	t.schedule(key, fe)
}

func (t *tracker) wrongSource(fe *fetch, s finding.Severity, what string, at capture.Time, out *track.Out) {
	f := t.finding(RuleWrongSource, fe, s)
	f.Summary = fmt.Sprintf("request for %q to %s was answered from %s: %s", fe.name, fe.server.Addr, fe.wrong.Addr, what)
	f.Facts = append(f.Facts, finding.Fact{Key: "answered_from", Value: fe.wrong.Addr.String()}, finding.Fact{Key: "requests", Value: fe.tries})
	if !fe.wrong.MAC.IsZero() {
		f.Facts = append(f.Facts, finding.Fact{Key: "answered_from_mac", Value: fe.wrong.MAC.String()})
	}
	f.Frames = append([]capture.FrameID(nil), fe.frames...)
	f.Last = at
	fe.saidWrong = true
	out.Find(f)
}
