package follow

import (
	"encoding/binary"
	"slices"

	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/wire"
)

// Bits of a port's entry. Above the low byte is one more than the epoch in
// which the port was last learnt or used somewhere, 0 for never: a hint that
// saves most packets four look-ups.
const (
	portPasses  = 1 << 0
	portTeaches = 1 << 1 // 69, 111: look closer
	flagBits    = 8
)

// Ports with a meaning of their own.
const (
	portTFTP    = 69
	portPortmap = 111
)

// always pass, whatever the phase: how a node gets its address is evidence for
// anything, and tunnels may hold everything (package wire's list).
var always = []uint16{67, 68, 4011, 546, 547, 4789, 8472, 4790, 6081}

// bulkTypes are Ethernet types of storage and of encrypted traffic, which no
// tracker reads: RoCE, FCoE, ATA over Ethernet, MACsec.
var bulkTypes = []uint16{0x8915, 0x8906, 0x88a2, 0x88e5}

// What is done with an IP protocol besides UDP and TCP.
const (
	protoDrops     = iota
	protoPasses    // control, or a tunnel
	protoWords8    // an extension header, its length in units of 8 bytes
	protoWords4    // the authentication header
	protoFragments // the fragment header
)

// A rules are what does not change while the filter runs.
type rules struct {
	ports  [2][1 << 16]uint8 // by protocol, as ports of the program
	protos [2][256]uint8     // IPv4, IPv6
}

// Indices of rules.ports.
const (
	onTCP = iota
	onUDP
)

func newRules(c Config) *rules {
	r := new(rules)
	var tftp, rpc bool
	selected := make(map[catalog.Index]bool)
	for _, s := range c.Catalog.Services() {
		in := (c.Phase == "" || s.In(catalog.Phase(c.Phase))) && s.On(catalog.Platform(c.Platform))
		selected[s.Index] = in
		tftp = tftp || in && s.ID == "tftp"
		rpc = rpc || in && len(s.Programs) > 0
	}
	for i, proto := range []uint8{onTCP: wire.ProtoTCP, onUDP: wire.ProtoUDP} {
		for port, e := range c.Catalog.Table(proto) {
			if e == 0 {
				continue
			}
			// Roles may give the port to another service that claims it.
			if slices.ContainsFunc(c.Catalog.Alternatives(proto, uint16(port)), func(x catalog.Index) bool { return selected[x] }) {
				r.ports[i][port] = portPasses
			}
		}
		for _, s := range c.Catalog.Splits() {
			if uint8(s.Proto) == proto && selected[s.Service] {
				r.ports[i][s.Port] = portPasses
			}
		}
	}
	for _, p := range always {
		r.ports[onUDP][p] = portPasses
	}
	if tftp {
		r.ports[onUDP][portTFTP] |= portPasses | portTeaches
	}
	if rpc {
		r.ports[onUDP][portPortmap] |= portPasses | portTeaches
		r.ports[onTCP][portPortmap] |= portPasses | portTeaches
	}
	for v := range r.protos {
		t := &r.protos[v]
		// IGMP, EIGRP, OSPF, PIM, VRRP; IP in IP, 6in4, GRE, MPLS in IP.
		for _, p := range []uint8{2, 88, 89, 103, 112, 4, 41, 47, 137} {
			t[p] = protoPasses
		}
		t[51] = protoWords4
	}
	r.protos[0][wire.ProtoICMP] = protoPasses
	t := &r.protos[1]
	t[wire.ProtoICMPv6] = protoPasses
	for _, p := range []uint8{0, 43, 60, 135, 139, 140} { // RFC 8200 section 4; RFC 6275, RFC 7401, RFC 5533
		t[p] = protoWords8
	}
	t[44] = protoFragments
	return r
}

// The rules as the program reads them: an array of numbers of 64 bits. It is
// asked by look-ups, which the kernel puts in line: of pointers into a table the
// verifier wants to see every way, where CAP_PERFMON is missing.
const (
	tableUDP    = 1 << 16 // TCP ports at 0
	tableProto4 = 2 << 16
	tableProto6 = tableProto4 + 256
	tableStamps = tableProto6 + 256 // when a UDP conversation was last sampled, in ms
	tableClock  = tableStamps + stamps
	tableSize   = tableClock + 1
)

// stamps bounds the packets that pass as samples in one interval.
const (
	stampBits = 13
	stamps    = 1 << stampBits
)

// image is the table as it is when the filter begins. Ports are indexed as a
// load from the packet sees them.
func (r *rules) image(o binary.ByteOrder) []uint64 {
	t := make([]uint64, tableSize)
	for i, base := range []int{onTCP: 0, onUDP: tableUDP} {
		for port, e := range r.ports[i] {
			t[base+int(raw(o, uint16(port)))] = uint64(e)
		}
	}
	for i, base := range []int{tableProto4, tableProto6} {
		for p, what := range r.protos[i] {
			t[base+p] = uint64(what)
		}
	}
	return t
}

// raw is a number in network order as a machine of order o loads it.
func raw(o binary.ByteOrder, n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return o.Uint16(b[:])
}
