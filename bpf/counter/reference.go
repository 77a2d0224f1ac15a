package counter

import (
	"encoding/binary"
	"slices"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/wire"
)

// A Cell is where a packet is counted: a slot, and whether it goes to the
// slot's port or comes from it.
type Cell struct {
	Slot   int
	ToPort bool
}

// A Reference tells in Go, by package wire's decoder and the catalog's
// Lookup, where the program counts a packet. It remembers first fragments
// without a bound, so it belongs to one capture and to one goroutine.
type Reference struct {
	l     *Layout
	dec   *wire.Decoder
	frame wire.Frame
	first map[fragment]Cell
}

// A fragment is what the fragments of one datagram have in common.
type fragment struct {
	src, dst wire.Addr
	id       uint32
	proto    uint8 // 0 in IPv6, where only the first fragment's counts
}

// NewReference makes a Reference for a Layout.
func NewReference(l *Layout) *Reference {
	return &Reference{l: l, dec: wire.NewOuterDecoder(), first: make(map[fragment]Cell)}
}

// Cell is where an Ethernet frame is counted.
func (r *Reference) Cell(p *capture.Packet) Cell {
	f := &r.frame
	r.dec.Decode(p, f)
	if f.Fragment == wire.Whole {
		return r.whole(f)
	}
	k := fragment{f.Src, f.Dst, f.IPID, headerProto(p.Data, f)}
	if f.FragOffset != 0 {
		if c, ok := r.first[k]; ok {
			return c
		}
		return Cell{Slot: slotFragments}
	}
	if f.Stop == wire.StopFragment && needsMore(f) {
		return Cell{Slot: slotFragments}
	}
	c := r.whole(f)
	if c.Slot != slotUndecodable {
		r.first[k] = c
	}
	return c
}

// headerProto is the protocol in a fragment's IPv4 header: a frame that
// completes a datagram has the transport's.
func headerProto(b []byte, f *wire.Frame) uint8 {
	at := 14 + 4*int(f.TagCount)
	if f.IPVersion == 6 || len(b) < at+10 {
		return 0
	}
	return b[at+9]
}

// needsMore reports whether the header that tells the service goes on in the
// next fragment.
func needsMore(f *wire.Frame) bool {
	switch f.Proto {
	case wire.ProtoTCP, wire.ProtoUDP:
		return len(f.Payload) < 4
	case wire.ProtoICMP:
		return f.IPVersion == 4
	case wire.ProtoICMPv6:
		return f.IPVersion == 6
	}
	return f.IPVersion == 6 && isExtension(f.Proto) || f.Proto == protoAH
}

func isExtension(proto uint8) bool {
	return slices.Contains(extensions, proto) || proto == protoFrag
}

// whole is the cell of a packet with a transport header, or none.
func (r *Reference) whole(f *wire.Frame) Cell {
	switch f.Stop {
	case wire.StopUDPShort, wire.StopTCPShort:
		if len(f.Payload) < 4 {
			return Cell{Slot: slotUndecodable}
		}
	case wire.StopNone, wire.StopEtherType, wire.StopLLC, wire.StopIPProto, wire.StopTunnelDepth, wire.StopTunnelShort, wire.StopFragment:
	default:
		return Cell{Slot: slotUndecodable}
	}
	switch {
	case f.Proto == wire.ProtoTCP || f.Proto == wire.ProtoUDP:
		return r.ports(f)
	case f.Stop == wire.StopNone && (f.IPVersion == 4 && f.Proto == wire.ProtoICMP || f.IPVersion == 6 && f.Proto == wire.ProtoICMPv6):
		return Cell{Slot: r.l.icmpSlot(f.Proto, f.ICMP.Type)}
	case f.Stop == wire.StopLLC:
		return Cell{Slot: r.llc(f.Payload)}
	case f.IPVersion == 0:
		return Cell{Slot: r.l.etherSlot(f.EtherType)}
	}
	return Cell{Slot: slotOther}
}

func (r *Reference) ports(f *wire.Frame) Cell {
	service, _ := r.l.cat.Lookup(f.Proto, f.SrcPort, f.DstPort)
	if service == catalog.None {
		return Cell{Slot: slotOther, ToPort: true}
	}
	port := r.l.cat.Port(f.Proto, f.SrcPort, f.DstPort)
	t := r.l.cat.Table(f.Proto)
	to := t[f.SrcPort].Rank() <= t[f.DstPort].Rank()
	return Cell{Slot: r.l.portSlot(catalog.Proto(f.Proto), port, service), ToPort: to}
}

func (r *Reference) llc(b []byte) int {
	if len(b) >= 3 {
		for _, x := range r.l.llcs {
			if x.sap == b[0] {
				return int(x.slot)
			}
		}
	}
	return slotOther
}

// order is the machine's.
var order binary.ByteOrder = nativeOrder()

func nativeOrder() binary.ByteOrder {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return binary.BigEndian
	}
	return binary.LittleEndian
}
