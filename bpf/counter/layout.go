package counter

import (
	"encoding/binary"
	"fmt"

	"github.com/pxescope/pxescope/classify/catalog"
)

// A Kind says what a Slot counts.
type Kind string

// Kinds of slots.
const (
	Other       Kind = "other"       // read, and of no service
	Undecodable Kind = "undecodable" // a header is cut or broken before the ports
	Fragments   Kind = "fragments"   // later IP fragments of a datagram whose first fragment was not seen
	Filtered    Kind = "filtered"    // left out by Config.Filter
	FrameKind   Kind = "frame"       // a service without ports: ARP, ICMP, LLDP
	PortKind    Kind = "port"        // a service's port
	Reserved    Kind = "reserved"    // for a port that may be learnt
)

// The first slots are the same in every Layout. A port of no service has
// slot 0 in the port table.
const (
	slotOther = iota
	slotUndecodable
	slotFragments
	slotFiltered
	firstService
)

// maxSlots is what one byte of the port table can tell apart.
const maxSlots = 256

// longRun is how many neighbouring ports of one service and rank get a slot
// each; longer runs share one, so that a range like 30000-32767 fits.
const longRun = 16

// A Slot is what one pair of counters stands for.
type Slot struct {
	Kind    Kind          `json:"kind"`
	Service string        `json:"service,omitempty"` // catalog id, empty for the first four kinds
	Phase   string        `json:"phase,omitempty"`
	Proto   catalog.Proto `json:"-"`
	Port    uint16        `json:"port,omitempty"` // the catalog's side of the conversation
	Last    uint16        `json:"last,omitempty"` // of a run of ports that share the slot; else Port
	Client  bool          `json:"client,omitempty"`

	index catalog.Index
}

// A Layout is how counters are arranged for one catalog. It is immutable, but
// for the ports that a Counter learns.
type Layout struct {
	cat    *catalog.Catalog
	slots  []Slot
	ports  [2][1 << 16]uint8 // slot of a tcp, udp port; 0 for a port of no service
	rank   [maxSlots]uint8   // of a slot, as catalog.Entry.Rank
	splits []split
	ethers []etherRule
	llcs   []llcRule
	icmps  []icmpRule
}

// A split moves a packet from one slot to another by the port of the other side.
type split struct {
	from, to uint8
	clients  catalog.Range
}

type etherRule struct {
	typ  uint16
	slot uint8
}

type llcRule struct {
	sap  uint8 // destination service access point, IEEE 802.2
	slot uint8
}

type icmpRule struct {
	proto, first, last uint8
	slot               uint8
}

// Tables of Layout.ports.
const (
	tcpTable = iota
	udpTable
)

// NewLayout arranges counters for a catalog. It fails only for a catalog that
// claims more single ports than a byte can number.
func NewLayout(c *catalog.Catalog) (*Layout, error) {
	l := &Layout{cat: c, slots: []Slot{{Kind: Other}, {Kind: Undecodable}, {Kind: Fragments}, {Kind: Filtered}}}
	for i := range c.Services() {
		l.addFrames(&c.Services()[i])
	}
	for t, proto := range []catalog.Proto{tcpTable: catalog.TCP, udpTable: catalog.UDP} {
		l.addPorts(t, proto)
	}
	for _, s := range c.Splits() {
		t := tcpTable
		if s.Proto == catalog.UDP {
			t = udpTable
		}
		from := l.ports[t][s.Port]
		to := l.add(Slot{Kind: PortKind, Proto: s.Proto, Port: s.Port, Last: s.Port,
			Client: c.Table(uint8(s.Proto))[s.Port].Client(), index: s.Service})
		l.splits = append(l.splits, split{from, uint8(to), s.Clients})
	}
	if len(l.slots) > maxSlots {
		return nil, fmt.Errorf("the catalog has %d ports and services to count, %d at most: leave out the added ones that need no counter", len(l.slots), maxSlots)
	}
	for i := range l.slots {
		if s := c.At(l.slots[i].index); s != nil {
			l.slots[i].Service, l.slots[i].Phase = s.ID, string(s.Phase)
		}
	}
	return l, nil
}

func (l *Layout) add(s Slot) int {
	l.slots = append(l.slots, s)
	return len(l.slots) - 1
}

// addFrames gives a service without ports its slot and notes how to know it.
func (l *Layout) addFrames(s *catalog.Service) {
	if len(s.Frames) == 0 {
		return
	}
	slot := uint8(l.add(Slot{Kind: FrameKind, index: s.Index}))
	for _, k := range s.Frames {
		switch {
		case k.EtherType != 0:
			l.ethers = append(l.ethers, etherRule{k.EtherType, slot})
		case k.LLC != 0:
			l.llcs = append(l.llcs, llcRule{k.LLC, slot})
		default:
			l.icmps = append(l.icmps, icmpRule{k.ICMP.Proto, k.ICMP.First, k.ICMP.Last, slot})
		}
	}
}

// addPorts numbers the ports of one protocol: one slot each, one for all of a
// long run.
func (l *Layout) addPorts(t int, proto catalog.Proto) {
	table := l.cat.Table(uint8(proto))
	for first := 0; first < len(table); {
		e, end := table[first], first+1
		for end < len(table) && table[end] == e && !e.IsSplit() {
			end++
		}
		if e != 0 {
			width := 1
			if end-first > longRun {
				width = end - first
			}
			for p := first; p < end; p++ {
				if (p-first)%width == 0 {
					l.add(Slot{Kind: PortKind, Proto: proto, Port: uint16(p), Last: uint16(p + width - 1), Client: e.Client(), index: e.Index()})
				}
				if n := len(l.slots) - 1; n < maxSlots { // NewLayout refuses more
					l.ports[t][p], l.rank[n] = uint8(n), e.Rank()
				}
			}
		}
		first = end
	}
}

// Slots are what is counted, by slot number. The slice is the Layout's own.
func (l *Layout) Slots() []Slot { return l.slots }

// icmpSlot is the slot of an ICMP message.
func (l *Layout) icmpSlot(proto, typ uint8) int {
	for _, r := range l.icmps {
		if r.proto == proto && r.first <= typ && typ <= r.last {
			return int(r.slot)
		}
	}
	return slotOther
}

// etherSlot is the slot of a frame by its Ethernet type.
func (l *Layout) etherSlot(typ uint16) int {
	for _, r := range l.ethers {
		if r.typ == typ {
			return int(r.slot)
		}
	}
	return slotOther
}

// portSlot is the slot of a service's port.
func (l *Layout) portSlot(proto catalog.Proto, port uint16, service catalog.Index) int {
	for i, s := range l.slots {
		if s.Kind == PortKind && s.Proto == proto && s.Port <= port && port <= s.Last && s.index == service {
			return i
		}
	}
	return slotOther
}

// image is the port table as the program reads it: tcp, udp, ranks,
// extension headers. Ports are indexed as a load from the packet sees them.
func (l *Layout) image(o binary.ByteOrder) []byte {
	b := make([]byte, tableSize)
	for t, base := range []int{tcpTable: 0, udpTable: tableUDP} {
		for port, slot := range l.ports[t] {
			var n [2]byte
			binary.BigEndian.PutUint16(n[:], uint16(port))
			b[base+int(o.Uint16(n[:]))] = slot
		}
	}
	copy(b[tableRank:], l.rank[:])
	shifts := extensionShifts()
	copy(b[tableExtension:], shifts[:])
	b[tableTag], b[tableSNAP] = tagLength, snapLength
	return b
}

// describe names a cell for people.
func (l *Layout) describe(c Cell) string {
	if c.Slot >= len(l.slots) {
		return fmt.Sprintf("slot %d", c.Slot)
	}
	s := l.slots[c.Slot]
	switch {
	case s.Kind == PortKind && c.ToPort:
		return fmt.Sprintf("%s to %s/%d", s.Service, s.Proto, s.Port)
	case s.Kind == PortKind:
		return fmt.Sprintf("%s from %s/%d", s.Service, s.Proto, s.Port)
	case s.Kind == FrameKind:
		return s.Service
	}
	return string(s.Kind)
}

// same reports whether two cells are one to people: sides matter for ports alone.
func (l *Layout) same(a, b Cell) bool {
	return a.Slot == b.Slot && (a.ToPort == b.ToPort || l.slots[a.Slot].Kind != PortKind)
}

// block is the number of bytes of counters of one place: as many as numbers of
// counters, so that the program has none to check.
const block = 2 * maxSlots * pairSize

// stride is the number of bytes of counters of one CPU, whole cache lines so
// that no two CPUs write to the same.
func stride(places int) int { return places * block }
