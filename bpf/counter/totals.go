package counter

import (
	"cmp"
	"slices"

	"github.com/pxescope/pxescope/classify/catalog"
)

// A pair is one counter.
type pair struct{ packets, bytes uint64 }

// Totals are the counters at one moment, as `count --format json` prints them.
type Totals struct {
	Hook Hook   `json:"hook"`
	Unit string `json:"unit"` // what one packet is on that hook
	// Egress is false where sent packets cannot be seen: nothing is said of them.
	Egress bool `json:"egress"`
	Count
	// Filter is Config.Filter, and Filtered what it left out: counted nowhere else.
	Filter      string           `json:"filter,omitempty"`
	Filtered    Count            `json:"filtered"`
	Services    []ServiceCount   `json:"services"` // of all interfaces, most packets first
	Ports       []PortCount      `json:"ports"`
	Other       Count            `json:"other"`       // of no service
	Fragments   Count            `json:"fragments"`   // whose first fragment was not seen
	Undecodable Count            `json:"undecodable"` // cut or broken before the ports
	Interfaces  []InterfaceCount `json:"interfaces"`
	Learnt      []LearntPort     `json:"learnt,omitempty"` // by Config.Learn, oldest first
}

// A Count is packets and bytes. Bytes are whole frames without FCS. In is what
// the interface received, Out what was sent through it.
type Count struct {
	Packets    uint64 `json:"packets"`
	Bytes      uint64 `json:"bytes"`
	InPackets  uint64 `json:"in_packets"`
	OutPackets uint64 `json:"out_packets"`
	InBytes    uint64 `json:"in_bytes"`
	OutBytes   uint64 `json:"out_bytes"`
}

// A ServiceCount is what was counted of one service. To and From are packets
// to and from the server, zero for a service without ports.
type ServiceCount struct {
	ID    string `json:"id"`
	Phase string `json:"phase"`
	Count
	To   uint64 `json:"to_server"`
	From uint64 `json:"from_server"`
}

// A PortCount is what was counted of a service's port, in both directions.
type PortCount struct {
	Proto   string `json:"proto"`
	Port    uint16 `json:"port"`
	Last    uint16 `json:"last,omitempty"` // of a run of ports that is counted as one
	Service string `json:"service"`
	Count
}

// An InterfaceCount is what was counted on one interface.
type InterfaceCount struct {
	Name string `json:"name"`
	Count
	Services    []ServiceCount `json:"services"`
	Other       Count          `json:"other"`
	Fragments   Count          `json:"fragments"`
	Undecodable Count          `json:"undecodable"`
	Filtered    Count          `json:"filtered"`
}

func (c *Count) add(p pair, egress bool) {
	c.Packets += p.packets
	c.Bytes += p.bytes
	if egress {
		c.OutPackets += p.packets
		c.OutBytes += p.bytes
	} else {
		c.InPackets += p.packets
		c.InBytes += p.bytes
	}
}

// Since is what was counted after an earlier look.
func (c Count) Since(o Count) Count {
	return Count{
		c.Packets - o.Packets, c.Bytes - o.Bytes, c.InPackets - o.InPackets, c.OutPackets - o.OutPackets,
		c.InBytes - o.InBytes, c.OutBytes - o.OutBytes,
	}
}

// totals arranges counters. Place 2*i is what interface i received, 2*i+1 what
// was sent through it; inside a place it goes by slot<<1|side.
func (l *Layout) totals(h Hook, names []string, counts [][]pair) *Totals {
	t := &Totals{Hook: h, Unit: h.Unit(), Egress: h.Egress(), Services: []ServiceCount{}, Ports: []PortCount{}}
	all := newTally(l)
	ports := make([]Count, len(l.slots))
	for i, name := range names {
		own := newTally(l)
		for place := 2 * i; place < 2*i+2; place++ {
			for j, p := range counts[place] {
				egress := place%2 == 1
				all.add(j, p, egress)
				own.add(j, p, egress)
				ports[j/2].add(p, egress)
			}
		}
		t.Interfaces = append(t.Interfaces, InterfaceCount{
			Name: name, Count: own.sum, Services: own.list(),
			Other: own.kinds[slotOther], Fragments: own.kinds[slotFragments], Undecodable: own.kinds[slotUndecodable],
			Filtered: own.kinds[slotFiltered],
		})
	}
	t.Count, t.Services = all.sum, all.list()
	t.Other, t.Fragments, t.Undecodable = all.kinds[slotOther], all.kinds[slotFragments], all.kinds[slotUndecodable]
	t.Filtered = all.kinds[slotFiltered]
	t.Ports = l.portCounts(ports)
	return t
}

// portCounts merges what a split counts apart: to people it is one port.
func (l *Layout) portCounts(bySlot []Count) []PortCount {
	out := []PortCount{}
	for i, c := range bySlot {
		s := &l.slots[i]
		if s.Kind != PortKind || c.Packets == 0 {
			continue
		}
		p := PortCount{Proto: s.Proto.String(), Port: s.Port, Service: s.Service, Count: c}
		if s.Last != s.Port {
			p.Last = s.Last
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b PortCount) int { return cmp.Compare(b.Packets, a.Packets) })
	return out
}

// A tally adds up slots by service.
type tally struct {
	l        *Layout
	sum      Count
	kinds    [firstService]Count
	services map[catalog.Index]*ServiceCount
}

func newTally(l *Layout) *tally {
	return &tally{l: l, services: make(map[catalog.Index]*ServiceCount)}
}

func (t *tally) add(number int, p pair, egress bool) {
	if p.packets == 0 {
		return
	}
	slot := number >> 1
	if t.l.slots[slot].Kind == Reserved { // learnt a moment ago by another process
		slot = slotOther
	}
	if slot == slotFiltered {
		t.kinds[slot].add(p, egress)
		return
	}
	t.sum.add(p, egress)
	if slot < firstService {
		t.kinds[slot].add(p, egress)
		return
	}
	s := &t.l.slots[slot]
	c := t.services[s.index]
	if c == nil {
		c = &ServiceCount{ID: s.Service, Phase: s.Phase}
		t.services[s.index] = c
	}
	c.add(p, egress)
	if s.Kind != PortKind {
		return
	}
	if toPort := number&1 != 0; toPort != s.Client {
		c.To += p.packets
	} else {
		c.From += p.packets
	}
}

// list has the services that were seen, most packets first.
func (t *tally) list() []ServiceCount {
	out := []ServiceCount{}
	for _, s := range t.l.cat.Services() {
		if c := t.services[s.Index]; c != nil {
			out = append(out, *c)
		}
	}
	slices.SortStableFunc(out, func(a, b ServiceCount) int { return cmp.Compare(b.Packets, a.Packets) })
	return out
}
