package rpc

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A watch tells a server that hangs from one that is slow in a single thing:
// it measures from the first call after the server's last reply. A call that
// was made before that reply and never answered proves nothing by itself: its
// answer may be missing from the capture, or be a long flush.
type watch struct {
	since   capture.Time // first call after the last reply, 0 when there is none
	frames  []capture.FrameID
	started capture.FrameID
	last    capture.Time // last call
	calls   uint32       // since then
	again   uint32       // repetitions since then
	udp     bool
	due     capture.Time // over UDP: when the repetitions count
	icmp    bool
	syn     attempts // SYNs to the server that had answered before
	vers    uint32
	proc    uint32
	from    uint16
	port    uint16 // the server's

	replied capture.Time // last reply
	heard   capture.Time // last TCP segment of the server
	seen    [2]bool      // an exchange was reported: NULL, other procedures
	busy    capture.Time // first of a row of JUKEBOX, DELAY or GRACE

	shown *finding.Finding
}

// start starts the watch, if c is the first call since the last reply.
func (w *watch) start(t *tracker, p *pair, f *wire.Frame, c *call) {
	w.last = f.Time
	if w.since != 0 {
		return
	}
	w.since, w.started, w.udp = f.Time, f.ID, c.udp
	w.vers, w.proc, w.from, w.port = c.vers, c.proc, c.from, c.port
	w.calls, w.again, w.icmp = 0, 0, false
	if !c.udp {
		t.arm(p, f.Time.Add(t.th.NFSGraceTCP))
	}
}

// nfsAgain takes a repetition. Over TCP clients repeat when they have given
// the server up and connected anew.
func (t *tracker) nfsAgain(f *wire.Frame, c *call, out *track.Out) {
	p := c.pair
	w := &p.nfs
	if !unicast(f) {
		return
	}
	w.start(t, p, f, c)
	w.again++
	w.frames = finding.AppendFrame(w.frames, f.ID)
	if c.udp {
		if int(w.again) == t.th.NFSTriesUDP {
			w.due = f.Time.Add(t.th.RPCGraceUDP)
			t.arm(p, w.due)
		}
		return
	}
	// The client took all this time for the server's, if nothing else came.
	if w.replied < c.first && c.first < w.since {
		w.since, w.started, w.vers, w.proc = c.first, c.frame, c.vers, c.proc
		t.judgeNFS(p, f.Time, out)
	}
}

// knock counts SYNs to a server that had answered NFS calls before.
func (w *watch) knock(t *tracker, p *pair, f *wire.Frame) {
	if w.replied == 0 {
		return
	}
	a := &w.syn
	if a.from != f.SrcPort && !a.enough {
		*a = attempts{from: f.SrcPort}
	}
	if a.tries == 0 {
		a.first = f.Time
	}
	a.tries++
	w.frames = finding.AppendFrame(w.frames, f.ID)
	if !a.enough && a.tries >= t.th.SYNTries {
		a.due, a.enough = max(a.first.Add(t.th.SYNGrace), f.Time.Add(secondSYN)), true
		t.arm(p, a.due)
	}
	w.last = f.Time
}

// unreachable counts an ICMP port unreachable from the server.
func (w *watch) unreachable(t *tracker, p *pair, f *wire.Frame) {
	if w.since == 0 || w.icmp {
		return
	}
	w.icmp = true
	w.frames = finding.AppendFrame(w.frames, f.ID)
	w.due = f.Time.Add(t.th.RPCGraceUDP)
	t.arm(p, w.due)
}

// alive ends the watch: the server replied.
func (w *watch) alive(t *tracker, p *pair, f *wire.Frame, out *track.Out) {
	if w.shown != nil {
		w.recovered(t, f, out)
	}
	w.since, w.replied = 0, f.Time
	w.syn = attempts{}
	w.frames = w.frames[:0]
}

// recovered takes the finding back, or keeps a warning of a long stall.
func (w *watch) recovered(t *tracker, f *wire.Frame, out *track.Out) {
	x := w.shown
	w.shown = nil
	stall := f.Time.Sub(x.First)
	if w.udp || stall < 2*t.th.NFSGraceTCP {
		withdraw(x, out)
		return
	}
	x.Severity = finding.Warning
	x.Summary += fmt.Sprintf("; it answered again after %.0f s", stall.Seconds())
	x.Facts = append(x.Facts, finding.Fact{Key: "answered_after_ms", Value: ms(stall)})
	x.Last = f.Time
	x.Frames = finding.AppendFrame(x.Frames, f.ID)
	out.Find(*x)
}

// abandon ends the watch: the client closed the connection.
func (w *watch) abandon() {
	if w.shown == nil {
		w.since = 0
	}
}

// deadline is when the watch decides, or Never.
func (w *watch) deadline(t *tracker) capture.Time {
	at := track.Never
	if w.since != 0 && !w.udp {
		at = w.since.Add(t.th.NFSGraceTCP)
	}
	if w.since != 0 && w.udp && (int(w.again) >= t.th.NFSTriesUDP || w.icmp) {
		at = w.due
	}
	if w.syn.enough {
		at = min(at, w.syn.due)
	}
	return at
}

func (t *tracker) judgeNFS(p *pair, now capture.Time, out *track.Out) {
	w := &p.nfs
	at := w.deadline(t)
	if w.shown != nil || at == track.Never {
		return
	}
	if now < at {
		t.arm(p, at)
		return
	}
	f := p.finding(RuleNotResponding, "")
	f.Server.Port = w.port
	f.First, f.Last = w.since, at
	if w.since == 0 {
		f.First = w.syn.first
	} else {
		f.Frames = append(f.Frames, w.started)
	}
	f.Frames = append(f.Frames, w.frames...)
	f.Frames = f.Frames[:min(len(f.Frames), finding.MaxFrames)]
	waited := at.Sub(f.First)
	what := fmt.Sprintf("v%d %s", w.vers, procedureName(programNFS, w.vers, w.proc))
	switch {
	case w.since == 0:
		f.Summary = fmt.Sprintf("%d SYNs to NFS on %s, which had answered before, no reply", w.syn.tries, p.key.server)
	case w.icmp:
		f.Summary = fmt.Sprintf("%d NFS calls (%s) to %s, refused by ICMP port unreachable", w.calls, what, p.key.server)
		f.Facts = append(f.Facts, finding.Fact{Key: "icmp", Value: "port-unreachable"})
	case w.udp:
		f.Summary = fmt.Sprintf("NFS %s to %s repeated %d times within %.1f s, no reply", what, p.key.server, w.again, waited.Seconds())
	default:
		f.Summary = fmt.Sprintf("%d NFS calls to %s since the last reply, the first (%s) %.0f s ago, no reply", w.calls, p.key.server, what, waited.Seconds())
	}
	if !w.udp && w.since != 0 {
		acks := w.heard > w.since
		f.Facts = append(f.Facts, finding.Fact{Key: "tcp_alive", Value: acks})
		if acks {
			f.Summary += "; its TCP still acknowledges"
		}
	}
	if w.since != 0 {
		f.Facts = append(f.Facts, finding.Fact{Key: "procedure", Value: what}, finding.Fact{Key: "calls", Value: int(w.calls)}, finding.Fact{Key: "repeated", Value: int(w.again)})
	}
	if w.syn.tries > 0 {
		f.Facts = append(f.Facts, finding.Fact{Key: "syns", Value: w.syn.tries})
	}
	f.Facts = append(f.Facts, finding.Fact{Key: "waited_ms", Value: ms(waited)}, finding.Fact{Key: "answered_before", Value: w.replied != 0})
	f.Facts = p.facts(f.Facts)
	w.shown = &f
	out.Find(f)
	if w.since != 0 {
		out.Exchange(w.exchange(p, track.Unanswered, f.Frames, f.First, at))
	}
}

func (w *watch) exchange(p *pair, o track.Outcome, frames []capture.FrameID, first, last capture.Time) track.Exchange {
	x := track.Exchange{
		Service: "nfs", Stage: track.StageNFS, Op: "NFS", Subject: fmt.Sprintf("v%d %s", w.vers, procedureName(programNFS, w.vers, w.proc)), Outcome: o,
		Client: p.client, Server: p.server, VLAN: p.vlan, Iface: p.iface, First: first, Last: last, Tries: 1 + int(w.again),
		Frames: append([]capture.FrameID(nil), frames...),
	}
	x.Client.Port, x.Server.Port = w.from, w.port
	return x
}

// openNFS reports calls that the capture's end left without a reply.
func (t *tracker) openNFS(p *pair, end capture.Time, out *track.Out) {
	w := &p.nfs
	if w.since != 0 && w.shown == nil {
		o := track.Open
		if w.udp && end.Sub(w.last) >= t.th.RPCGraceUDP {
			o = track.Unanswered
		}
		out.Exchange(w.exchange(p, o, append([]capture.FrameID{w.started}, w.frames...), w.since, w.last))
	}
}
