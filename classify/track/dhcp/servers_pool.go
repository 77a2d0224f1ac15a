package dhcp

import (
	"bytes"
	"fmt"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// RulePoolExhausted is dhcp-pool-exhausted.
var RulePoolExhausted = &finding.Rule{
	ID: "dhcp-pool-exhausted", Ref: "FM-43", Severity: finding.Error, Confidence: finding.Possible,
	Title:  "New clients get no offer while known ones are served",
	Detect: "Two or more clients of a VLAN stay without an OFFER (dhcp-no-offer) while another one got an ACK there within 60 s before or after.",
	Means: "The server is alive and reachable, so it will not serve these clients. In order of likelihood: the pool is empty; the server knows only its own hosts (deny unknown-clients, " +
		"reservations only); a failover partner holds all free leases; the range is too small for the number of ports.",
	Next:       "On the server count the free leases of the range and read its log for the clients below (\"no free leases\", \"peer holds all free leases\", \"no static mapping\").",
	Traps:      "Servers that turn clients away by class or MAC on purpose look the same; hence only possible. A relay or switch that loses the packets of one group of ports does, too.",
	References: []string{"RFC 2131 section 4.3.1", "pxescope field catalogue FM-43"},
	Absence:    true,
	Rank:       finding.RankNoOffer,
}

const (
	poolWindow  = 60 * time.Second
	poolClients = 2  // without an offer
	maxRefused  = 32 // clients without an offer remembered per segment
	maxAcked    = 64 // clients with an ACK remembered per segment
)

// A pool is who got an address on a segment of late, and who did not.
type pool struct {
	refused []wait
	acked   []grant // a ring
	next    int
	said    int // clients in the last report
}

type wait struct {
	mac wire.MAC
	at  capture.Time
}

type grant struct {
	mac    wire.MAC
	addr   wire.Addr
	server wire.Addr
	smac   wire.MAC
	at     capture.Time
	frame  capture.FrameID
}

// answeredBetween reports whether another client got an address between two
// times.
func (p *pool) answeredBetween(from, to capture.Time, mac wire.MAC) bool {
	for i := range p.acked {
		if g := &p.acked[i]; g.mac != mac && g.at >= from && g.at <= to {
			return true
		}
	}
	return false
}

// NoOffer says that a client's DISCOVERs stayed unanswered until at: the
// tracker of exchanges calls it when it finds dhcp-no-offer.
func (s *Servers) NoOffer(mac wire.MAC, vlan uint16, at capture.Time, out *track.Out) {
	k := segmentKey{vlan: vlan}
	if c := s.callers.Get(mac); c != nil {
		k = c.seg
		s.blockedNoOffer(mac, c, at, out)
	}
	g := s.segment(k)
	for i := range g.pool.refused {
		if g.pool.refused[i].mac == mac {
			g.pool.refused[i].at = at
			s.exhausted(g, out)
			return
		}
	}
	if len(g.pool.refused) < maxRefused {
		g.pool.refused = append(g.pool.refused, wait{mac, at})
	}
	s.exhausted(g, out)
}

// acked follows an ACK: the server is alive, and the client has an address.
func (s *Servers) acked(f *wire.Frame, g *segment, mac wire.MAC, addr wire.Addr, v *server, out *track.Out) {
	if mac.IsZero() {
		return
	}
	p := &g.pool
	one := grant{mac, addr, v.key.id, v.key.mac, f.Time, f.ID}
	if len(p.acked) < maxAcked {
		p.acked = append(p.acked, one)
	} else {
		p.acked[p.next] = one
		p.next = (p.next + 1) % maxAcked
	}
	for i := range p.refused {
		if p.refused[i].mac == mac {
			p.refused = append(p.refused[:i], p.refused[i+1:]...)
			break
		}
	}
	if p.said > 0 || len(p.refused) >= poolClients {
		s.exhausted(g, out)
	}
}

// exhausted reports a segment where some are served and others are not, or
// takes that back.
func (s *Servers) exhausted(g *segment, out *track.Out) {
	p := &g.pool
	var without []wait
	var last *grant
	for _, w := range p.refused {
		for i := range p.acked {
			a := &p.acked[i]
			if d := a.at.Sub(w.at); d > poolWindow || d < -poolWindow {
				continue
			}
			if len(without) == 0 || without[len(without)-1].mac != w.mac {
				without = append(without, w)
			}
			if last == nil || a.at > last.at {
				last = a
			}
		}
	}
	subject := segmentName(g.key)
	if len(without) < poolClients {
		if p.said > 0 {
			p.said = 0
			out.Withdraw(track.Withdrawal{Rule: RulePoolExhausted, Subject: subject})
		}
		return
	}
	if len(without) == p.said {
		return
	}
	p.said = len(without)
	macs := make([]string, len(without))
	f := finding.Finding{
		Rule: RulePoolExhausted, Subject: subject, Severity: finding.Error, Confidence: finding.Possible,
		VLAN: g.key.vlan, Iface: int(g.key.face), First: without[0].at, Last: without[0].at,
	}
	for i, w := range without {
		macs[i] = w.mac.String()
		f.First, f.Last = min(f.First, w.at), max(f.Last, w.at)
		if c := s.callers.Get(w.mac); c != nil && c.sends > 0 {
			f.First = min(f.First, c.began)
			f.Frames = finding.AppendFrame(f.Frames, c.frames[0])
		}
	}
	f.Frames = finding.AppendFrame(f.Frames, last.frame)
	low, high := last.addr, last.addr
	for i := range p.acked {
		if a := p.acked[i].addr; !a.IsZero() {
			if bytes.Compare(a[:], low[:]) < 0 {
				low = a
			}
			if bytes.Compare(a[:], high[:]) > 0 {
				high = a
			}
		}
	}
	f.Summary = fmt.Sprintf("%s got no offer while %s gave %s to %s", count(len(macs), "client"), last.server, last.addr, last.mac)
	f.Facts = []finding.Fact{
		{Key: "clients_without", Value: macs}, {Key: "server_id", Value: last.server.String()},
		{Key: "acked_lowest", Value: low.String()}, {Key: "acked_highest", Value: high.String()}, {Key: "acked_recently", Value: len(p.acked)},
	}
	out.Find(f)
}
