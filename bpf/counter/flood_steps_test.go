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

func floodSteps(m *maps) []floodStep {
	ports := asm.Instructions{
		asm.LoadMem(at, asm.R1, skbData, asm.Word),
		asm.LoadMem(end, asm.R1, skbDataEnd, asm.Word),
		asm.Mov.Reg(asm.R0, at),
		asm.Add.Imm(asm.R0, 38),
		asm.JGT.Reg(asm.R0, end, "done"),
		asm.LoadMem(asm.R1, at, 12, asm.Half),
		asm.JNE.Imm(asm.R1, 8, "done"),
		asm.LoadMem(asm.R2, at, 34, asm.Half),
		asm.LoadMem(asm.R3, at, 36, asm.Half),
		asm.LoadMem(proto, at, 23, asm.Byte),
	}
	add := asm.Instructions{
		asm.LoadMapValue(asm.R1, m.counts.FD(), 0),
		asm.LoadMem(asm.R3, asm.R1, 0, asm.DWord),
		asm.Add.Imm(asm.R3, 1),
		asm.StoreMem(asm.R1, 0, asm.R3, asm.DWord),
	}
	list := func(parts ...asm.Instructions) (ins asm.Instructions) {
		for _, p := range parts {
			ins = append(ins, p...)
		}
		return append(ins, floodReturn(tcxNext)...)
	}
	return []floodStep{
		{"an empty program once more: the noise", list()},
		{"reads type, protocol and ports", list(ports)},
		{"adds to one line", list(add)},
		{"both", list(ports, add)},
	}
}
