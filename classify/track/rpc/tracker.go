package rpc

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// Ports that are RPC without being learnt.
const (
	portPortmap = 111
	portNFS     = 2049
	portMount   = 20048 // mountd of most Linux distributions
)

var knownPorts = []uint16{portPortmap, portNFS, portMount}

// Limits of state. Together they hold about 10 MB when all are full.
const (
	// maxCalls are calls without a reply. An NFS client has some hundred calls
	// in flight; what stays here is what nobody answered.
	maxCalls = 16384
	// maxStreams are TCP connections, each with two heads of headLen.
	maxStreams = 2048
	// maxSessions are UDP 4-tuples.
	maxSessions = 8192
	// maxPairs are pairs of client and server.
	maxPairs = 4096
	// maxRefusals are negative answers that are not yet, or no longer, the
	// last word.
	maxRefusals = 2048
	// maxLearnt are ports learnt from portmap and from calls.
	maxLearnt = 4096
)

// Spec describes the tracker.
var Spec = track.Spec{
	Name: "rpc",
	Rules: []*finding.Rule{
		RulePortmapNoAnswer, RuleNotRegistered, RuleMountNoAnswer, RuleMountDenied, RulePrivilegedPort,
		RuleNotResponding, RuleNFSError, RuleAuthError, RuleV4NoPortmap,
	},
	UDP: knownPorts,
	TCP: knownPorts,
	// What looks like RPC on any port of UDP and TCP, because mountd has a dynamic
	// port that a capture begun after GETPORT does not tell.
	Kinds: track.RPC | track.ICMP,
	New:   newTracker,
}

type tracker struct {
	th     site.Thresholds
	ledger ledger

	calls    *track.Table[callKey, call]
	sockets  *track.Table[socketKey, callKey]
	streams  *track.Table[wire.Flow, stream]
	sessions *track.Table[wire.Flow, session]
	pairs    *track.Table[pairKey, *pair]
	refusals *track.Table[refusalKey, *refusal]
	learnt   *track.Table[serverKey, learntPort]

	recent [recentStreams]recentStream // the streams of the last segments, by Hash

	replied replies
	spare   []*request       // of calls that were replied to
	ports   [2]track.PortSet // known and learnt, index 0 UDP, 1 TCP; bits stay
	side    lane             // for segments that fill a gap
	lastID  uint32           // of sessions and streams
}

func newTracker(cfg *track.Config) track.Tracker {
	t := &tracker{th: cfg.Site.Thresholds, ledger: newLedger()}
	for i := range t.ports {
		for _, p := range knownPorts {
			t.ports[i].Add(p)
		}
	}
	t.calls = track.NewHashed(maxCalls, hashCall, func(_ callKey, c *call) { t.finalize(c) })
	t.sockets = track.NewHashed[socketKey, callKey](maxCalls, hashSocket, nil)
	t.streams = track.NewHashed[wire.Flow, stream](maxStreams, track.HashFlow, nil)
	t.sessions = track.NewHashed[wire.Flow, session](maxSessions, track.HashFlow, nil)
	t.pairs = track.NewHashed[pairKey, *pair](maxPairs, hashPair, nil)
	t.refusals = track.NewTable(maxRefusals, func(_ refusalKey, r **refusal) { (*r).dropped() })
	t.learnt = track.NewHashed[serverKey, learntPort](maxLearnt, hashServer, nil)
	return t
}

// A session is a UDP 4-tuple, both directions.
type session struct {
	id   uint32
	prog uint32 // of the last call
	pair *pair
}

// A stream is a TCP connection, both directions; a new connection on the same
// ports goes on with the same id, because calls are repeated on it with the
// xid they had (RFC 5531 section 9).
type stream struct {
	session
	lanes [2]lane
}

const recentStreams = 256

type recentStream struct {
	flow wire.Flow // as orient has it
	id   uint32    // of s, unless s left the table
	s    *stream   // nil: none
}

// stream finds the stream of f, or nil, its key and f's lane.
func (t *tracker) stream(f *wire.Frame) (s *stream, k wire.Flow, lane int) {
	r := &t.recent[f.Hash%recentStreams]
	if x := &r.flow; r.s != nil && r.s.id == r.id {
		// First, as orient does, for a host that talks to itself.
		if x.SrcPort == f.DstPort && x.DstPort == f.SrcPort && x.Src == f.Dst && x.Dst == f.Src {
			return r.s, *x, 1
		}
		if x.SrcPort == f.SrcPort && x.DstPort == f.DstPort && x.Src == f.Src && x.Dst == f.Dst {
			return r.s, *x, 0
		}
	}
	k, lane = orient(f.Flow())
	if s = t.streams.Get(k); s != nil {
		*r = recentStream{k, s.id, s}
	}
	return s, k, lane
}

// orient gives both directions of a flow one key; lane is 1 for the direction
// that was turned round.
func orient(f wire.Flow) (k wire.Flow, lane int) {
	if f.SrcPort > f.DstPort || f.SrcPort == f.DstPort && string(f.Src[:]) > string(f.Dst[:]) {
		return f, 0
	}
	return f.Reverse(), 1
}

// Frame implements track.Tracker.
func (t *tracker) Frame(f *wire.Frame, out *track.Out) (news bool) {
	switch f.Proto {
	case wire.ProtoUDP:
		t.datagram(f, out)
	case wire.ProtoTCP:
		t.segment(f, out)
	case wire.ProtoICMP, wire.ProtoICMPv6:
		t.icmp(f, out)
	}
	return true
}

func (t *tracker) datagram(f *wire.Frame, out *track.Out) {
	p := f.Payload
	if len(p) < minReply {
		return
	}
	// The type word, then the RPC version of a call or the state of a reply.
	switch w := binary.BigEndian.Uint64(p[4:]); {
	case w == 2:
		if !t.serves(f, 0) && !looksLikeCall(p) {
			return
		}
	case w>>1 == 1<<31:
	default:
		return
	}
	m, ok := parse(p)
	if !ok {
		return
	}
	k, _ := orient(f.Flow())
	s := t.sessions.Get(k)
	if s == nil {
		if !m.call && !t.serves(f, 0) {
			// A reply to nobody, unless it comes from the wrong address.
			t.stray(f, &m, out)
			return
		}
		t.lastID++
		s = t.sessions.Put(k)
		s.id = t.lastID
	}
	switch {
	case !m.call:
		t.reply(f, &m, s.id, out)
	case f.Fragment == wire.First:
		// The datagram comes whole with its last fragment.
	default:
		s.prog = m.prog
		if s.pair == nil {
			s.pair = t.pairOf(f)
		}
		t.call(f, &m, s.id, s.pair, out)
	}
}

func (t *tracker) segment(f *wire.Frame, out *track.Out) {
	if !t.serves(f, 1) {
		if len(f.Payload) < 4+callHeader || f.Payload[0]&0x80 == 0 || !looksLikeCall(f.Payload[4:]) {
			return
		}
		if binary.BigEndian.Uint32(f.Payload)&lengthMask > maxFragment {
			return
		}
	}
	s, k, dir := t.stream(f)
	if f.TCP.Flags&(wire.SYN|wire.RST|wire.FIN) != 0 {
		t.control(f, s, out)
	}
	if s == nil {
		if f.PayloadLen == 0 && f.TCP.Flags&wire.SYN == 0 || f.TCP.Flags&wire.RST != 0 {
			return
		}
		t.lastID++
		s = t.streams.Put(k)
		s.id = t.lastID
	}
	l := &s.lanes[dir]
	if f.TCP.Flags&wire.SYN != 0 {
		l.syn(f.TCP.Seq + 1)
		return
	}
	switch {
	case s.pair == nil:
	case f.Src == s.pair.key.server:
		s.pair.nfs.heard = f.Time
	case f.TCP.Flags&wire.ACK != 0 && s.lanes[1-dir].known && int32(f.TCP.Ack-s.lanes[1-dir].next) > 1:
		// More than a FIN: the client got what the capture does not show.
		t.unseen(f, s, out)
	}
	if f.PayloadLen == 0 {
		return
	}
	if l.begin(f.TCP.Seq, f.Payload, f.PayloadLen, &t.side) {
		t.records(f, s, l, out)
	} else if t.side.buf != nil {
		t.side.tentative = false
		t.records(f, s, &t.side, out)
		t.side.buf = nil
	}
	l.buf, l.rest = nil, nil
}

// unseen takes an acknowledgment of data that was not captured: perhaps the
// reply that is missing.
func (t *tracker) unseen(f *wire.Frame, s *stream, out *track.Out) {
	switch s.prog {
	case programNFS:
		s.pair.nfs.alive(t, s.pair, f, out)
	case programPortmap:
		t.broken(&s.pair.portmap, out)
	case programMount:
		t.broken(&s.pair.mount, out)
	}
}

// records reads the messages that begin in a segment.
func (t *tracker) records(f *wire.Frame, s *stream, l *lane, out *track.Out) {
	for b := l.message(); b != nil; b = l.message() {
		m, ok := parse(b)
		l.calling, l.xid = m.call, m.xid
		switch {
		case !ok:
			l.refuse()
		case m.call:
			p := s.pair
			if p == nil || p.key.client != f.Src {
				p = t.pairOf(f)
				if m.prog != programCallback { // a callback runs the other way
					s.pair = p
				}
			}
			s.prog = m.prog
			t.call(f, &m, s.id, p, out)
		case !t.reply(f, &m, s.id, out) && l.guess:
			// Found by scanning, and nobody asked: file contents, perhaps.
			l.refuse()
		}
	}
}

// Deadline implements track.Tracker.
func (t *tracker) Deadline() capture.Time {
	return min(t.calls.Deadline(), t.pairs.Deadline(), t.refusals.Deadline())
}

// Expire implements track.Tracker.
func (t *tracker) Expire(now capture.Time, out *track.Out) {
	t.calls.Expire(now, func(_ callKey, c *call, at capture.Time) { t.overdue(c, at, out) })
	t.pairs.Expire(now, func(_ pairKey, p **pair, at capture.Time) {
		(*p).armed = track.Never
		t.judge(*p, at, false, out)
	})
	t.refusals.Expire(now, func(_ refusalKey, r **refusal, at capture.Time) { t.settle(*r, at, false, out) })
}

// Finish implements track.Tracker.
func (t *tracker) Finish(end capture.Time, out *track.Out) {
	t.Expire(end, out)
	t.calls.Each(func(_ callKey, c *call, _ capture.Time) {
		if c.request != nil && !c.request.decided {
			c.request.report(track.Open, "", out)
		}
	})
	t.pairs.Each(func(_ pairKey, p **pair, _ capture.Time) {
		t.judge(*p, end, true, out)
		t.openNFS(*p, end, out)
	})
	t.refusals.Each(func(_ refusalKey, r **refusal, at capture.Time) {
		if at != track.Never {
			t.settle(*r, end, true, out)
		}
	})
}

// Count implements track.Tracker.
func (t *tracker) Count(c *track.Counts) {
	l := t.ledger.clone()
	t.calls.Each(func(_ callKey, v *call, _ capture.Time) {
		if !v.replied {
			l.of(v.prog, v.vers, v.proc).unanswered++
		}
	})
	// A call whose record was not captured to its end is none yet.
	t.streams.Each(func(_ wire.Flow, s *stream, _ capture.Time) {
		for i := range s.lanes {
			xid, ok := s.lanes[i].unfinished()
			if !ok {
				continue
			}
			if v := t.calls.Get(callKey{s.id, xid}); v != nil && v.tries == 1 {
				n := l.of(v.prog, v.vers, v.proc)
				n.calls--
				if !v.replied {
					n.unanswered--
				}
			}
		}
	})
	l.add(&c.RPC)
}

// Evicted implements track.Tracker.
func (t *tracker) Evicted() uint64 {
	return t.calls.Evicted() + t.streams.Evicted() + t.sessions.Evicted() + t.pairs.Evicted() + t.refusals.Evicted() + t.learnt.Evicted()
}

// known reports whether a port is RPC without being learnt.
func known(port uint16) bool { return slices.Contains(knownPorts, port) }

// serves reports whether one end of f is a port that is known, or learnt, to
// serve RPC; proto is the index in ports.
func (t *tracker) serves(f *wire.Frame, proto int) bool {
	p := &t.ports[proto]
	return p.Has(f.DstPort) && (known(f.DstPort) || t.learnt.Get(serverKey{f.Dst, f.DstPort, f.Proto}) != nil) ||
		p.Has(f.SrcPort) && (known(f.SrcPort) || t.learnt.Get(serverKey{f.Src, f.SrcPort, f.Proto}) != nil)
}

func ms(d time.Duration) int64 { return d.Milliseconds() }
