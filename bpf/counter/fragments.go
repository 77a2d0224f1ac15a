package counter

import "github.com/cilium/ebpf/asm"

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
		asm.And.Imm(at, maxSlots*2-1), // for the verifier
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
