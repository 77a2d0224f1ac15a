package counter

import "github.com/cilium/ebpf/asm"

// count adds the packet to counter number at, and ends. A suffix tells one
// function's labels from another's.
func (w *writer) count(suffix string) {
	w.here("count" + suffix)
	if w.p.xdpFrags {
		w.add(asm.Mov.Reg(asm.R1, ctx), asm.FnXdpGetBuffLen.Call(), asm.Mov.Reg(proto, asm.R0))
	}
	w.add(
		asm.FnGetSmpProcessorId.Call(),
		asm.JGE.Imm32(asm.R0, int32(w.p.cpus), "done"+suffix),
		asm.Mul.Imm32(asm.R0, int32(w.p.stride)),
		asm.LSh.Imm32(at, pairBits),
		asm.Add.Reg32(asm.R0, at),
		asm.LoadMapValue(asm.R1, w.p.countFD, uint32(w.p.base)),
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
		// Whether there is a tag beside the packet, its protocol tells in fewer
		// instructions, where tcx is: since Linux 6.1.
		tag := int16(skbVLANPresent)
		if w.p.hook == TCX {
			tag = skbVLANProto
		}
		w.add(
			asm.LoadMem(asm.R2, ctx, skbLen, asm.Word),
			asm.LoadMem(asm.R3, ctx, tag, asm.Word),
			asm.JNE.Imm32(asm.R3, 0, "tagged"+suffix),
		)
		w.here("add" + suffix)
	}
	w.add(
		asm.LoadMem(asm.R3, asm.R1, 0, asm.DWord),
		asm.Add.Imm(asm.R3, 1),
		asm.StoreMem(asm.R1, 0, asm.R3, asm.DWord),
		asm.LoadMem(asm.R3, asm.R1, 8, asm.DWord),
		asm.Add.Reg(asm.R3, asm.R2),
		asm.StoreMem(asm.R1, 8, asm.R3, asm.DWord),
	)
	w.here("done" + suffix)
	switch {
	case w.p.echo:
		w.add(asm.Mov.Reg(asm.R0, at), asm.RSh.Imm(asm.R0, pairBits))
	case w.p.hook == TCX:
		w.add(asm.Mov.Imm32(asm.R0, tcxNext))
	case w.p.hook.xdp():
		w.add(asm.Mov.Imm32(asm.R0, xdpPass))
	default:
		w.add(asm.Mov.Imm32(asm.R0, drop))
	}
	w.add(asm.Return())
	if !w.p.hook.xdp() {
		// It was in the frame.
		w.here("tagged" + suffix)
		w.add(asm.Add.Imm32(asm.R2, tagLength))
		w.jump("add" + suffix)
	}
}
