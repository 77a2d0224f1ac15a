package counter

import "github.com/cilium/ebpf/asm"

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
