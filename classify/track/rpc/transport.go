package rpc

import (
	"encoding/binary"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// silenceAt is what a client's packets to a port of a server are for: portmap,
// mountd, or neither.
func (t *tracker) silenceAt(p *pair, f wire.Flow, now capture.Time) *silence {
	if f.DstPort == portPortmap {
		return &p.portmap
	}
	if t.programAt(f.Dst, f.DstPort, f.Proto, now) == programMount {
		return &p.mount
	}
	return nil
}

// control reads SYN, RST and FIN: connections to portmap and mountd that fail,
// and an NFS server that is gone.
func (t *tracker) control(f *wire.Frame, s *stream, out *track.Out) {
	if f.Copy {
		return
	}
	flags := f.TCP.Flags
	switch {
	case flags&(wire.SYN|wire.ACK) == wire.SYN:
		t.connect(f)
	case flags&(wire.SYN|wire.ACK) == wire.SYN|wire.ACK:
		t.connected(f, out)
	case flags&wire.RST != 0:
		t.reset(f, out)
	}
	if flags&(wire.RST|wire.FIN) != 0 && s != nil && s.pair != nil && f.Src == s.pair.key.client {
		s.pair.nfs.abandon() // the client waits no more
	}
}

func (t *tracker) connect(f *wire.Frame) {
	switch {
	case f.DstPort == portPortmap, t.programAt(f.Dst, f.DstPort, f.Proto, f.Time) == programMount:
		p := t.pairOf(f)
		t.silenceAt(p, f.Flow(), f.Time).knock(t, p, f)
	case f.DstPort == portNFS:
		if p := t.pairs.Get(pairKey{f.Src, f.Dst}); p != nil {
			(*p).nfs.knock(t, *p, f)
		}
	}
}

// pairBack is the pair whose server sent f, or nil.
func (t *tracker) pairBack(f *wire.Frame) *pair {
	if p := t.pairs.Get(pairKey{f.Dst, f.Src}); p != nil {
		return *p
	}
	return nil
}

func (t *tracker) connected(f *wire.Frame, out *track.Out) {
	p := t.pairBack(f)
	if p == nil {
		return
	}
	if f.SrcPort == portNFS {
		p.nfs.syn = attempts{}
		return
	}
	s := t.silenceAt(p, f.Flow().Reverse(), f.Time)
	switch {
	case s == nil:
	case s.udp.tries+s.tcp.tries == 0:
		t.broken(s, out)
	default:
		s.syn = attempts{}
	}
}

func (t *tracker) reset(f *wire.Frame, out *track.Out) {
	p := t.pairBack(f)
	if p == nil {
		return
	}
	s := t.silenceAt(p, f.Flow().Reverse(), f.Time)
	switch {
	case s == nil:
	case s.syn.tries > 0:
		t.refuse(p, s, &s.syn, f, out)
	case s.tcp.tries > 0:
		t.refuse(p, s, &s.tcp, f, out)
	}
}

// icmp reads port unreachables by the host that was asked. What other hosts
// say, and prohibitions, are a firewall's.
func (t *tracker) icmp(f *wire.Frame, out *track.Out) {
	if !f.ICMP.HasQuote || f.Copy {
		return
	}
	unreachable := f.Proto == wire.ProtoICMP && f.ICMP.Type == 3 && f.ICMP.Code == 3 ||
		f.Proto == wire.ProtoICMPv6 && f.ICMP.Type == 1 && f.ICMP.Code == 4
	q := f.ICMP.Quote
	if !unreachable || f.Src != q.Dst {
		return
	}
	pp := t.pairs.Get(pairKey{q.Src, q.Dst})
	if pp == nil {
		return
	}
	p := *pp
	s := t.silenceAt(p, q, f.Time)
	if q.Proto == wire.ProtoUDP {
		k, _ := orient(q)
		u := t.sessions.Get(k)
		if u == nil {
			return
		}
		switch u.prog {
		case programNFS:
			p.nfs.unreachable(t, p, f)
			return
		case programMount:
			s = &p.mount
		}
		if s != nil {
			t.refuse(p, s, &s.udp, f, out)
		}
		xid := uint32(0)
		if d := f.ICMP.QuoteData; len(d) >= 4 {
			xid = binary.BigEndian.Uint32(d)
		} else if s != nil && s.request.session == u.id {
			xid = s.request.xid // all that the quote leaves out
		}
		if c := t.calls.Get(callKey{u.id, xid}); c != nil && c.request != nil && !c.request.decided {
			c.request.exchange.Last = f.Time
			c.request.report(track.Refused, "ICMP port unreachable", out)
		}
		return
	}
	if s != nil && s.syn.tries > 0 {
		t.refuse(p, s, &s.syn, f, out)
	}
}

// refuse counts a refusal and judges at once: it needs no grace.
func (t *tracker) refuse(p *pair, s *silence, a *attempts, f *wire.Frame, out *track.Out) {
	s.refuse(t, f, a)
	t.judgeSilence(p, s, f.Time, false, out)
}
