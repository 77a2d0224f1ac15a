package tftp

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// proceeds takes the next block of a read that runs, or the ACK of the highest
// one: nearly every packet of TFTP. For all others it does nothing and is false,
// and where it is true, fromServer and fromClient would do the same.
func (x *transfer) proceeds(f *wire.Frame, op Op, toClient bool) bool {
	if x.op != RRQ || !x.replied || !x.answered || !x.reacted || x.done || x.stalled || f.Time >= x.renewAt ||
		f.Copy || f.Fragment != wire.Whole || len(f.Payload) < headerLen {
		return false
	}
	n := binary.BigEndian.Uint16(f.Payload[opLen:])
	if toClient {
		if op != DATA || f.SrcPort != x.peerPort || f.Src != x.peer || !x.b.next(n, f.PayloadLen-headerLen, f.Time) {
			return false
		}
		x.dataID = f.ID
	} else {
		if op != ACK || f.Dst != x.peer || !x.b.nextACK(n, f.Time) {
			return false
		}
		x.ackID, x.lastClient = f.ID, f.Time
	}
	x.last, x.repeatAt = f.Time, 0
	return true
}

// fromServer takes a message to the client's port.
func (t *tracker) fromServer(x *transfer, f *wire.Frame, m Message, op Op, out *track.Out) {
	if x.done {
		return
	}
	if f.Src != x.peer {
		if x.answered || !x.peer.IsMulticast() {
			t.stray(x, f, m, op, out)
			return
		}
		x.peer = f.Src // asked by broadcast, answered by whoever has the file
	}
	if x.peerPort != 0 && f.SrcPort != x.peerPort {
		return // the answer to a repeated request, from a second port; the client ends it with ERROR 5
	}
	x.last = f.Time
	n, ok := m.Number()
	switch op {
	case DATA:
		if ok && x.op == RRQ {
			t.answer(x, f, op, out)
			t.data(x, f, n, out)
		}
	case ACK:
		if ok && x.op == WRQ {
			t.answer(x, f, op, out)
			t.ack(x, f, n, out)
		}
	case OACK:
		t.answer(x, f, op, out)
		t.oack(x, m)
	case ERROR:
		if ok && n != errUnknownTID {
			t.answer(x, f, op, out)
			t.serverError(x, f, n, m.Text(), out)
		}
	}
}

// fromClient takes a message from the client's port.
func (t *tracker) fromClient(x *transfer, f *wire.Frame, m Message, op Op, out *track.Out) {
	if x.done {
		return
	}
	n, ok := m.Number()
	if !ok || op == OACK {
		return
	}
	if f.Dst != x.peer && !t.accepted(x, f, op, n, out) {
		return
	}
	if op == ERROR {
		if n != errUnknownTID {
			t.clientError(x, f, n, m.Text(), out)
		}
		return
	}
	x.last, x.lastClient = f.Time, f.Time
	if !x.reacted {
		x.peerPort = f.DstPort
		t.react(x, out)
	}
	switch {
	case op == ACK && x.op == RRQ:
		t.ack(x, f, n, out)
	case op == DATA && x.op == WRQ:
		t.data(x, f, n, out)
	}
}

// answer notes the first answer of the server, and repetitions of it that the
// client does not react to.
func (t *tracker) answer(x *transfer, f *wire.Frame, op Op, out *track.Out) {
	if x.reacted && x.answered {
		return
	}
	fe := t.fetches.Get(x.fetch)
	if fe == nil {
		x.done = true
		return
	}
	if !x.answered {
		x.answered, x.firstID, x.last = true, f.ID, f.Time
		t.transfers.SetDeadline(x.key, f.Time.Add(t.th.TFTPStallQuiet))
		if fe.saidNoAnswer {
			fe.saidNoAnswer = false
			t.withdraw(RuleNoAnswer, fe, out)
		}
		fe.npending, fe.wrongAt = 0, 0
		if fe.phase == asking {
			fe.phase, fe.reported = answered, false
		}
		if x.op == RRQ && op != ERROR {
			t.served(x.fetch, fe, f.Time, out)
		}
		t.schedule(x.fetch, fe)
	}
	if fe.phase != answered || op == ERROR || op == DATA && x.b.high > 1 || f.Fragment == wire.Reassembled {
		return
	}
	if fe.answers == 0 {
		fe.answersAt = f.Time
	}
	fe.answers++
	if fe.answers > 1 {
		fe.frames = finding.AppendFrame(fe.frames, f.ID)
	}
	if fe.answers >= t.th.TFTPStallRepeats {
		t.repeats(x, f.Time, out)
	}
}

// react notes that the client goes on: an answer reached it.
func (t *tracker) react(x *transfer, out *track.Out) {
	x.reacted = true
	fe := t.fetches.Get(x.fetch)
	if fe == nil {
		x.done = true
		return
	}
	if fe.phase == ended {
		return
	}
	fe.phase, fe.reported, fe.port = running, false, x.key.port
	stalled := x.stalled || fe.saidStalled && fe.answers >= t.th.TFTPStallRepeats
	fe.npending, fe.answers, fe.wrongAt, x.repeatAt = 0, 0, 0, 0
	if fe.saidNoAnswer { // the capture shows the client only
		fe.saidNoAnswer = false
		t.withdraw(RuleNoAnswer, fe, out)
	}
	if stalled {
		t.resumed(x, out)
	}
	t.schedule(x.fetch, fe)
}

func (t *tracker) oack(x *transfer, m Message) {
	if x.b.high > 0 {
		return
	}
	fe := t.fetches.Get(x.fetch)
	o := m.Options()
	x.b.oack(o, fe != nil && fe.octet)
	x.multi = x.multi || o.Multicast
}

// data takes a block of the sender: the server of a read, the client of a write.
func (t *tracker) data(x *transfer, f *wire.Frame, raw uint16, out *track.Out) {
	x.dataID = f.ID
	b := &x.b
	if b.data(raw, f.PayloadLen-headerLen, f.Time) {
		x.repeatAt = 0
		if b.high > 1 && !x.reacted && x.op == RRQ {
			t.react(x, out) // its ACKs are not in the capture
		}
		if x.stalled {
			t.resumed(x, out)
		}
		if b.pairs >= sorcererRun && b.ackPairs >= sorcererRun && !x.sorcerer {
			t.apprentice(x, f, out)
		}
		if b.complete() {
			t.complete(x, out)
		}
		return
	}
	x.repeat(f.ID)
	if x.reacted && int(b.sends) >= t.th.TFTPStallRepeats {
		t.repeats(x, f.Time, out)
	}
}

// ack takes an ACK of the receiver.
func (t *tracker) ack(x *transfer, f *wire.Frame, raw uint16, out *track.Out) {
	x.ackID = f.ID
	b := &x.b
	if b.ack(raw, f.Time) {
		x.repeatAt = 0
		if x.stalled {
			t.resumed(x, out)
		}
		if b.complete() {
			t.complete(x, out)
		}
		return
	}
	if b.ackSends > 1 {
		x.repeat(f.ID)
	}
	if x.answered && x.reacted && int(b.idleACKs) >= t.th.TFTPStallRepeats {
		t.repeats(x, f.Time, out)
	}
}

func (x *transfer) repeat(id capture.FrameID) {
	if int(x.nrepeat) < len(x.repeatIDs) {
		x.repeatIDs[x.nrepeat] = id
		x.nrepeat++
		return
	}
	x.repeatIDs[len(x.repeatIDs)-1] = id
}
