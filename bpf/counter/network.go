package counter

import "github.com/cilium/ebpf/asm"

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

// IP protocol numbers (IANA protocol-numbers).
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoFrag   = 44
	protoAH     = 51
	protoICMPv6 = 58
)

// transport tells what proto, at at, is.
func (w *writer) transport() {
	w.here("transport")
	w.add(
		asm.JEq.Imm(proto, protoUDP, "udp"),
		asm.JEq.Imm(proto, protoTCP, "tcp"),
	)
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
