package tftp

import (
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// repeats notes that the same message was sent too often. The answer to the
// last repetition may be on its way, so that it is judged a moment later; what
// stalled already is told again with the new numbers.
func (t *tracker) repeats(x *transfer, now capture.Time, out *track.Out) {
	switch {
	case x.stalled:
		t.stall(x, now, false, out)
	case x.repeatAt == 0:
		x.repeatAt = now
		t.transfers.SetDeadline(x.key, now.Add(stallSpan))
	}
}

// transferDue looks at a transfer whose deadline came. Packets do not move the
// deadline, they only leave their time.
func (t *tracker) transferDue(x *transfer, at capture.Time, out *track.Out) {
	if x.done || x.stalled {
		return
	}
	next := x.last.Add(t.th.TFTPStallQuiet)
	if _, ok := t.repeating(x); ok && x.repeatAt != 0 {
		if due := x.repeatAt.Add(stallSpan); due > at {
			next = min(next, due)
		} else {
			t.stall(x, at, false, out)
			if x.done || x.stalled {
				return
			}
		}
	}
	if next > at {
		t.transfers.SetDeadline(x.key, next)
		return
	}
	t.stall(x, at, true, out)
}

// repeating reports since when the same message is repeated.
func (t *tracker) repeating(x *transfer) (since capture.Time, ok bool) {
	switch n := t.th.TFTPStallRepeats; {
	case !x.reacted:
		fe := t.fetches.Get(x.fetch)
		if fe != nil && fe.phase == answered && fe.answers >= n {
			return fe.answersAt, true
		}
	case int(x.b.sends) >= n:
		return x.b.sendSince, true
	case int(x.b.idleACKs) >= n:
		return x.b.idleSince, true
	}
	return 0, false
}

// stall decides about a transfer that does not go on, by repetition or by
// silence, and reports it unless that is no fault.
func (t *tracker) stall(x *transfer, at capture.Time, quiet bool, out *track.Out) {
	fe := t.fetches.Get(x.fetch)
	if fe == nil || fe.phase == ended {
		x.done = true
		return
	}
	switch {
	case x.b.final > 0 && x.b.behind == 0 && (x.reacted || fe.answers <= 1):
		// The client jumped into the image without the last ACK; the server
		// may repeat the last block for a while.
		if quiet {
			t.complete(x, out)
		}
		return
	case x.multi:
		if quiet {
			x.done, fe.phase = true, ended
			t.exchange(fe, x, track.Answered, out, "goes on by multicast")
		}
		return
	case quiet && !x.reacted && fe.port != x.key.port:
		x.done = true // a later try from another port took its place
		return
	case (x.reacted || fe.answers < t.th.TFTPStallRepeats) && t.asked(x.key.addr).lastRequest > x.lastClient:
		x.done, fe.phase = true, ended
		t.exchange(fe, x, track.Answered, out, "left by the client for another request")
		return
	}
	first := !x.stalled
	x.stalled = true
	t.countCompleted(x)
	if x.b.atLimit() {
		t.sizeLimit(fe, x, "stalled", at, out)
	} else {
		t.stalled(fe, x, at, quiet, out)
	}
	if first {
		t.exchange(fe, x, track.Answered, out, fmt.Sprintf("stalled at block %d", x.b.high))
	}
}

// resumed takes a stall back: the transfer goes on.
func (t *tracker) resumed(x *transfer, out *track.Out) {
	x.stalled, x.repeatAt = false, 0
	t.transfers.SetDeadline(x.key, x.last.Add(t.th.TFTPStallQuiet))
	fe := t.fetches.Get(x.fetch)
	if fe == nil {
		return
	}
	fe.reported = false
	if fe.saidStalled {
		fe.saidStalled = false
		t.withdraw(RuleStalled, fe, out)
	}
	if fe.saidLimit {
		fe.saidLimit = false
		t.withdraw(RuleSizeLimit, fe, out)
	}
}

// A direction is what a stall tells about the path.
type direction string

const (
	neverReacts   direction = "client-never-reacts"
	fragmentsLost direction = "fragments-lost"
	dataLost      direction = "data-lost"
	ackLost       direction = "ack-lost"
	clientSilent  direction = "client-silent"
	serverSilent  direction = "server-silent"
	startsOver    direction = "starts-over"
	inPairs       direction = "both-in-pairs"
)

func (t *tracker) direction(fe *fetch, x *transfer, quiet bool) direction {
	sender, receiver := serverSilent, clientSilent
	if x.op == WRQ {
		sender, receiver = receiver, sender
	}
	b := &x.b
	switch {
	case x.partial > 0 && (b.high == 0 || b.acked >= b.high):
		return fragmentsLost
	case !x.reacted:
		return neverReacts
	case int(b.sends) >= t.th.TFTPStallRepeats && b.acked >= b.high:
		return ackLost
	case b.dataSends >= 2 && b.behind > 0:
		return dataLost
	case int(b.idleACKs) >= t.th.TFTPStallRepeats, quiet && b.acked >= b.high:
		return sender
	}
	return receiver
}

func (t *tracker) stalled(fe *fetch, x *transfer, at capture.Time, quiet bool, out *track.Out) {
	d := t.direction(fe, x, quiet)
	b := &x.b
	sev := finding.Error
	if !x.reacted && x.closed && fe.answers < t.th.TFTPStallRepeats {
		sev = finding.Note // the client closed its port: it may have got what it wanted
	}
	f := t.finding(RuleStalled, fe, sev)
	server, block := fe.server.Addr.String(), b.high
	sender, receiver := server, "the client"
	if x.op == WRQ {
		sender, receiver = receiver, sender
	}
	idle := at.Sub(x.last).Round(100 * time.Millisecond)
	switch d {
	case fragmentsLost:
		f.Summary = fmt.Sprintf("%q stops after block %d: %d fragmented DATA from %s did not come complete", fe.name, block, x.partial, sender)
	case neverReacts:
		f.Summary = fmt.Sprintf("%s answered the request for %q %s, the client never reacted", server, fe.name, finding.Count(max(fe.answers, 1), "time", "times"))
	case ackLost:
		f.Summary = fmt.Sprintf("%q stops at block %d: %s repeats it although %s acknowledges it", fe.name, block, sender, receiver)
	case dataLost:
		f.Summary = fmt.Sprintf("%q stops at block %d: %s repeats it, %s repeats ACK %d", fe.name, block, sender, receiver, max(b.acked, 0))
	default:
		silent := server
		if d == clientSilent {
			silent = "the client"
		}
		if quiet {
			f.Summary = fmt.Sprintf("%q stops at block %d: no packet for %v, it is the turn of %s", fe.name, block, idle, silent)
		} else {
			f.Summary = fmt.Sprintf("%q stops at block %d: the other side repeats itself, nothing comes from %s", fe.name, block, silent)
		}
	}
	f.Facts = append(f.Facts, finding.Fact{Key: "direction", Value: string(d)})
	f.Facts = append(f.Facts, t.transferFacts(x)...)
	f.Facts = append(f.Facts, finding.Fact{Key: "data_sends", Value: int(b.dataSends)}, finding.Fact{Key: "ack_sends", Value: int(b.ackSends)})
	if !x.reacted {
		f.Facts = append(f.Facts, finding.Fact{Key: "answers", Value: fe.answers})
	}
	if x.partial > 0 {
		f.Facts = append(f.Facts, finding.Fact{Key: "incomplete_fragments", Value: int(x.partial)})
	}
	if x.closed {
		f.Facts = append(f.Facts, finding.Fact{Key: "icmp", Value: "port-unreachable from the client"})
	}
	f.Frames = t.evidence(fe, x)
	f.Last = at
	fe.saidStalled = true
	out.Find(f)
}

// startedOver ends an attempt because the client asks for the file again from
// the beginning, although it had begun to take it.
func (t *tracker) startedOver(fe *fetch, x *transfer, f *wire.Frame, out *track.Out) {
	if x.b.final > 0 && x.b.behind == 0 {
		t.complete(x, out)
		return
	}
	if x.b.high >= 2 {
		fe.restarts++
		fe.restartFrames = finding.AppendFrame(fe.restartFrames, f.ID)
	}
	switch {
	case x.b.atLimit():
		t.sizeLimit(fe, x, "started over", f.Time, out)
	case fe.restarts >= t.th.TFTPStallRepeats && !fe.saidStalled:
		r := t.finding(RuleStalled, fe, finding.Warning)
		r.Summary = fmt.Sprintf("%q from %s was started over %d times, the last time after block %d", fe.name, fe.server.Addr, fe.restarts, x.b.high)
		r.Facts = append(r.Facts, finding.Fact{Key: "direction", Value: string(startsOver)}, finding.Fact{Key: "restarts", Value: fe.restarts})
		r.Facts = append(r.Facts, t.transferFacts(x)...)
		r.Frames = append([]capture.FrameID(nil), fe.restartFrames...)
		r.Last = f.Time
		fe.saidStalled = true
		out.Find(r)
	}
	if !fe.reported {
		t.exchange(fe, x, track.Answered, out, fmt.Sprintf("started over after block %d", x.b.high))
	}
}

// apprentice notes that each DATA and each ACK is sent twice: one side answers
// a repeated ACK with DATA, which RFC 1123 section 4.2.3.1 forbids.
func (t *tracker) apprentice(x *transfer, f *wire.Frame, out *track.Out) {
	x.sorcerer = true
	fe := t.fetches.Get(x.fetch)
	if fe == nil || fe.saidStalled {
		return
	}
	r := t.finding(RuleStalled, fe, finding.Note)
	r.Summary = fmt.Sprintf("%q from %s: every block and every ACK is sent twice since block %d (Sorcerer's Apprentice)", fe.name, fe.server.Addr, x.b.high-int64(x.b.pairs))
	r.Facts = append(r.Facts, finding.Fact{Key: "direction", Value: string(inPairs)})
	r.Facts = append(r.Facts, t.transferFacts(x)...)
	r.Frames = t.evidence(fe, x)
	r.Last = f.Time
	out.Find(r)
}

func (t *tracker) sizeLimit(fe *fetch, x *transfer, how string, at capture.Time, out *track.Out) {
	f := t.finding(RuleSizeLimit, fe, finding.Error)
	f.Summary = fmt.Sprintf("%q %s at block %d (%s), where 16-bit block numbers run out", fe.name, how, x.b.high, size(x.b.bytes()))
	f.Facts = append(f.Facts, t.transferFacts(x)...)
	f.Facts = append(f.Facts, finding.Fact{Key: "limit", Value: 65535 * int64(x.b.size)})
	f.Frames = t.evidence(fe, x)
	f.Last = at
	fe.saidLimit = true
	out.Find(f)
}

func (t *tracker) transferFacts(x *transfer) []finding.Fact {
	b := &x.b
	facts := []finding.Fact{
		{Key: "block", Value: b.high}, {Key: "acked", Value: max(b.acked, 0)}, {Key: "bytes", Value: b.bytes()},
		{Key: "blksize", Value: int(b.size)}, {Key: "retransmissions", Value: int(b.repeated)},
	}
	if b.window > 1 {
		facts = append(facts, finding.Fact{Key: "windowsize", Value: int(b.window)})
	}
	if b.tsize > 0 {
		facts = append(facts, finding.Fact{Key: "tsize", Value: b.tsize})
	}
	return facts
}
