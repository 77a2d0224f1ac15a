package classify

import (
	"fmt"

	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/wire"
)

// oneSided is CQ-ONESIDED: requests to servers and never a packet from one,
// not even ARP; or the other way round. Broadcast requests alone prove
// nothing: nobody may be there.
func (q *quality) oneSided(k segment, s *segmentSeen) *limit {
	what := ""
	least := uint64(q.t.OneSidedRequests)
	switch {
	case s.replies() > 0:
		if s.roles[reply] < least || s.roles[request]+s.roles[broadcast] > 0 {
			return nil
		}
		what = fmt.Sprintf("%d packets from servers and not one request", s.replies())
	case s.blind > 0 && s.roles[request] == 0:
		what = "clients that go on as if they had been answered, and not one packet from a server port"
	case s.blind > 0:
		what = fmt.Sprintf("%d requests and not one packet from a server port, although clients go on as if they had been answered", s.roles[request])
	case s.roles[request] >= least:
		for _, e := range s.asked[:s.nasked] {
			if q.hosts.heard(e) {
				return nil
			}
		}
		what = fmt.Sprintf("%d requests to servers and not one packet from any of them, not even ARP", s.roles[request])
	default:
		return nil
	}
	return &limit{
		gate: oneSidedGate, severity: "warning", hides: true,
		detail: fmt.Sprintf("%s shows %s: only one direction was captured, silence proves nothing there", q.segmentName(k), what),
		doubts: func(f *finding.Finding) doubt {
			if f.Rule.Absence && f.Iface == k.iface && f.VLAN == k.vlan {
				return withhold
			}
			return noDoubt
		},
	}
}

const oneSidedGate = "one-sided"

// oneSidedThroughout reports whether all traffic of services is in segments
// that show one direction only.
func (q *quality) oneSidedThroughout() bool {
	found := false
	for k, s := range q.segments {
		if s.roles[request]+s.roles[broadcast]+s.replies()+s.blind == 0 {
			continue
		}
		if q.oneSided(k, s) == nil {
			return false
		}
		found = true
	}
	return found
}

// asymmetric is CQ-ASYM: one direction between two machines is missing, while
// the segment as a whole is two-way.
func (q *quality) asymmetric(oneSided map[segment]bool) *limit {
	proofs := make(map[direction]*blindness)
	fromSilent := make(map[wire.Addr]bool)
	var first *blindness
	var of direction
	for d, b := range q.blind {
		if oneSided[b.segment] {
			continue // said of everybody there
		}
		proofs[d] = b
		if !q.hosts.heardAddr(d.from) {
			fromSilent[d.from] = true
		}
		if first == nil || b.frame < first.frame {
			first, of = b, d
		}
	}
	x := &limit{gate: "asymmetric", severity: "warning", hides: true, onlyIfMet: len(proofs) == 0}
	switch n := len(proofs); {
	case n == 0:
		x.detail = "between some machines the capture shows one direction, or nothing, while it shows others: its silence proves nothing there"
	case n == 1:
		x.detail = fmt.Sprintf("what %s sends to %s is not in the capture: %s %s (frame %d)", of.from, of.to, of.to, first.how, first.frame.Number())
	default:
		x.detail = fmt.Sprintf("%d directions between two machines are not in the capture, first what %s sends to %s: %s %s (frame %d)",
			n, of.from, of.to, of.to, first.how, first.frame.Number())
	}
	x.doubts = func(f *finding.Finding) doubt {
		k := segment{f.Iface, f.VLAN}
		if !f.Rule.Absence || oneSided[k] {
			return noDoubt
		}
		if b := proofs[direction{f.Server.Addr, f.Node.Addr}]; b != nil && (b.mac == f.Node.MAC || f.Node.MAC.IsZero() || b.mac.IsZero()) {
			return withhold
		}
		switch {
		case proofs[direction{f.Node.Addr, f.Server.Addr}] != nil, fromSilent[f.Server.Addr],
			len(f.Frames) >= q.t.OneSidedRequests && !q.hosts.heard(f.Server) && !f.Node.MAC.IsZero(),
			q.outOfSight(f, q.segments[k]):
			return withhold
		}
		return noDoubt
	}
	return x
}

// outOfSight is for the absences that broadcasts alone make: the answer, or
// what the node does next, is unicast, and a port without a mirror shows only
// what its own host sends and gets.
func (q *quality) outOfSight(f *finding.Finding, s *segmentSeen) bool {
	few := uint64(q.t.FilteredPackets)
	switch f.Rule.ID {
	case "arp-no-answer":
		return !s.shows(f.Node.MAC, q.hosts.addrs[f.Server.Addr], few)
	case "no-load-after-ack":
		// The node asked for a machine's MAC, once or twice and so with success,
		// and talks to it since.
		a, ok := q.lastAsk(f.Node.MAC)
		return ok && a.at >= f.First && a.at <= f.Last && a.n < q.t.ARPTries && !s.shows(f.Node.MAC, q.hosts.addrs[a.target], 1)
	}
	return false
}
