package filter

import (
	"fmt"
	"strings"

	"golang.org/x/net/bpf"
)

// listed is the machine of a listing. r10 is the frame: 16 cells, then the
// length of the packet.
var listed = Machine{A: 6, X: 7, Start: 8, End: 9}

// EBPF is a program as an eBPF listing in the kernel's own notation. It takes
// the start of the packet in r1, its end in r2 and its length on the wire in
// r3, and returns the bytes to keep in r0, as a prefix of an XDP or tc program
// does. The error is an *Error: a program for live sockets, which asks for the
// tag beside the packet.
func EBPF(p []bpf.RawInstruction) (string, error) {
	list, err := toEBPF(p)
	if err != nil {
		return "", err
	}
	// A return is two lines.
	line, n := make([]int, len(list)), 0
	for i, in := range list {
		line[i] = n
		n += strings.Count(in.String(), "\n") + 1
	}
	var b strings.Builder
	n = 0
	for _, in := range list {
		if in.Kind == InsnJump {
			in.To = line[in.To]
		}
		for s := range strings.SplitSeq(in.String(), "\n") {
			fmt.Fprintf(&b, "%4d: %s\n", n, s)
			n++
		}
	}
	return b.String(), nil
}

// toEBPF is the translation with the entry that the listing states.
func toEBPF(p []bpf.RawInstruction) ([]Insn, error) {
	list, err := Translate(p, listed)
	if err != nil {
		return nil, err
	}
	entry := []Insn{aluReg("=", listed.Start, 1).in64(), aluReg("=", listed.End, 2).in64()}
	if UsesLength(p) {
		entry = append(entry, Insn{Kind: InsnStore, Dst: frameRegister, Src: 3, Size: 4, Off: listed.LengthOffset()})
	}
	for i := range list {
		list[i].To += len(entry)
	}
	return append(entry, list...), nil
}

// String is the instruction in the kernel's notation; a return has two lines.
func (in Insn) String() string {
	r := func(n uint8) string {
		if in.Wide {
			return fmt.Sprintf("r%d", n)
		}
		return fmt.Sprintf("w%d", n)
	}
	operand := fmt.Sprintf("0x%x", in.Imm)
	if in.Reg {
		operand = r(in.Src)
	}
	switch in.Kind {
	case InsnNegate:
		return fmt.Sprintf("%s = -%[1]s", r(in.Dst))
	case InsnSwap:
		return fmt.Sprintf("r%d = be%d r%[1]d", in.Dst, 8*in.Size)
	case InsnLoad:
		return fmt.Sprintf("w%d = *(u%d *)(r%d %+d)", in.Dst, 8*in.Size, in.Src, in.Off)
	case InsnStore:
		return fmt.Sprintf("*(u%d *)(r%d %+d) = w%d", 8*in.Size, in.Dst, in.Off, in.Src)
	case InsnJump:
		if in.Op == "" {
			return fmt.Sprintf("goto %d", in.To)
		}
		return fmt.Sprintf("if %s %s %s goto %d", r(in.Dst), in.Op, operand, in.To)
	case InsnCall:
		return fmt.Sprintf("call %d", in.Imm)
	case InsnReturn:
		return fmt.Sprintf("w0 = 0x%x\nexit", in.Imm)
	}
	return fmt.Sprintf("%s %s %s", r(in.Dst), in.Op, operand)
}
