package classify

import (
	"fmt"

	"github.com/pxescope/pxescope/classify/finding"
)

// considerableLoss is the share of packets that the capturing side lost from
// which on an error is only a warning: one in ten. Below it, several requests
// in a row whose answers were all dropped are unlikely, and only the
// confidence falls.
const considerableLoss = 0.1

// drops is CQ-DROP: the capturing side says how many packets it lost, or TCP
// shows it.
func (q *quality) drops(i *interfaceSum) *limit {
	n, seen := q.iface(i.iface).Dropped, i.packets
	x := &limit{gate: "drops", severity: "warning", hides: true}
	effect := lessSure
	switch {
	case n.Known && n.N > 0:
		x.detail = fmt.Sprintf("%d packets were dropped while capturing on %s: a missing answer may be among them", n.N, q.ifaceName(i.iface))
		if float64(n.N) >= considerableLoss*float64(seen+n.N) {
			effect = milder
		}
	case i.lost >= lostProve:
		x.detail = fmt.Sprintf("%s misses packets: %d times TCP acknowledged data that is not in the capture", q.ifaceName(i.iface), i.lost)
	default:
		return nil
	}
	x.doubts = func(f *finding.Finding) doubt {
		if f.Rule.Absence && f.Iface == i.iface {
			return effect
		}
		return noDoubt
	}
	return x
}

// lostProve is how often TCP must acknowledge what was not captured before
// drops count: once may be a reordered capture.
const lostProve = 3

// fileDrops are the drops that a file states as a whole.
func (q *quality) fileDrops(sums []*interfaceSum) *limit {
	dropped := make(map[int]doubt)
	var total uint64
	for i, f := range q.files {
		stated := uint64(0)
		for _, x := range q.interfaces {
			if x.File == i && x.Dropped.Known {
				stated += x.Dropped.N
			}
		}
		if !f.Dropped.Known || f.Dropped.N <= stated {
			continue // said by interface already
		}
		total += f.Dropped.N
		dropped[i] = lessSure
		if float64(f.Dropped.N) >= considerableLoss*float64(f.Packets+f.Dropped.N) {
			dropped[i] = milder
		}
	}
	if total == 0 {
		return nil
	}
	return &limit{
		gate: "drops", severity: "warning", hides: true,
		detail: fmt.Sprintf("%d packets were dropped while capturing: a missing answer may be among them", total),
		doubts: func(f *finding.Finding) doubt {
			if !f.Rule.Absence {
				return noDoubt
			}
			return dropped[q.iface(f.Iface).File]
		},
	}
}
