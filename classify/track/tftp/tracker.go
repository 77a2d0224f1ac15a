// Package tftp follows TFTP transfers (RFC 1350, 2347, 2348, 2349, 7440): who
// asks whom for which file, what is answered, and where it stops.
//
// A transfer is found by the client's address and port: the server answers
// from a port of its own, often from another one for each try. Tries for one
// file are one fetch, whatever their ports. A transfer whose request is not in
// the capture is left alone.
//
// The one invariant: a packet of a running transfer allocates nothing and
// looks up at most its transfer; judgement happens at deadlines.
package tftp

import (
	"strconv"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Port is the server's port for requests (RFC 1350 section 4).
const Port = 69

// Spec describes the tracker.
var Spec = track.Spec{
	Name:  "tftp",
	Rules: Rules,
	UDP:   []uint16{Port},
	Kinds: track.ICMP,
	New:   func(cfg *track.Config) track.Tracker { return newTracker(cfg) },
}

const service = "tftp"

type tracker struct {
	th        site.Thresholds
	transfers *track.Table[endpoint, transfer]
	fetches   *track.Table[fetchKey, fetch]
	lists     *track.Table[listKey, list]
	clients   *track.Table[wire.Addr, client]
	servers   *track.Table[wire.Addr, names]
	requests  *track.Table[requestKey, requestCount]

	mutual bool // some machines ask each other

	counts  track.TFTPCounts
	errors  [16]uint64 // ERROR messages by code
	others  map[uint16]uint64
	evicted uint64
}

func newTracker(cfg *track.Config) *tracker {
	t := &tracker{th: cfg.Site.Thresholds, others: make(map[uint16]uint64)}
	t.transfers = track.NewHashed(maxTransfers, hashEndpoint, func(_ endpoint, x *transfer) {
		t.countCompleted(x)
		if !x.done && x.answered {
			t.evicted++
		}
	})
	t.fetches = track.NewHashed(maxFetches, hashFetch, func(_ fetchKey, fe *fetch) {
		if fe.phase != ended && !fe.reported {
			t.evicted++
		}
	})
	t.lists = track.NewTable[listKey, list](maxLists, nil)
	t.clients = track.NewHashed[wire.Addr, client](maxClients, track.HashAddr, nil)
	t.servers = track.NewTable[wire.Addr, names](maxServers, nil)
	t.requests = track.NewHashed[requestKey, requestCount](maxRequests, hashRequest, nil)
	return t
}

// Frame implements track.Tracker.
func (t *tracker) Frame(f *wire.Frame, out *track.Out) (news bool) {
	if f.Stop != wire.StopNone {
		return false
	}
	switch f.Proto {
	case wire.ProtoUDP:
		return t.udp(f, out)
	case wire.ProtoICMP, wire.ProtoICMPv6:
		if f.ICMP.HasQuote && f.ICMP.Quote.Proto == wire.ProtoUDP && !f.Copy {
			t.unreachable(f, out)
		}
	}
	return true
}

func (t *tracker) udp(f *wire.Frame, out *track.Out) (news bool) {
	m := Message(f.Payload)
	op := m.Op()
	if f.DstPort == Port && (op == RRQ || op == WRQ) {
		if f.Fragment != wire.First {
			t.request(f, m, op, out)
		}
		return true
	}
	if f.SrcPort == Port && (op == RRQ || op == WRQ) && f.Fragment != wire.First {
		// Dissectors call it a request, but nobody is asked.
		r := m.Request()
		t.countRequest(requestKey{fetchKey{client: f.Src, server: f.Dst, name: hashName(r.File), op: op}, f.SrcPort})
		return false
	}
	x, toClient := t.find(f, out)
	if x != nil && x.proceeds(f, op, toClient) {
		return false
	}
	if op == ERROR && f.Fragment != wire.First && (x != nil || f.SrcPort == Port || f.DstPort == Port) {
		t.countError(m)
	}
	if x == nil {
		return false
	}
	if !x.replied && toClient && f.Src == x.fetch.server && f.Fragment != wire.First {
		t.countReply(x)
	}
	if f.Copy || op < DATA || op > OACK {
		return false
	}
	if f.Time >= x.renewAt {
		t.expect(x, f.Time, out)
	}
	if f.Fragment == wire.First {
		if op == DATA && !x.done {
			x.partial++
			if toClient && f.Src == x.peer {
				t.answer(x, f, op, out)
			}
		}
		return true
	}
	if f.Fragment == wire.Reassembled && x.partial > 0 {
		x.partial--
	}
	if toClient {
		t.fromServer(x, f, m, op, out)
	} else {
		t.fromClient(x, f, m, op, out)
	}
	return true
}

// find looks for the transfer that f belongs to. Both ends may be clients of
// each other: then the one whose server the other end is. The transfer of a
// conversation whose other end has none stays the answer until that end asks for a
// file itself, so its place is left with the frame's Route.
func (t *tracker) find(f *wire.Frame, out *track.Out) (x *transfer, toClient bool) {
	if out.Place != 0 && !t.mutual {
		x := t.transfers.In(out.Place)
		switch k := &x.key; {
		case x.op == 0: // it left the table
		case k.port == f.DstPort && k.addr == f.Dst:
			return x, true
		case k.port == f.SrcPort && k.addr == f.Src:
			return x, false
		}
	}
	out.Place = 0
	x, y := t.transfers.Get(endpoint{f.Dst, f.DstPort}), t.transfers.Get(endpoint{f.Src, f.SrcPort})
	switch {
	case x != nil && y != nil:
		if x.peer != f.Src && y.peer == f.Dst {
			return y, false
		}
		return x, true
	case x != nil:
		out.Place = t.transfers.Last()
		return x, true
	case y != nil:
		out.Place = t.transfers.Last()
	}
	return y, false
}

func (t *tracker) expect(x *transfer, now capture.Time, out *track.Out) {
	x.renewAt = now.Add(expectFor / 2)
	out.Expect(track.Expectation{
		Proto: wire.ProtoUDP, Addr: x.key.addr, Port: x.key.port,
		Service: service, Tracker: "tftp", Until: now.Add(expectFor),
	})
}

// Deadline implements track.Tracker.
func (t *tracker) Deadline() capture.Time {
	return min(t.transfers.Deadline(), t.fetches.Deadline(), t.lists.Deadline())
}

// Expire implements track.Tracker.
func (t *tracker) Expire(now capture.Time, out *track.Out) {
	for {
		at := t.Deadline()
		if at > now || at == track.Never {
			return
		}
		t.fetches.Expire(at, func(k fetchKey, fe *fetch, _ capture.Time) { t.fetchDue(k, fe, at, out) })
		t.transfers.Expire(at, func(_ endpoint, x *transfer, _ capture.Time) { t.transferDue(x, at, out) })
		t.lists.Expire(at, func(k listKey, l *list, _ capture.Time) { t.judgeList(k, l, at, out) })
	}
}

// Finish implements track.Tracker.
func (t *tracker) Finish(end capture.Time, out *track.Out) {
	t.transfers.Each(func(_ endpoint, x *transfer, _ capture.Time) { t.finishTransfer(x, out) })
	t.fetches.Each(func(k fetchKey, fe *fetch, _ capture.Time) { t.finishFetch(k, fe, end, out) })
	t.lists.Each(func(k listKey, l *list, at capture.Time) {
		if at != track.Never {
			t.judgeList(k, l, end, out)
		}
	})
}

// Count implements track.Tracker.
func (t *tracker) Count(c *track.Counts) {
	c.TFTP.RRQ += t.counts.RRQ
	c.TFTP.WRQ += t.counts.WRQ
	c.TFTP.Unanswered += t.counts.Unanswered
	c.TFTP.Completed += t.counts.Completed
	for code, n := range t.errors {
		t.addErrors(c, uint16(code), n)
	}
	for code, n := range t.others {
		t.addErrors(c, code, n)
	}
}

func (t *tracker) addErrors(c *track.Counts, code uint16, n uint64) {
	if n == 0 {
		return
	}
	if c.TFTP.Errors == nil {
		c.TFTP.Errors = make(map[string]uint64)
	}
	c.TFTP.Errors[strconv.Itoa(int(code))] += n
}

// Evicted implements track.Tracker.
func (t *tracker) Evicted() uint64 { return t.evicted }

func (t *tracker) countError(m Message) {
	code, ok := m.Number()
	switch {
	case !ok:
	case int(code) < len(t.errors):
		t.errors[code]++
	default:
		t.others[code]++
	}
}

// countRequest counts a message, and the request when it is a new one.
func (t *tracker) countRequest(k requestKey) {
	if k.op == RRQ {
		t.counts.RRQ++
	} else {
		t.counts.WRQ++
	}
	if t.requests.Get(k) == nil {
		t.requests.Put(k)
		t.counts.Unanswered++
	}
}

func (t *tracker) countReply(x *transfer) {
	x.replied = true
	if r := t.requests.Get(requestKey{x.fetch, x.key.port}); r != nil && !r.answered {
		r.answered = true
		t.counts.Unanswered--
	}
}

// countCompleted counts a transfer whose last block, a short one, was seen.
func (t *tracker) countCompleted(x *transfer) {
	if x.counted || x.b.final == 0 || !x.b.shortFinal {
		return
	}
	x.counted = true
	if r := t.requests.Get(requestKey{x.fetch, x.key.port}); r != nil && !r.completed {
		r.completed = true
		t.counts.Completed++
	}
}
