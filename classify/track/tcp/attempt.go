package tcp

import (
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// maxAttempts bounds the 4-tuples that are told apart in the counts, 10 MB at
// most. An attempt that is answered stays until it is the oldest, so that a SYN
// that a SPAN port repeats late is not a new connection.
const maxAttempts = 1 << 16

// What was seen of a 4-tuple, ever.
const (
	sawSYN    = 1 << iota // without ACK, from the client
	sawAnswer             // SYN/ACK
	sawReset              // RST from the server
)

// An attempt is a 4-tuple, from the client that sent the SYN.
type attempt struct {
	seen uint8
	// The present connection; a port used again is another one.
	answers uint8 // SYN/ACKs, at most 255
	repeats uint8 // SYNs after the first SYN/ACK
	begun   bool  // a SYN was seen, and no RST since
	isn     uint32
	mss     [2]uint16 // of the SYN and the SYN/ACK, 0 when not seen
}

// count adds a to the plain arithmetic: a RST to a SYN is refused, and not
// unanswered.
func (a *attempt) count(c *track.TCPCounts) {
	if a.seen&sawSYN == 0 {
		return
	}
	c.Connections++
	switch {
	case a.seen&sawAnswer != 0:
	case a.seen&sawReset != 0:
		c.Refused++
	default:
		c.SYNUnanswered++
	}
}

// control reads a segment with SYN or RST.
func (t *tracker) control(f *wire.Frame, out *track.Out) {
	switch flags := f.TCP.Flags; {
	case flags&wire.SYN != 0 && flags&wire.ACK == 0:
		t.syn(f, out)
	case flags&wire.SYN != 0:
		t.synack(f, out)
	default:
		t.reset(f, out)
	}
	if !f.Copy && f.TCP.Flags&(wire.FIN|wire.RST) != 0 {
		t.ended(f, out)
	}
}

func (t *tracker) syn(f *wire.Frame, out *track.Out) {
	flow := f.Flow()
	a := t.attempts.At(flow)
	a.seen |= sawSYN
	if f.Copy {
		return
	}
	if !a.begun || a.isn != f.TCP.Seq {
		a.begun, a.isn, a.answers, a.repeats = true, f.TCP.Seq, 0, 0
		a.mss = [2]uint16{f.TCP.MSS, 0}
	} else if a.answers > 0 && a.repeats < 255 {
		a.repeats++
	}
	if k, s := t.begin(flow, f.Time); s != nil {
		t.asked(k, s, a, f, out)
	}
}

func (t *tracker) synack(f *wire.Frame, out *track.Out) {
	flow := f.Flow().Reverse()
	a := t.attempts.At(flow)
	a.seen |= sawAnswer
	if f.Copy || !a.begun || f.TCP.Ack != a.isn+1 {
		return
	}
	if a.answers < 255 {
		a.answers++
	}
	a.mss[1] = f.TCP.MSS
	if k, s := t.known(flow); s != nil {
		t.answered(k, s, a, f, out)
	}
	if a.answers == 1 {
		t.streams.open(flow, f, a.mss)
	}
}

// reset reads a RST. From the server, before any SYN/ACK, it refuses the SYN
// that it acknowledges (RFC 9293 section 3.5.2).
func (t *tracker) reset(f *wire.Frame, out *track.Out) {
	flow := f.Flow().Reverse()
	a := t.attempts.Get(flow)
	if a == nil || a.seen&sawSYN == 0 {
		return
	}
	a.seen |= sawReset
	if f.Copy || !a.begun || a.answers > 0 || f.TCP.Flags&wire.ACK != 0 && f.TCP.Ack != a.isn+1 {
		return
	}
	a.begun = false
	if k, s := t.known(flow); s != nil {
		t.refused(k, s, f, "RST", out)
	} else {
		t.tried(flow.Src, f.Time)
	}
}

// known is the series of a flow from its client, or nil.
func (t *tracker) known(flow wire.Flow) (seriesKey, *series) {
	k := keyOf(flow)
	return k, t.series.Get(k)
}
