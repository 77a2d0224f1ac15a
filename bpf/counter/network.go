package counter

import (
	"strconv"

	"github.com/cilium/ebpf/asm"
)

// ip4 reads an IPv4 header (RFC 791 section 3.1).
func (w *writer) ip4() {
	left := w.left()
	w.here("ip4")
	w.need(20, "undecodable")
	w.load(asm.R1, 0, asm.Byte)
	w.add(
		asm.Mov.Reg(asm.R2, asm.R1),
		asm.RSh.Imm(asm.R2, 4),
		asm.JNE.Imm(asm.R2, 4, "undecodable"),
		asm.StoreMem(fp, ipVersion, asm.R2, asm.DWord),
		asm.And.Imm(asm.R1, 15),
		asm.LSh.Imm(asm.R1, 2),
		asm.JLT.Imm(asm.R1, 20, "undecodable"),
	)
	w.load(left, 2, asm.Half)
	w.add(
		asm.JEq.Imm(left, 0, "ip4_offload"),
		host(left),
		asm.JLT.Reg(left, asm.R1, "undecodable"),
		asm.Sub.Reg(left, asm.R1),
	)
	w.here("ip4_length")
	w.load(proto, 9, asm.Byte)
	w.load(asm.R2, 6, asm.Half)
	w.add(
		asm.And.Imm(asm.R2, w.raw(0x3fff)), // more fragments, offset
		asm.JNE.Imm(asm.R2, 0, "ip4_fragment"),
	)
	w.here("ip4_payload")
	w.add(asm.Add.Reg(at, asm.R1))
	w.within(at, "undecodable")
	w.jump("transport")

	// Total length 0 comes with segmentation offload.
	w.here("ip4_offload")
	w.add(asm.Mov.Imm(left, plenty))
	w.jump("ip4_length")

	w.here("ip4_fragment")
	w.add(asm.Mov.Reg(asm.R0, at), asm.Add.Reg(asm.R0, asm.R1))
	w.within(asm.R0, "undecodable")
	w.load(asm.R3, 12, asm.Word)
	w.load(asm.R5, 16, asm.Word)
	w.add(
		asm.Mov.Imm(asm.R0, 0),
		asm.StoreMem(fp, fragKey, asm.R3, asm.Word),
		asm.StoreMem(fp, fragKey+4, asm.R0, asm.Word),
		asm.StoreMem(fp, fragKey+8, asm.R0, asm.DWord),
		asm.StoreMem(fp, fragKey+16, asm.R5, asm.Word),
		asm.StoreMem(fp, fragKey+20, asm.R0, asm.Word),
		asm.StoreMem(fp, fragKey+24, asm.R0, asm.DWord),
	)
	w.load(asm.R3, 4, asm.Half)
	w.add(
		asm.Mov.Reg(asm.R5, proto),
		asm.Or.Imm(asm.R5, 4<<8),
		asm.StoreMem(fp, fragKey+32, asm.R3, asm.Word),
		asm.StoreMem(fp, fragKey+36, asm.R5, asm.Word),
		asm.And.Imm(asm.R2, w.raw(0x1fff)), // offset
		asm.JNE.Imm(asm.R2, 0, "later"),
		asm.Mov.Imm(asm.R0, firstFragment),
		asm.StoreMem(fp, fragKind, asm.R0, asm.DWord),
	)
	w.jump("ip4_payload")
}

// plain is the short way for nearly every packet: IPv4 without tag and options,
// not a fragment, with UDP or TCP ports. Anything else goes the long way.
func (w *writer) plain() {
	const ip, transport = 14, 34
	w.need(transport+4, "long")
	w.load(asm.R1, 12, asm.Half)
	w.load(asm.R2, ip+6, asm.Half)
	w.load(asm.R3, ip+2, asm.Half)
	w.load(asm.R4, ip, asm.Byte)
	w.load(proto, ip+9, asm.Byte)
	w.add(
		asm.JNE.Imm(asm.R1, w.raw(0x0800), "long"),
		asm.JNE.Imm(asm.R4, 0x45, "long"),
		asm.And.Imm(asm.R2, w.raw(0x3fff)), // more fragments, offset
		asm.JNE.Imm(asm.R2, 0, "long"),
		host(asm.R3),
		asm.JLT.Imm(asm.R3, 24, "long"),
		// UDP or TCP, told without a branch that packets could take either way.
		asm.Mov.Reg(asm.R1, proto),
		asm.Xor.Imm(asm.R1, protoUDP),
		asm.Mov.Reg(asm.R2, proto),
		asm.Xor.Imm(asm.R2, protoTCP),
		asm.Mul.Reg(asm.R1, asm.R2),
		asm.JNE.Imm(asm.R1, 0, "long"),
	)
	w.load(asm.R2, transport, asm.Half)
	w.load(asm.R3, transport+2, asm.Half)
	w.add(
		asm.And.Imm(proto, 1), // UDP is 17, TCP 6
		asm.LSh.Imm(proto, 16),
	)
	w.slot(short)
}

// ip6 reads an IPv6 header (RFC 8200 section 3).
func (w *writer) ip6() {
	left := w.left()
	w.here("ip6")
	w.need(40, "undecodable")
	w.load(asm.R1, 0, asm.Byte)
	w.add(
		asm.RSh.Imm(asm.R1, 4),
		asm.JNE.Imm(asm.R1, 6, "undecodable"),
		asm.StoreMem(fp, ipVersion, asm.R1, asm.DWord),
	)
	w.load(left, 4, asm.Half)
	w.load(proto, 6, asm.Byte)
	w.add(
		host(left),
		asm.JNE.Imm(left, 0, "ip6_length"),
		asm.Mov.Imm(left, plenty), // jumbogram (RFC 2675) or segmentation offload
	)
	w.here("ip6_length")
	w.add(
		asm.JEq.Imm(proto, protoUDP, "ip6_payload"),
		asm.JEq.Imm(proto, protoTCP, "ip6_payload"),
	)
	// A fragment header may come: keep the addresses.
	for i := int16(0); i < 32; i += 4 {
		w.load(asm.R1, 8+i, asm.Word)
		w.add(asm.StoreMem(fp, fragKey+i, asm.R1, asm.Word))
	}
	w.here("ip6_payload")
	w.add(asm.Add.Imm(at, 40))
}

// IP protocol numbers (IANA protocol-numbers).
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoFrag   = 44
	protoAH     = 51
	protoICMPv6 = 58
)

// extensions are the IPv6 extension headers besides the fragment header
// (RFC 8200 section 4; RFC 6275, RFC 7401, RFC 5533).
var extensions = []uint8{0, 43, protoAH, 60, 135, 139, 140}

// extensionShifts says of a protocol by how much to shift the length of its
// extension header, 0 when it is none. It is a table and no chain of
// comparisons: after one the verifier would know the protocol, and walk each
// way through the loop on its own.
func extensionShifts() (t [256]uint8) {
	for _, x := range extensions {
		t[x] = 3
	}
	t[protoAH] = 2
	t[protoFrag] = 32 // out of the mask: it has no length, the byte is reserved
	return t
}

// transport tells what proto, at at, is.
func (w *writer) transport() {
	w.here("transport")
	w.add(
		asm.JEq.Imm(proto, protoUDP, "udp"),
		asm.JEq.Imm(proto, protoTCP, "tcp"),
	)
}

// ports goes to the ports of UDP or TCP; proto becomes the offset of the table.
func (w *writer) ports() {
	w.here("tcp")
	w.add(asm.Mov.Imm(proto, 0))
	w.jump("ports")
	w.here("udp")
	w.add(asm.Mov.Imm(proto, tableUDP))
	w.here("ports")
	w.add(asm.JLT.Imm(w.left(), 4, "short"))
	w.need(4, "short")
	w.load(asm.R2, 0, asm.Half)
	w.load(asm.R3, 2, asm.Half)
	w.slot(long)
	w.here("chosen")
	w.add(
		asm.LoadMem(asm.R0, fp, fragKind, asm.DWord),
		asm.JEq.Imm(asm.R0, firstFragment, "remember"),
	)
	w.jump("count")
}

// A way is one of the two on which a packet comes to its ports. Each has its
// own choice of the slot, with the rare cases of it elsewhere.
type way struct{ suffix, next string }

var (
	short = way{"_short", "count"}
	long  = way{"_long", "chosen"}
)

// slot tells which slot the source port R2 and the destination port R3 have; a
// port of no service has slot 0.
func (w *writer) slot(on way) {
	w.add(
		asm.LoadMapValue(asm.R1, w.p.tableFD, 0),
		asm.Add.Reg(asm.R1, proto),
		asm.Mov.Reg(asm.R4, asm.R1),
		asm.Add.Reg(asm.R4, asm.R3),
		asm.LoadMem(asm.R4, asm.R4, 0, asm.Byte),
		asm.Add.Reg(asm.R1, asm.R2),
		asm.LoadMem(asm.R5, asm.R1, 0, asm.Byte),
		asm.Mov.Reg(asm.R0, asm.R4),
		asm.Mul.Reg(asm.R0, asm.R5),
		asm.JNE.Imm(asm.R0, 0, "both"+on.suffix),
		// No branch decides which port it is: traffic has both at random, and a
		// branch that is foreseen wrongly costs as much as all of this.
		asm.Or.Reg(asm.R4, asm.R5),
		asm.Neg.Imm(asm.R5, 0),
		asm.RSh.Imm(asm.R5, 63), // 1: from the source port
		asm.Xor.Imm(asm.R5, 1),
		asm.Mov.Reg(at, asm.R4),
		asm.LSh.Imm(at, 1),
		asm.Or.Reg(at, asm.R5),
	)
	w.here("picked" + on.suffix)
	for _, from := range w.splitSlots() {
		w.add(asm.JEq.Imm(asm.R4, int32(from), splitLabel(from, on)))
	}
}

func splitLabel(from uint8, on way) string { return "split_" + strconv.Itoa(int(from)) + on.suffix }

// rare decides between two ports of services, and moves a packet on a port that
// is split by the other side's port.
func (w *writer) rare(on way) {
	w.here("both" + on.suffix)
	from := "from" + on.suffix
	w.add(
		asm.LoadMapValue(asm.R1, w.p.tableFD, tableRank),
		asm.Mov.Reg(asm.R0, asm.R1),
		asm.Add.Reg(asm.R0, asm.R4),
		asm.LoadMem(asm.R0, asm.R0, 0, asm.Byte),
		asm.Add.Reg(asm.R1, asm.R5),
		asm.LoadMem(asm.R1, asm.R1, 0, asm.Byte),
		asm.JGT.Reg(asm.R1, asm.R0, from),
		asm.Mov.Reg(at, asm.R4),
		asm.LSh.Imm(at, 1),
		asm.Or.Imm(at, 1),
	)
	w.jump("picked" + on.suffix)
	w.here(from)
	w.add(
		asm.Mov.Reg(asm.R4, asm.R5),
		asm.Mov.Reg(at, asm.R4),
		asm.LSh.Imm(at, 1),
	)
	w.jump("picked" + on.suffix)

	for _, from := range w.splitSlots() {
		w.here(splitLabel(from, on))
		other := w.next()
		w.add(
			asm.JSet.Imm(at, 1, other),
			asm.Mov.Reg(asm.R2, asm.R3),
		)
		w.here(other)
		w.add(host(asm.R2))
		for _, s := range w.l.splits {
			if s.from != from {
				continue
			}
			label := w.next()
			w.add(
				asm.JLT.Imm(asm.R2, int32(s.clients.First), label),
				asm.JGT.Imm(asm.R2, int32(s.clients.Last), label),
				asm.And.Imm(at, 1),
				asm.Or.Imm(at, int32(s.to)<<1),
			)
			w.jump(on.next)
			w.here(label)
		}
		w.jump(on.next)
	}
}

// splitSlots are the slots of ports that are split, each once.
func (w *writer) splitSlots() (slots []uint8) {
	for _, s := range w.l.splits {
		if len(slots) == 0 || slots[len(slots)-1] != s.from {
			slots = append(slots, s.from)
		}
	}
	return slots
}

// noPorts tells ICMP, extension headers and the rest.
func (w *writer) noPorts() {
	w.add(
		asm.LoadMem(asm.R0, fp, ipVersion, asm.DWord),
		asm.JEq.Imm(asm.R0, 4, "no_ports4"),
		asm.JEq.Imm(proto, protoICMPv6, "icmp"),
		asm.LoadMapValue(asm.R1, w.p.tableFD, tableExtension),
		asm.Add.Reg(asm.R1, proto),
		asm.LoadMem(asm.R1, asm.R1, 0, asm.Byte),
		asm.JEq.Imm(asm.R1, 0, "other"),
	)
	w.extension()

	w.here("no_ports4")
	w.add(
		asm.JEq.Imm(proto, protoICMP, "icmp"),
		asm.JEq.Imm(proto, protoAH, "extension"),
	)
	w.here("other")
	w.choose(slotOther, "chosen")

	w.here("icmp")
	w.add(asm.JLT.Imm(w.left(), 8, "short"))
	w.need(8, "short")
	w.load(asm.R1, 0, asm.Byte)
	for _, r := range w.l.icmps {
		label := w.next()
		w.add(
			asm.JNE.Imm(proto, int32(r.proto), label),
			asm.JLT.Imm(asm.R1, int32(r.first), label),
			asm.JGT.Imm(asm.R1, int32(r.last), label),
		)
		w.choose(int(r.slot), "chosen")
		w.here(label)
	}
	w.jump("other")

	// A first fragment's header goes on in the next fragment.
	w.here("short")
	w.add(
		asm.LoadMem(asm.R0, fp, fragKind, asm.DWord),
		asm.JEq.Imm(asm.R0, firstFragment, "lone_fragment"),
	)
	w.here("undecodable")
	w.choose(slotUndecodable, "count")
	w.here("lone_fragment")
	w.choose(slotFragments, "count")
}

// extension skips an extension header (RFC 8200 section 4) or an
// authentication header (RFC 4302), whose length is in words.
func (w *writer) extension() {
	left := w.left()
	w.here("extension")
	w.add(asm.JLT.Imm(left, 8, "short"))
	w.need(8, "short")
	w.round(maxRounds)
	w.load(asm.R1, 1, asm.Byte)
	w.add(
		asm.LoadMapValue(asm.R2, w.p.tableFD, tableExtension),
		asm.Add.Reg(asm.R2, proto),
		asm.LoadMem(asm.R2, asm.R2, 0, asm.Byte),
		asm.LSh.Reg(asm.R1, asm.R2),
		asm.And.Imm(asm.R1, 255<<3|255<<2),
		asm.Add.Imm(asm.R1, 8),
		asm.JLT.Reg(left, asm.R1, "short"),
		asm.Sub.Reg(left, asm.R1),
		asm.JEq.Imm(proto, protoFrag, "fragment_header"),
	)
	w.here("skip")
	w.load(proto, 0, asm.Byte)
	w.add(asm.Add.Reg(at, asm.R1))
	w.within(at, "short")
	w.jump("transport")

	// One fragment header in a packet (RFC 8200 section 4.1). One that says
	// there is one fragment changes nothing (RFC 6946).
	w.here("fragment_header")
	w.load(asm.R2, 2, asm.Half)
	w.load(asm.R3, 4, asm.Word)
	w.add(
		asm.LoadMem(asm.R0, fp, fragKind, asm.DWord),
		asm.JNE.Imm(asm.R0, notFragment, "undecodable"),
		asm.And.Imm(asm.R2, w.raw(0xfff9)), // offset, more fragments
		asm.Mov.Imm(asm.R0, atomicFragment),
		asm.JEq.Imm(asm.R2, 0, "one_fragment"),
		asm.Mov.Imm(asm.R0, 6<<8),
		asm.StoreMem(fp, fragKey+32, asm.R3, asm.Word),
		asm.StoreMem(fp, fragKey+36, asm.R0, asm.Word),
		asm.And.Imm(asm.R2, w.raw(0xfff8)), // offset
		asm.JNE.Imm(asm.R2, 0, "later"),
		asm.Mov.Imm(asm.R0, firstFragment),
	)
	w.here("one_fragment")
	w.add(asm.StoreMem(fp, fragKind, asm.R0, asm.DWord))
	w.jump("skip")
}

// llc reads an IEEE 802.2 header; R1 is the length that stands for a type.
func (w *writer) llc() {
	w.here("llc")
	w.add(
		asm.JLT.Imm(asm.R1, 3, "other"),
		asm.Mov.Reg(proto, asm.R1),
	)
	w.need(3, "other")
	w.load(asm.R1, 0, asm.Byte)
	w.load(asm.R2, 1, asm.Byte)
	w.load(asm.R3, 2, asm.Byte)
	w.add(
		asm.JNE.Imm(asm.R3, 3, "llc_service"), // unnumbered information
		asm.JNE.Reg(asm.R1, asm.R2, "llc_service"),
		asm.JEq.Imm(asm.R1, 0xaa, "snap"),
		asm.JNE.Imm(asm.R1, 6, "llc_service"),
		asm.Add.Imm(at, 3),
	)
	w.jump("ip4")

	w.here("llc_service")
	for _, r := range w.l.llcs {
		label := w.next()
		w.add(asm.JNE.Imm(asm.R1, int32(r.sap), label))
		w.choose(int(r.slot), "count")
		w.here(label)
	}
	w.jump("other")

	// RFC 1042, and 00-00-f8 of IEEE 802.1H.
	w.here("snap")
	w.add(asm.JLT.Imm(proto, 8, "other"))
	w.need(8, "other")
	w.load(asm.R2, 3, asm.Byte)
	w.load(asm.R3, 4, asm.Byte)
	w.load(asm.R0, 5, asm.Byte)
	w.add(
		asm.Or.Reg(asm.R2, asm.R3),
		asm.JNE.Imm(asm.R2, 0, "other"),
		asm.JEq.Imm(asm.R0, 0, "snap_type"),
		asm.JNE.Imm(asm.R0, 0xf8, "other"),
	)
	w.here("snap_type")
	w.round(maxTags)
	w.load(asm.R1, 6, asm.Half)
	w.add(
		asm.Mov.Reg(asm.R2, asm.R1),
		host(asm.R2),
		asm.JLT.Imm(asm.R2, minEther, "other"),
	)
	w.skip(tableSNAP, snapLength)
	w.jump("ether")
}

// fragments asks and tells which service a datagram's first fragment had.
func (w *writer) fragments() {
	w.here("later")
	w.add(
		asm.LoadMapPtr(asm.R1, w.p.fragsFD),
		asm.Mov.Reg(asm.R2, fp),
		asm.Add.Imm(asm.R2, fragKey),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "lone_fragment"),
		asm.LoadMem(at, asm.R0, 0, asm.Word),
		asm.And.Imm(at, maxSlots*2-1),
	)
	w.jump("count")

	w.here("remember")
	w.add(
		asm.StoreMem(fp, fragValue, at, asm.Word),
		asm.LoadMapPtr(asm.R1, w.p.fragsFD),
		asm.Mov.Reg(asm.R2, fp),
		asm.Add.Imm(asm.R2, fragKey),
		asm.Mov.Reg(asm.R3, fp),
		asm.Add.Imm(asm.R3, fragValue),
		asm.Mov.Imm(asm.R4, 0), // BPF_ANY
		asm.FnMapUpdateElem.Call(),
	)
	w.jump("count")
}

// count adds the packet to counter number at.
func (w *writer) count() {
	w.here("count")
	if w.p.xdpFrags {
		w.add(asm.Mov.Reg(asm.R1, ctx), asm.FnXdpGetBuffLen.Call(), asm.Mov.Reg(proto, asm.R0))
	}
	w.add(
		asm.FnGetSmpProcessorId.Call(),
		asm.JGE.Imm(asm.R0, int32(w.p.cpus), "done"),
		asm.Mul.Imm(asm.R0, int32(w.p.stride)),
		asm.LoadMapValue(asm.R1, w.p.countFD, uint32(w.p.base)),
		asm.Add.Reg(asm.R1, asm.R0),
		asm.Mov.Reg(asm.R0, at),
		asm.LSh.Imm(asm.R0, pairBits),
		asm.Add.Reg(asm.R1, asm.R0),
	)
	switch {
	case w.p.xdpFrags:
		w.add(asm.Mov.Reg(asm.R2, proto))
	case w.p.hook.xdp():
		w.add(
			asm.LoadMem(asm.R2, ctx, xdpDataEnd, asm.Word),
			asm.LoadMem(asm.R3, ctx, xdpData, asm.Word),
			asm.Sub.Reg(asm.R2, asm.R3),
		)
	default:
		if w.p.hook == Socket {
			w.add(
				asm.LoadMem(asm.R3, ctx, skbPktType, asm.Word),
				asm.JNE.Imm(asm.R3, packetOutgoing, "received"),
				asm.Add.Imm(asm.R1, int32(w.p.egress)),
			)
			w.here("received")
		}
		// A tag beside the packet was in the frame.
		w.add(
			asm.LoadMem(asm.R2, ctx, skbLen, asm.Word),
			asm.LoadMem(asm.R3, ctx, skbVLANPresent, asm.Word),
			asm.JEq.Imm(asm.R3, 0, "add"),
			asm.Add.Imm(asm.R2, 4),
		)
		w.here("add")
	}
	w.add(
		asm.LoadMem(asm.R3, asm.R1, 0, asm.DWord),
		asm.Add.Imm(asm.R3, 1),
		asm.StoreMem(asm.R1, 0, asm.R3, asm.DWord),
		asm.LoadMem(asm.R3, asm.R1, 8, asm.DWord),
		asm.Add.Reg(asm.R3, asm.R2),
		asm.StoreMem(asm.R1, 8, asm.R3, asm.DWord),
	)
	w.here("done")
	switch {
	case w.p.echo:
		w.add(asm.Mov.Reg(asm.R0, at))
	case w.p.hook == TCX:
		w.add(asm.Mov.Imm(asm.R0, tcxNext))
	case w.p.hook.xdp():
		w.add(asm.Mov.Imm(asm.R0, xdpPass))
	default:
		w.add(asm.Mov.Imm(asm.R0, drop))
	}
	w.add(asm.Return())
}
