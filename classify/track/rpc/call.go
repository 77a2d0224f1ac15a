package rpc

import (
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A callKey names a call: the 4-tuple and transport by the id of its session
// or stream, and the xid (RFC 5531 section 9).
type callKey struct{ session, xid uint32 }

func hashCall(seed uint64, k callKey) uint64 {
	return wire.Mix(seed, uint64(k.session), uint64(k.xid))
}

// A socketKey finds the call of a client's UDP socket when the reply comes
// from another address of the server.
type socketKey struct {
	client wire.Addr
	port   uint16
	xid    uint32
}

func hashSocket(seed uint64, k socketKey) uint64 {
	return wire.Mix(wire.MixAddr(seed, &k.client), uint64(k.port), uint64(k.xid))
}

// A call is a call without a reply so far.
type call struct {
	prog, vers, proc uint32
	tries            uint32
	first            capture.Time
	frame            capture.FrameID
	udp              bool
	replied          bool      // one of this xid was replied to before: no news for the counts
	walksRoot        certainty // an NFSv4 COMPOUND that enters the server's root: a mount
	strayed          bool      // a reply came from another address
	port             uint16
	from             uint16
	pair             *pair
	request          *request // of the programs whose calls are exchanges of their own
}

// repliedWindow is how long a call that was replied to is recognized: a retry
// that crossed the reply is no new question. Clients that start their xids at
// 1 in each boot ask anew.
const repliedWindow = 60 * time.Second

// replies remembers the calls that were replied to, and replies that came
// before their call in file order. It is direct-mapped: xids count up, so that
// the last ones of a client fall into different places, and a collision only
// forgets.
type replies [4096]reply

type reply struct {
	callKey
	at capture.Time
}

func (r *replies) slot(k callKey) *reply {
	return &r[(k.xid^k.session*0x9e3779b1)%uint32(len(r))]
}

func (r *replies) put(k callKey, at capture.Time) {
	s := r.slot(k)
	s.callKey, s.at = k, at
}

func (r *replies) get(k callKey) (at capture.Time, ok bool) {
	s := r.slot(k)
	return s.at, s.callKey == k && s.at != 0
}

// call takes a call from the client of p.
func (t *tracker) call(f *wire.Frame, m *message, session uint32, p *pair, out *track.Out) {
	t.ledger.of(m.prog, m.vers, m.proc).calls++
	if f.Copy && f.Proto == wire.ProtoUDP {
		return
	}
	k := callKey{session, m.xid}
	c := t.calls.Get(k)
	if c != nil {
		if c.prog == m.prog && c.proc == m.proc {
			t.again(f, k, c, out)
			return
		}
		t.finalize(c)
	}
	at, replied := t.replied.get(k)
	if replied && f.Time.Sub(at) <= repliedWindow {
		return
	}
	c = t.calls.Put(k)
	*c = call{
		prog: m.prog, vers: m.vers, proc: m.proc, tries: 1, first: f.Time, frame: f.ID, udp: f.Proto == wire.ProtoUDP, replied: replied,
		port: f.DstPort, from: f.SrcPort, pair: p,
	}
	if c.udp {
		*t.sockets.Put(socketKey{f.Src, f.SrcPort, m.xid}) = k
	}
	if !known(f.DstPort) && registered(m.prog) && m.vers <= maxVersion && unicast(f) {
		t.learn(f.Dst, f.DstPort, f.Proto, m.prog, false, f.Time, out)
	}
	if m.prog == programNFS {
		t.nfsCall(f, m, c)
		return
	}
	if m.machine != nil {
		p.named(m.machine)
	}
	switch m.prog {
	case programPortmap, programMount, programNLM, programNSM:
		if !oneWay(m.prog, m.proc) && unicast(f) || m.prog == programPortmap && m.proc == procCallit {
			c.request = t.newRequest(f, m, p)
			t.ask(f, c, k)
		}
	}
}

// again takes a repetition of a pending call.
func (t *tracker) again(f *wire.Frame, k callKey, c *call, out *track.Out) {
	c.tries++
	if c.strayed {
		c.pair.dropsStray = true
	}
	switch {
	case c.request != nil:
		c.request.again(f)
		t.ask(f, c, k)
	case c.prog == programNFS:
		t.nfsAgain(f, c, out)
	}
}

// reply takes a reply and reports whether somebody had asked.
func (t *tracker) reply(f *wire.Frame, m *message, session uint32, out *track.Out) bool {
	k := callKey{session, m.xid}
	c := t.calls.Get(k)
	if c == nil {
		if f.Copy {
			return true
		}
		if _, ok := t.replied.get(k); ok {
			return true // a second reply
		}
		if f.Proto == wire.ProtoUDP && t.stray(f, m, out) {
			return true
		}
		t.replied.put(k, f.Time)
		return false
	}
	if f.Fragment == wire.First {
		// A life sign, even if the rest of the datagram was lost.
		c.pair.nfs.alive(t, c.pair, f, out)
		return true
	}
	v := *c
	t.calls.Delete(k)
	t.sockets.Delete(socketKey{f.Dst, f.DstPort, m.xid})
	t.replied.put(k, f.Time)
	t.answered(f, m, &v, out)
	if v.request != nil {
		t.spare = append(t.spare, v.request)
	}
	return true
}

// stray takes a UDP reply that comes from another address than was asked: a
// server with several addresses, or a broadcast's answer. For the counts the
// call stays without a reply, for the judgement it has one until the client
// repeats it and shows that it drops such replies.
func (t *tracker) stray(f *wire.Frame, m *message, out *track.Out) bool {
	if t.sockets.Len() == 0 || f.Copy {
		return false
	}
	k := t.sockets.Get(socketKey{f.Dst, f.DstPort, m.xid})
	if k == nil {
		return false
	}
	c := t.calls.Get(*k)
	if c == nil || c.port != f.SrcPort || c.pair.key.server == f.Src {
		return false
	}
	if !c.pair.key.server.IsMulticast() {
		c.pair.stray, c.strayed = f.Src, true
		if c.pair.dropsStray {
			return true
		}
	}
	t.answered(f, m, c, out)
	return true
}

// answered judges a reply to c.
func (t *tracker) answered(f *wire.Frame, m *message, c *call, out *track.Out) {
	p := c.pair
	switch c.prog {
	case programNFS:
		p.nfs.alive(t, p, f, out)
	case programPortmap:
		t.broken(&p.portmap, out)
	case programMount:
		t.broken(&p.mount, out)
	}
	if m.accepted() {
		if i := needed(c.prog); i >= 0 {
			p.served[i] = f.Time
		}
		if p.open > 0 {
			t.served(p, c.prog, f.Time, out)
		}
	} else if m.known {
		t.rejected(f, m, c, out)
	}
	switch {
	case c.request != nil:
		t.requestAnswered(f, m, c, out)
	case c.prog == programNFS:
		t.nfsReply(f, m, c, out)
	}
}

// finalize closes a call that leaves the table without a reply.
func (t *tracker) finalize(c *call) {
	if !c.replied {
		t.ledger.of(c.prog, c.vers, c.proc).unanswered++
	}
}

// unicast reports whether f is for one host: a broadcast call is answered by
// who can, and silence is normal (RFC 1833 section 3.1, CALLIT).
func unicast(f *wire.Frame) bool { return !f.Dst.IsMulticast() && !f.DstMAC.IsGroup() }
