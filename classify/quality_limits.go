package classify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
)

// A limit is one thing that this capture cannot show, or does not show right:
// a gate of the field catalogue (8.0) that is met, with the scope in which it
// is.
type limit struct {
	gate, severity, detail string
	// doubts tells what the limit does to a finding; nil: nothing, to any.
	doubts func(*finding.Finding) doubt
	// onlyIfMet leaves the limit out of the report unless a finding is doubted.
	onlyIfMet bool
	// hides says that the limit is about what cannot be seen, rather than about
	// how something looks.
	hides bool

	affects           []string
	withheld, lowered int
}

// A doubt is what a limit does to a finding.
type doubt uint8

const (
	noDoubt  doubt = iota
	lessSure       // one step less confident
	milder         // that, and an error becomes a warning
	withhold       // the capture could not have shown the opposite
)

// limits are all limits that hold at this moment.
func (q *quality) limits(c *clock) []*limit {
	var l []*limit
	add := func(x *limit) {
		if x != nil {
			l = append(l, x)
		}
	}
	keys := make([]segment, 0, len(q.segments))
	for k := range q.segments {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b segment) int { return cmp.Or(a.iface-b.iface, int(a.vlan)-int(b.vlan)) })
	oneSided := make(map[segment]bool)
	for _, k := range keys {
		if x := q.oneSided(k, q.segments[k]); x != nil {
			oneSided[k] = true
			add(x)
		}
	}
	add(q.asymmetric(oneSided))
	byIface := q.interfaceSums(keys)
	for _, i := range byIface {
		add(q.recordedFilter(i))
		add(q.portFilter(i))
		add(q.onlyDHCP(i))
		add(q.drops(i))
		add(q.localVirt(i))
	}
	add(q.fileDrops(byIface))
	add(q.localServer())
	add(q.clockSteps(c))
	add(q.merge())
	add(q.offload(byIface))
	return l
}

// An interfaceSum is what was seen on all VLANs of an interface.
type interfaceSum struct {
	segmentSeen
	iface int
}

func (q *quality) interfaceSums(keys []segment) []*interfaceSum {
	var out []*interfaceSum
	for _, k := range keys {
		s := q.segments[k]
		if len(out) == 0 || out[len(out)-1].iface != k.iface {
			out = append(out, &interfaceSum{segmentSeen{key: k, service: s.service}, k.iface})
		}
		i := out[len(out)-1]
		i.packets += s.packets
		i.arp += s.arp
		i.unicast += s.unicast
		i.bootPorts += s.bootPorts
		i.dhcp += s.dhcp
		i.cut += s.cut
		i.cooked += s.cooked
		i.oversize += s.oversize
		i.lost += s.lost
		i.mixed = i.mixed || s.mixed || s.service != i.service
	}
	return out
}

func (q *quality) iface(i int) capture.Interface {
	if i < len(q.interfaces) {
		return q.interfaces[i]
	}
	return capture.Interface{}
}

func (q *quality) ifaceName(i int) string {
	if n := q.iface(i).Name; n != "" {
		return "interface " + n
	}
	return "the capture"
}

func (q *quality) segmentName(k segment) string {
	name := q.ifaceName(k.iface)
	if k.vlan != 0 {
		name += fmt.Sprintf(", VLAN %d,", k.vlan)
	}
	return name
}

// qualities is the limits as reported, warnings first.
func qualities(limits []*limit) []Quality {
	var out []Quality
	for _, l := range limits {
		if l.onlyIfMet && len(l.affects) == 0 {
			continue
		}
		x := Quality{l.gate, l.severity, l.detail, slices.Sorted(slices.Values(l.affects))}
		if x.Affects == nil {
			x.Affects = []string{}
		}
		switch w, n := l.withheld, l.lowered; {
		case w > 0 && n > 0:
			x.Detail += fmt.Sprintf("; %s withheld, %s less sure for it", finding.Count(w, "finding is", "findings are"), finding.Count(n, "is", "are"))
		case w > 0:
			x.Detail += fmt.Sprintf("; %s withheld for it", finding.Count(w, "finding is", "findings are"))
		case n > 0:
			x.Detail += fmt.Sprintf("; %s less sure for it", finding.Count(n, "finding is", "findings are"))
		}
		out = append(out, x)
	}
	slices.SortStableFunc(out, func(a, b Quality) int {
		return cmp.Or(strings.Compare(b.Severity, a.Severity), strings.Compare(a.Gate, b.Gate), strings.Compare(a.Detail, b.Detail))
	})
	return out
}
