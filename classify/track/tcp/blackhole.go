package tcp

import (
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

const (
	maxTroubles = 1024
	// againAfter parts a retransmission from a copy: the shortest retransmission
	// timeout in use is 200 ms (Linux).
	againAfter = 100 * time.Millisecond
	// againTries are the retransmissions that make a finding.
	againTries = 3
	// plainSegment is the largest payload of an Ethernet frame of 1514 bytes;
	// where the MSS was not seen, more than that is offload.
	plainSegment = 1460
)

// A trouble is a direction in which a big segment is repeated, by the flow
// from its sender.
type trouble struct {
	seq     uint32
	size    int
	again   int
	at      capture.Time // of the last repetition counted
	first   capture.Time
	alive   bool // the receiver was heard since
	found   bool
	certain bool // as found
	mtu     uint16
	router  wire.Addr // who sent the ICMP error
	frames  frames
	node    finding.Endpoint
	server  finding.Endpoint
}

// of is the stream of f, whoever sent it.
func (t *streams) of(f *wire.Frame) *stream {
	s, _ := t.find(f)
	return s
}

// from is the flow of s from side d.
func (t *streams) from(s *stream, d int) wire.Flow {
	if d == byClient {
		return t.flow(s)
	}
	return t.flow(s).Reverse()
}

// repeated reads a segment of side d that was sent before, after the stream
// was idle for some time. A small one right behind another frame may be a copy
// that a SPAN port made: bulk traffic is not searched for copies.
func (t *tracker) repeated(s *stream, d int, idle time.Duration, f *wire.Frame, out *track.Out) {
	flags, n := &s.flags[d], f.PayloadLen
	switch {
	case n <= 1: // keep-alive or window probe
		return
	case n < bigSegment:
		if idle > t.th.Duplicate {
			*flags |= smallAgain
		}
		return
	case idle <= t.th.Duplicate: // the same for a big one
		return
	case *flags&(bigAcked|smallAgain) != 0 && *flags&inTrouble == 0:
		return
	case *flags&hasAck != 0 && f.TCP.Seq != s.dir[d].acked, t.streams.offload(s, n):
		return // not the segment that the receiver waits for, or not one segment
	}
	k := t.streams.from(s, d)
	w := t.troubles.At(k)
	*flags |= inTrouble
	if w.again == 0 || w.seq != f.TCP.Seq {
		w.seq, w.size, w.first, w.again, w.alive = f.TCP.Seq, n, f.Time, 0, false
		w.frames = frames{}
	} else if f.Time.Sub(w.at) < againAfter {
		return
	}
	w.again++
	w.at = f.Time
	w.size = min(w.size, n)
	w.frames.add(f.ID)
	quoted := w.mtu != 0
	if w.again < againTries || *flags&smallAgain != 0 || *flags&bigAcked != 0 && !quoted || w.found && w.certain == quoted {
		return
	}
	if s.joined && !quoted && !w.alive && *flags&smallAcked == 0 {
		return
	}
	t.findPathMTU(s, d, w, f, out)
}

// offload reports whether n bytes are more than one segment on the wire.
func (t *streams) offload(s *stream, n int) bool {
	mss := &t.ends[s.place].mss
	limit := int(min(mss[0], mss[1]))
	if limit == 0 {
		limit = plainSegment
	}
	return n > limit
}

func (t *tracker) findPathMTU(s *stream, d int, w *trouble, f *wire.Frame, out *track.Out) {
	flow, mss := t.streams.flow(s), &t.streams.ends[s.place].mss
	k, v := t.known(flow)
	if v == nil {
		if k, v = t.begin(flow, f.Time); v == nil {
			return
		}
	}
	v.meet(f, d == byClient)
	if !w.found {
		w.node, w.server = v.client, v.server
	}
	n := t.finding(RulePathMTU, k, v)
	n.Node, n.Server = w.node, w.server
	n.First, n.Last, n.Frames = w.first, f.Time, w.frames.list()
	who := "the server"
	if d == byClient {
		who = "the client"
	}
	n.Facts = append(n.Facts,
		finding.Fact{Key: "segment_bytes", Value: w.size}, finding.Fact{Key: "retransmissions", Value: w.again},
		finding.Fact{Key: "sender", Value: who[len("the "):]},
		finding.Fact{Key: "mss_client", Value: int(mss[0])}, finding.Fact{Key: "mss_server", Value: int(mss[1])})
	switch {
	case w.mtu != 0:
		n.Confidence = finding.Certain
		n.Summary = fmt.Sprintf("%s of %s goes on sending segments of %d bytes, although %s said that only packets of %d bytes pass",
			who, v.title(k), w.size, w.router, w.mtu)
		n.Facts = append(n.Facts, finding.Fact{Key: "icmp_mtu", Value: int(w.mtu)}, finding.Fact{Key: "icmp_from", Value: w.router.String()})
		w.certain = true
	default:
		n.Summary = fmt.Sprintf("%s of %s repeats a segment of %d bytes again and again, while small ones arrive", who, v.title(k), w.size)
		if !w.alive && s.flags[d]&smallAcked == 0 {
			n.Confidence, n.Severity = finding.Possible, finding.Warning
			n.Summary = fmt.Sprintf("%s of %s repeats a segment of %d bytes again and again; the other side is silent", who, v.title(k), w.size)
		}
	}
	w.found = true
	out.Find(n)
}

// heard notes that f is of the receiver of direction d, after a loss. With its
// window shut it is the receiver that is slow, not the path.
func (t *tracker) heard(s *stream, d int, f *wire.Frame) {
	w := t.troubles.Get(t.streams.from(s, d))
	switch {
	case w == nil:
	case f.TCP.Window == 0:
		w.again = 0
	default:
		w.alive = true
	}
}

// recovered takes back what was found: a big segment got through.
func (t *tracker) recovered(s *stream, d int, out *track.Out) {
	s.flags[d] &^= inTrouble
	k := t.streams.from(s, d)
	w := t.troubles.Get(k)
	if w == nil {
		return
	}
	if w.found && !w.certain {
		out.Withdraw(track.Withdrawal{Rule: RulePathMTU, Node: w.node, Server: w.server, Subject: keyOf(t.streams.flow(s)).String()})
	}
	t.troubles.Delete(k)
}

// tooBig reads "fragmentation needed" (RFC 1191 section 4) or "packet too big"
// (RFC 4443 section 3.2). A sender that heeds it repeats nothing of that size.
func (t *tracker) tooBig(f *wire.Frame) {
	q := f.ICMP.Quote
	if id, _ := t.services.Of(q, f.Time); id == "" {
		return
	}
	w := t.troubles.At(q)
	w.mtu, w.router = max(f.ICMP.MTU, 1), f.Src
	w.frames.add(f.ID)
}
