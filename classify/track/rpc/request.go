package rpc

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// A request is a call that is an exchange of its own: to portmap, mountd,
// lockd or statd. There are a few in each boot.
type request struct {
	exchange track.Exchange
	asked    mapping // GETPORT, GETADDR, CALLIT
	path     string  // MNT, UMNT
	decided  bool
}

func (t *tracker) newRequest(f *wire.Frame, m *message, p *pair) *request {
	var r *request
	if n := len(t.spare); n > 0 {
		r, t.spare = t.spare[n-1], t.spare[:n-1]
	} else {
		r = new(request)
	}
	*r = request{exchange: track.Exchange{
		Service: serviceOf(m.prog), Stage: track.StageMount, Op: procedureName(m.prog, m.vers, m.proc), Tries: 1,
		Client: finding.Endpoint{MAC: f.SrcMAC, Addr: f.Src, Port: f.SrcPort}, Server: finding.Endpoint{MAC: p.server.MAC, Addr: f.Dst, Port: f.DstPort},
		VLAN: p.vlan, Iface: p.iface, First: f.Time, Last: f.Time, Frames: []capture.FrameID{f.ID},
	}}
	x := &r.exchange
	switch m.prog {
	case programPortmap:
		x.Subject = "portmap"
		if m.proc == procGetport || m.proc == procCallit || m.proc == procGetversaddr && m.vers == 4 {
			r.asked = readQuestion(m.vers, m.proc, m.body)
			if r.asked.prog != 0 {
				x.Subject = r.asked.String()
			}
			if r.asked.prog != 0 && programIndex(r.asked.prog) < 0 {
				x.Stage = track.StageUnknown // no part of a mount
			}
		}
	case programMount:
		x.Subject = fmt.Sprintf("mount v%d", m.vers)
		if m.proc == procMNT || m.proc == procUMNT {
			if path, ok := readPath(m.body); ok {
				r.path = path
				x.Subject = path
			}
		}
	case programNLM, programNSM:
		x.Stage = track.StageNFS
		x.Subject = programName(m.prog)
	}
	if m.machine != nil {
		x.Detail = fmt.Sprintf("machine %q", m.machine)
	}
	return r
}

func (r *request) again(f *wire.Frame) {
	r.exchange.Tries++
	r.exchange.Last = f.Time
	r.exchange.Frames = finding.AppendFrame(r.exchange.Frames, f.ID)
}

func (r *request) report(o track.Outcome, reason string, out *track.Out) {
	r.decided = true
	x := r.exchange
	x.Outcome, x.Reason = o, reason
	x.Frames = append([]capture.FrameID(nil), x.Frames...)
	out.Exchange(x)
}

// ask sets when an answer to a request is due, and lets silence count where it
// is a fault.
func (t *tracker) ask(f *wire.Frame, c *call, k callKey) {
	n := c.request.exchange.Tries
	switch {
	case !c.udp:
		if n == 1 {
			t.calls.SetDeadline(k, f.Time.Add(t.th.RPCGraceTCP))
		}
	case n <= t.th.RPCTriesUDP || c.request.decided:
		t.calls.SetDeadline(k, f.Time.Add(t.th.RPCGraceUDP))
	}
	p := c.pair
	switch {
	case !unicast(f), c.vers > maxVersion: // to everybody, or a scan
	case c.prog == programPortmap && c.proc != procCallit:
		p.asked = true
		p.portmap.call(t, p, f, c, k)
	case c.prog == programMount && c.proc != procUMNT && c.proc != procUMNTALL:
		p.asked = true
		p.mount.call(t, p, f, c, k)
	}
}

// overdue decides a request that nobody answered in time.
func (t *tracker) overdue(c *call, at capture.Time, out *track.Out) {
	r := c.request
	if r == nil || c.prog == programPortmap && c.proc == procCallit {
		return
	}
	last := r.exchange.Last
	r.exchange.Last = at
	r.report(track.Unanswered, "", out)
	r.exchange.Last = last
}

// requestAnswered decides a request by its reply.
func (t *tracker) requestAnswered(f *wire.Frame, m *message, c *call, out *track.Out) {
	r := c.request
	x := &r.exchange
	x.Last = f.Time
	x.Frames = finding.AppendFrame(x.Frames, f.ID)
	if f.Src != x.Server.Addr {
		r.note("answered from " + f.Src.String())
	}
	if m.known && !m.accepted() {
		if reason := m.refusal(); c.prog != programPortmap || c.proc != procCallit {
			r.report(track.Refused, reason, out)
		}
		return
	}
	switch c.prog {
	case programPortmap:
		t.portmapAnswered(f, m, c, out)
	case programMount:
		t.mountAnswered(f, m, c, out)
	default:
		// Locks and status: the first answer tells that they work.
		i := 0
		if c.prog == programNSM {
			i = 1
		}
		if !c.pair.shown[i] || r.decided {
			c.pair.shown[i] = true
			r.report(track.Answered, "", out)
		}
	}
}

func (t *tracker) portmapAnswered(f *wire.Frame, m *message, c *call, out *track.Out) {
	r := c.request
	switch {
	case c.proc == procDump:
		n := 0
		eachMapping(c.vers, m.body, func(p mapping) {
			n++
			if registered(p.prog) {
				t.learn(f.Src, p.port, p.proto, p.prog, true, f.Time, out)
			}
		})
		r.note(fmt.Sprintf("%d ports", n))
	case r.asked.prog == 0:
	default:
		port, ok := readPort(c.vers, m.body)
		switch {
		case !ok:
		case c.proc == procCallit:
			t.learn(f.Src, port, r.asked.proto, r.asked.prog, true, f.Time, out)
			return
		case port == 0:
			r.report(track.Refused, "not registered", out)
			t.notRegistered(f, c, r.asked, "port 0", out)
			return
		default:
			r.note(fmt.Sprintf("port %d", port))
			t.learn(f.Src, port, r.asked.proto, r.asked.prog, true, f.Time, out)
			if c.pair.key.server != f.Src {
				t.learn(c.pair.key.server, port, r.asked.proto, r.asked.prog, true, f.Time, out)
			}
			if i := needed(r.asked.prog); i >= 0 {
				c.pair.served[i] = f.Time
			}
			if c.pair.open > 0 {
				t.served(c.pair, r.asked.prog, f.Time, out)
			}
		}
	}
	r.report(track.Answered, "", out)
}

func (r *request) note(s string) { note(&r.exchange, s) }

func note(x *track.Exchange, s string) {
	if x.Detail != "" {
		s = x.Detail + ", " + s
	}
	x.Detail = s
}
