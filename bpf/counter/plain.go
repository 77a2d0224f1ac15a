package counter

import "github.com/cilium/ebpf/asm"

// plain is the short way for nearly every packet: IPv4 without tag and options,
// not a fragment, UDP or TCP, and one of its ports of a service at most.
// Anything else goes the long way.
//
// In a flood the program's code is cold, however often it runs: between two
// packets the kernel runs through more than the instruction cache holds. What
// counts is how many bytes of code there are, and how many jumps are taken; the
// data cost next to nothing (BenchmarkFlood shows parts). So the long way is a
// function of its own, for which this one saves no registers and has no stack;
// instructions are of 32 bits where those are shorter; words hold several
// fields; conditions are added up in R1, and jump at the end, where the way to
// "long" is near enough for a short jump. No jump depends on what differs
// between the packets of ordinary traffic.
func (w *writer) plain() {
	const ip, transport = 14, 34
	w.add(
		asm.LoadMem(at, ctx, w.dataField(), asm.Word),
		asm.LoadMem(asm.R1, ctx, w.dataEndField(), asm.Word),
		asm.Mov.Reg(asm.R0, at),
		asm.Add.Imm(asm.R0, transport+4),
		asm.JGT.Reg(asm.R0, asm.R1, "long"),
	)
	w.load(asm.R1, 12, asm.Word)
	w.load(asm.R2, ip+6, asm.Word)
	w.load(asm.R3, ip+9, asm.Byte)
	w.add(
		// Ethernet type, version and header length.
		asm.And.Imm32(asm.R1, w.raw4(0xff, 0xff, 0xff, 0)),
		asm.Xor.Imm32(asm.R1, w.raw4(0x08, 0x00, 0x45, 0)),
		// More fragments, offset.
		asm.And.Imm32(asm.R2, w.raw4(0x3f, 0xff, 0, 0)),
		asm.Or.Reg32(asm.R1, asm.R2),
		// Neither UDP nor TCP.
		asm.Mov.Reg32(asm.R2, asm.R3),
		asm.Xor.Imm32(asm.R2, protoUDP),
		asm.Mov.Reg32(asm.R4, asm.R3),
		asm.Xor.Imm32(asm.R4, protoTCP),
		asm.Mul.Reg32(asm.R2, asm.R4),
		asm.Or.Reg32(asm.R1, asm.R2),
		// The slots of the ports: R4 of the source, R0 of the destination.
		asm.And.Imm32(asm.R3, 1), // UDP is 17, TCP 6
		asm.LSh.Imm32(asm.R3, 16),
		asm.LoadMapValue(asm.R2, w.p.tableFD, 0),
		asm.Add.Reg(asm.R3, asm.R2),
	)
	w.load(asm.R4, transport, asm.Half)
	w.load(asm.R0, transport+2, asm.Half)
	w.load(asm.R2, ip+2, asm.Word) // the total length, and the identification
	w.add(
		asm.Add.Reg(asm.R4, asm.R3),
		asm.LoadMem(asm.R4, asm.R4, 0, asm.Byte),
		asm.Add.Reg(asm.R0, asm.R3),
		asm.LoadMem(asm.R0, asm.R0, 0, asm.Byte),
		// Both.
		asm.Mov.Reg32(asm.R3, asm.R4),
		asm.Mul.Reg32(asm.R3, asm.R0),
		asm.Or.Reg32(asm.R1, asm.R3),
		// Either, and toPort when R0 is not 0: then -R0 has all bits set above its 8.
		asm.Or.Reg32(asm.R4, asm.R0),
		asm.Neg.Imm32(asm.R0, 0),
		asm.And.Imm32(asm.R0, toPort),
		asm.Mov.Reg32(at, asm.R4),
		asm.Or.Reg32(at, asm.R0),
		asm.JNE.Imm32(asm.R1, 0, "long"),
		asm.HostTo(asm.BE, asm.R2, asm.Word),
		asm.JLT.Imm32(asm.R2, 24<<16, "long"),
	)
	for _, from := range w.splitSlots() {
		w.add(asm.JEq.Imm32(asm.R4, int32(from), "long"))
	}
}
