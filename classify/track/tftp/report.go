package tftp

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
)

// slowBlock is the time per block from which a transfer without losses is
// called slow: the path is long and the blocks are small (field catalogue 4.4).
const slowBlock = 200 * time.Millisecond

func (fe *fetch) op() Op {
	if fe.write {
		return WRQ
	}
	return RRQ
}

// finding starts a finding about a fetch.
func (t *tracker) finding(rule *finding.Rule, fe *fetch, s finding.Severity) finding.Finding {
	f := finding.Finding{
		Rule: rule, Subject: fe.name, Severity: s, Confidence: rule.Confidence,
		Node: fe.client, Server: fe.server, VLAN: fe.vlan, Iface: fe.iface,
		Facts: []finding.Fact{{Key: "file", Value: fe.name}}, First: fe.first,
	}
	if fe.write {
		f.Facts = append(f.Facts, finding.Fact{Key: "op", Value: WRQ.String()})
	}
	if fe.nameCut {
		f.Facts = append(f.Facts, finding.Fact{Key: "file_cut", Value: true})
	}
	return f
}

func (t *tracker) withdraw(rule *finding.Rule, fe *fetch, out *track.Out) {
	out.Withdraw(track.Withdrawal{Rule: rule, Node: fe.client, Server: fe.server, Subject: fe.name})
}

// exchange reports the attempt of a fetch; x is nil when there was no transfer.
func (t *tracker) exchange(fe *fetch, x *transfer, o track.Outcome, out *track.Out, note string) {
	e := t.newExchange(fe, x, o)
	e.Detail = detail(fe, x, note)
	out.Exchange(e)
}

func (t *tracker) newExchange(fe *fetch, x *transfer, o track.Outcome) track.Exchange {
	fe.reported = true
	e := track.Exchange{
		Service: service, Stage: track.StageTFTP, Op: fe.op().String(), Subject: fe.name, Outcome: o,
		Client: fe.client, Server: fe.server, VLAN: fe.vlan, Iface: fe.iface,
		First: fe.first, Last: fe.lastTry, Tries: fe.tries, Frames: t.evidence(fe, x),
	}
	if x != nil {
		e.Last = max(e.Last, x.last)
		e.Bytes, e.Complete = x.b.bytes(), x.whole
	}
	return e
}

func (t *tracker) unansweredExchange(fe *fetch, at capture.Time, out *track.Out) {
	e := t.newExchange(fe, nil, track.Unanswered)
	e.Last = at
	if !fe.wrong.IsZero() {
		e.Detail = "answered from " + fe.wrong.Addr.String()
	}
	out.Exchange(e)
}

func (t *tracker) refusedByICMP(fe *fetch, at capture.Time, out *track.Out) {
	e := t.newExchange(fe, nil, track.Refused)
	e.Last, e.Reason = at, "ICMP port unreachable"
	out.Exchange(e)
}

func (t *tracker) exchangeRefused(fe *fetch, x *transfer, reason string, out *track.Out) {
	e := t.newExchange(fe, x, track.Refused)
	e.Reason = reason
	if x.b.high > 0 {
		e.Detail = detail(fe, x, "")
	}
	out.Exchange(e)
}

// evidence are the frames of an attempt: requests, the first answer, what was
// repeated, the last DATA and the last ACK.
func (t *tracker) evidence(fe *fetch, x *transfer) []capture.FrameID {
	ids := append([]capture.FrameID(nil), fe.frames...)
	if x != nil {
		ids = append(ids, x.repeatIDs[:x.nrepeat]...)
		ids = append(ids, x.firstID, x.dataID, x.ackID)
		slices.Sort(ids)
		ids = slices.DeleteFunc(slices.Compact(ids), func(id capture.FrameID) bool { return id == 0 })
	}
	if n := len(ids); n > finding.MaxFrames {
		ids = append(ids[:finding.MaxFrames-1], ids[n-1])
	}
	return ids
}

// detail is a transfer in a few words for the timeline.
func detail(fe *fetch, x *transfer, note string) string {
	var words []string
	if x != nil && x.b.high > 0 {
		b := &x.b
		if b.tsize > 0 && !x.whole {
			words = append(words, size(b.bytes())+" of "+size(b.tsize))
		} else {
			words = append(words, size(b.bytes()))
		}
		words = append(words, fmt.Sprintf("blksize %d", b.size))
		if b.window > 1 {
			words = append(words, fmt.Sprintf("windowsize %d", b.window))
		}
		if b.repeated > 0 {
			words = append(words, finding.Count(int(b.repeated), "retransmission", "retransmissions"))
		}
		if d := x.last.Sub(fe.first); b.high >= 10 && b.repeated == 0 && d/time.Duration(b.high) > slowBlock {
			words = append(words, fmt.Sprintf("%v per block", (d/time.Duration(b.high)).Round(time.Millisecond)))
		}
	} else if x != nil && x.b.tsize > 0 {
		words = append(words, "size "+size(x.b.tsize))
	}
	if note != "" {
		words = append(words, note)
	}
	return strings.Join(words, ", ")
}

// size prints bytes with binary prefixes.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// errorName is an ERROR as it is quoted everywhere.
func errorName(code uint16, text string) string {
	if text == "" {
		return fmt.Sprintf("ERROR %d", code)
	}
	return fmt.Sprintf("ERROR %d %q", code, text)
}

func clip(text []byte) string { return string(text[:min(len(text), maxText)]) }

// notFound reports whether an ERROR says that a file is not there; some
// servers say it with code 0 and words.
func notFound(code uint16, text []byte) bool {
	if code != errUndefined {
		return code == errNotFound
	}
	s := strings.ToLower(string(text))
	return strings.Contains(s, "not found") || strings.Contains(s, "no such file") || strings.Contains(s, "does not exist")
}
