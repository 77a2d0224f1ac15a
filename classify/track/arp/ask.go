package arp

import (
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

const (
	// answerGrace is how long one request waits for its reply: RFC 1122 section
	// 2.3.2.1 allows one request a second, and senders keep to that.
	answerGrace = time.Second
	// seriesGap parts two series of requests: a cache that failed is asked again
	// after seconds, a machine that was switched off after minutes.
	seriesGap = time.Minute
	// keptFrames are the requests of a series kept as evidence.
	keptFrames = 8
)

// An askKey is a machine and the address that it wants to resolve.
type askKey struct {
	mac    wire.MAC
	target wire.Addr
	seg    segment
}

// An ask is the present series of requests of one machine for one address,
// and what was said about the pair before.
type ask struct {
	sender      wire.Addr
	first, last capture.Time
	tries       int  // 0: no series is open
	next        int  // report silence again at this many tries
	silent      bool // the series was reported as unanswered
	answered    bool // the pair was reported as answered
	iface       int
	frames      [keptFrames]capture.FrameID
}

// asked counts one request.
func (t *tracker) asked(f *wire.Frame, seg segment) {
	k := askKey{f.ARP.SenderMAC, f.ARP.Target, seg}
	a := t.asks.At(k)
	if a.tries > 0 && f.Time.Sub(a.last) <= t.copies {
		return // a copy; nobody asks again so soon
	}
	if a.tries == 0 || f.Time.Sub(a.last) > seriesGap {
		*a = ask{first: f.Time, next: t.tries, answered: a.answered && !a.silent}
	}
	a.sender, a.iface, a.last = f.ARP.Sender, f.Iface, f.Time
	a.frames[min(a.tries, keptFrames-1)] = f.ID
	a.tries++
	if a.tries >= a.next {
		t.asks.SetDeadline(k, t.due(a))
	}
}

// due is when a series has lasted long enough and its last request is overdue.
func (t *tracker) due(a *ask) capture.Time {
	return max(a.first.Add(t.span), a.last.Add(answerGrace))
}

// answer closes the series that a reply answers. A pair is reported once, and
// again when it had fallen silent in between.
func (t *tracker) answer(f *wire.Frame, seg segment, out *track.Out) {
	k := askKey{f.ARP.TargetMAC, f.ARP.Sender, seg}
	a := t.asks.Get(k)
	if a == nil || a.tries == 0 {
		return
	}
	if !a.answered || a.silent {
		x := a.exchange(k, track.Answered, f.Time)
		x.Server.MAC = f.ARP.SenderMAC
		x.Frames = append(x.Frames, f.ID)
		out.Exchange(x)
		a.answered = true
	}
	a.tries, a.silent = 0, false
	t.asks.SetDeadline(k, track.Never)
}

// overdue reports a series without an answer, and again each time it doubles:
// a machine that asks for ever is one line, not one a second.
func (t *tracker) overdue(k askKey, a *ask, deadline capture.Time, out *track.Out) {
	a.silent, a.next = true, 2*a.tries
	out.Exchange(a.exchange(k, track.Unanswered, deadline))
}

// close reports at the end of the capture what is not decided yet. One or two
// requests at the very end of a scan are no exchange worth a line.
func (t *tracker) close(k askKey, a *ask, end capture.Time, out *track.Out) {
	switch {
	case a.tries == 0:
	case a.silent:
		if a.tries > a.next/2 {
			out.Exchange(a.exchange(k, track.Unanswered, end))
		}
	case a.tries > 1 && end < t.due(a):
		out.Exchange(a.exchange(k, track.Open, end))
	}
}

func (a *ask) exchange(k askKey, o track.Outcome, last capture.Time) track.Exchange {
	return track.Exchange{
		Service: Service, Op: "ARP", Subject: k.target.String(), Outcome: o,
		Client: finding.Endpoint{MAC: k.mac, Addr: a.sender}, Server: finding.Endpoint{Addr: k.target},
		VLAN: k.seg.vlan, Iface: a.iface, First: a.first, Last: last, Tries: a.tries,
		Frames: slices.Clone(a.frames[:min(a.tries, keptFrames)]),
	}
}
