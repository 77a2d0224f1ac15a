package tftp

import (
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// unreachable takes an ICMP error and looks for the transfer that it quotes.
func (t *tracker) unreachable(f *wire.Frame, out *track.Out) {
	what, port := unreachableName(f)
	if what == "" {
		return
	}
	q := f.ICMP.Quote
	if x := t.transfers.Get(endpoint{q.Src, q.SrcPort}); x != nil && q.DstPort == Port && q.Dst == x.fetch.server {
		t.requestUnreachable(x, f, what, port, out)
		return
	}
	x := t.transfers.Get(endpoint{q.Dst, q.DstPort})
	if x == nil || x.done || !port || f.Src != q.Dst {
		return
	}
	// The client listens no more: it has what it wants, gave up, or expects
	// another source.
	fe := t.fetches.Get(x.fetch)
	if fe == nil {
		return
	}
	if q.Src == x.peer {
		x.closed = true
		if !x.reacted {
			fe.answers = 0 // the answers arrive, the client wants no more of them
		}
	}
	if fe.phase == asking && q.Src == fe.wrong.Addr && !fe.wrong.IsZero() {
		fe.frames = finding.AppendFrame(fe.frames, f.ID)
		t.wrongRefused(x.fetch, fe, "the client refuses it with ICMP port unreachable", f.Time, out)
	}
}

// requestUnreachable takes an error about a request.
func (t *tracker) requestUnreachable(x *transfer, f *wire.Frame, what string, port bool, out *track.Out) {
	fe := t.fetches.Get(x.fetch)
	if fe == nil || fe.phase != asking {
		return
	}
	fe.frames = finding.AppendFrame(fe.frames, f.ID)
	fe.reported = false
	if !port || f.Src != x.fetch.server {
		fe.icmp = what + " from " + f.Src.String()
		return // a filter or a router says so: silence is judged as always
	}
	fe.icmpServer = true
	fe.npending = 0
	t.noAnswer(fe, f.Time, out)
	t.refusedByICMP(fe, f.Time, out)
	t.schedule(x.fetch, fe)
}

// unreachableName names a destination unreachable (RFC 792, RFC 1812 section
// 5.2.7.1, RFC 4443 section 3.1); port is set for a closed port.
func unreachableName(f *wire.Frame) (what string, port bool) {
	const unreachable4, unreachable6 = 3, 1
	switch {
	case f.Proto == wire.ProtoICMP && f.ICMP.Type == unreachable4:
		switch f.ICMP.Code {
		case 0:
			return "network-unreachable", false
		case 1:
			return "host-unreachable", false
		case 2:
			return "protocol-unreachable", false
		case 3:
			return "port-unreachable", true
		case 9, 10, 13:
			return "administratively-prohibited", false
		}
	case f.Proto == wire.ProtoICMPv6 && f.ICMP.Type == unreachable6:
		switch f.ICMP.Code {
		case 0:
			return "network-unreachable", false
		case 1, 5, 6:
			return "administratively-prohibited", false
		case 3:
			return "host-unreachable", false
		case 4:
			return "port-unreachable", true
		}
	}
	return "", false
}
