//go:build linux

package counter

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// A floodStep is a program that does a part of what the counter does, in the
// least instructions, for what the parts of a packet's cost are.
type floodStep struct {
	name string
	ins  asm.Instructions
}

func floodReturn(value int32) asm.Instructions {
	return asm.Instructions{asm.Mov.Imm(asm.R0, value).WithSymbol("done"), asm.Return()}
}

func floodProgram(b testing.TB, typ ebpf.ProgramType, ins asm.Instructions) *ebpf.Program {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: typ, License: "MIT", Instructions: ins})
	privileged(b, err)
	b.Cleanup(func() { p.Close() })
	return p
}

// floodSteps are what any counter by ports has to do, without a check that it
// may: a floor.
//
// The bar, 1/20 of nftables' 131 ns, is 6.6 ns. On a guest of an AMD Zen 5 (Linux
// 6.18, busy) the counter took 10.2 (8.5 to 11.8), and its parts, by cutting an
// earlier version with 321 bytes of code (48 epochs, each +-1.3 ns):
//
//	up to the type, protocol and length     2.9
//	the slots of both ports                 5.6
//	which counter                           6.0
//	CPU, length, tag, address               8.4
//	adding to it                           10.1
//	32 moves and nothing else, 224 bytes    3.9
//	64 moves, 448 bytes                     6.8
//
// So much of it is code, which is cold for each packet. The floor, by these
// steps, was about 9 for a counter of each CPU and 7 for one of all, though with
// the machine so busy that the intervals were 10 ns to either side.
func floodSteps(m *maps) []floodStep {
	list := func(parts ...asm.Instructions) (ins asm.Instructions) {
		for _, p := range parts {
			ins = append(ins, p...)
		}
		return append(ins, floodReturn(tcxNext)...)
	}
	ports := asm.Instructions{
		asm.LoadMem(asm.R5, asm.R1, skbData, asm.Word),
		asm.LoadMem(asm.R2, asm.R1, skbDataEnd, asm.Word),
		asm.Mov.Reg(asm.R0, asm.R5),
		asm.Add.Imm(asm.R0, 38),
		asm.JGT.Reg(asm.R0, asm.R2, "done"),
		asm.LoadMem(asm.R2, asm.R5, 12, asm.Half),
		asm.JNE.Imm32(asm.R2, 8, "done"),
		asm.LoadMem(asm.R2, asm.R5, 34, asm.Half),
		asm.LoadMem(asm.R3, asm.R5, 36, asm.Half),
		asm.LoadMem(asm.R4, asm.R5, 23, asm.Byte),
	}
	slots := asm.Instructions{
		asm.And.Imm32(asm.R4, 1),
		asm.LSh.Imm32(asm.R4, 16),
		asm.LoadMapValue(asm.R1, m.table.FD(), 0),
		asm.Add.Reg(asm.R4, asm.R1),
		asm.Add.Reg(asm.R2, asm.R4),
		asm.LoadMem(asm.R2, asm.R2, 0, asm.Byte),
		asm.Add.Reg(asm.R3, asm.R4),
		asm.LoadMem(asm.R3, asm.R3, 0, asm.Byte),
		asm.Or.Reg32(asm.R2, asm.R3),
		asm.LSh.Imm32(asm.R2, pairBits),
	}
	add := asm.Instructions{
		asm.LoadMapValue(asm.R1, m.counts.FD(), 0),
		asm.Add.Reg(asm.R1, at),
		asm.LoadMem(asm.R3, asm.R1, 0, asm.DWord),
		asm.Add.Imm(asm.R3, 1),
		asm.StoreMem(asm.R1, 0, asm.R3, asm.DWord),
	}
	return []floodStep{
		{"an empty program once more: the noise", list()},
		{"reads type, protocol and ports", list(ports)},
		{"and looks both ports up", list(ports, slots)},
		{"and adds one to the counter", list(ports, slots, asm.Instructions{asm.Mov.Reg32(at, asm.R2)}, add)},
		{"and does so with a counter for each CPU", list(ports, slots, asm.Instructions{
			asm.Mov.Reg32(at, asm.R2),
			asm.FnGetSmpProcessorId.Call(),
			asm.And.Imm32(asm.R0, 1),
			asm.Mul.Imm32(asm.R0, block),
			asm.Add.Reg32(at, asm.R0),
		}, add)},
	}
}
