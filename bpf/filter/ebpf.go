package filter

import (
	"fmt"
	"strings"

	"golang.org/x/net/bpf"
)

// An ebpfInsn is one eBPF instruction of a listing.
type ebpfInsn struct {
	kind ebpfKind
	op   string // of alu: the operator; of jump: the comparison, empty for always
	dst  int    // register
	src  int    // register, when imm is not used
	reg  bool   // src instead of imm
	wide bool   // 64 bits
	size int    // of load and store, and of swap
	off  int    // of load and store
	imm  uint32
	to   int // of jump: an instruction
}

type ebpfKind uint8

const (
	ebpfALU ebpfKind = iota
	ebpfNegate
	ebpfSwap // from network order
	ebpfLoad
	ebpfStore
	ebpfJump
	ebpfExit
)

// The registers. r10 is the frame: 16 cells, then the length of the packet.
const (
	rResult = 0
	rStart  = 1 // on entry, and the end and the wire length
	rA      = 6
	rX      = 7
	rData   = 8
	rEnd    = 9
	rFrame  = 10

	ebpfLength = -4 * (cells + 1)
)

// EBPF is a program as an eBPF listing in the kernel's own notation. It takes
// the start of the packet in r1, its end in r2 and its length on the wire in
// r3, and returns the bytes to keep in r0, as a prefix of an XDP or tc program
// does.
func EBPF(p []bpf.RawInstruction) (string, error) {
	list, err := toEBPF(p)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i, in := range list {
		fmt.Fprintf(&b, "%4d: %s\n", i, in)
	}
	return b.String(), nil
}

// A translator collects eBPF instructions; jumps go to classic instructions
// until they are resolved.
type translator struct{ out []ebpfInsn }

// reject is where packets that end too early go.
const reject = -1

func (t *translator) add(in ...ebpfInsn) { t.out = append(t.out, in...) }

func alu(op string, dst int, imm uint32) ebpfInsn { return ebpfInsn{op: op, dst: dst, imm: imm} }
func aluReg(op string, dst, src int) ebpfInsn {
	return ebpfInsn{op: op, dst: dst, src: src, reg: true}
}

func (in ebpfInsn) in64() ebpfInsn { in.wide = true; return in }

func jumpIf(op string, dst int, imm uint32, to int) ebpfInsn {
	return ebpfInsn{kind: ebpfJump, op: op, dst: dst, imm: imm, to: to}
}

func toEBPF(p []bpf.RawInstruction) ([]ebpfInsn, error) {
	t := &translator{}
	t.add(aluReg("=", rData, rStart).in64(), aluReg("=", rEnd, rStart+1).in64(),
		ebpfInsn{kind: ebpfStore, dst: rFrame, src: rStart + 2, size: 4, off: ebpfLength}, alu("=", rA, 0), alu("=", rX, 0))
	start := make([]int, len(p))
	for i, in := range p {
		start[i] = len(t.out)
		if in.Op == opAbsolute|sizeBits(1) && in.K >= metadataBase {
			return nil, &Error{Msg: "an eBPF program has no access to the VLAN tag beside the packet by this way", Hint: "compile with --for file: XDP sees the tag in the packet"}
		}
		t.instruction(i, in)
	}
	end := len(t.out)
	t.add(alu("=", rResult, 0), ebpfInsn{kind: ebpfExit})
	for i := range t.out {
		switch in := &t.out[i]; {
		case in.kind != ebpfJump:
		case in.to == reject:
			in.to = end
		case in.to < reject: // relative, in eBPF instructions
			in.to = i + 1 - in.to + reject - 1
		default:
			in.to = start[in.to]
		}
	}
	return t.out, nil
}

// skip is a jump over n eBPF instructions.
func skip(n int) int { return reject - 1 - n }

func (t *translator) instruction(at int, in bpf.RawInstruction) {
	size := map[uint16]int{0x00: 4, 0x08: 2, 0x10: 1}[in.Op&0x18]
	switch in.Op & 7 {
	case 0:
		switch in.Op & 0xe0 {
		case opLoadAImm:
			t.add(alu("=", rA, in.K))
		case opAbsolute:
			t.bytes(rA, false, in.K, size)
		case opIndirect:
			t.bytes(rA, true, in.K, size)
		case 0x60:
			t.add(ebpfInsn{kind: ebpfLoad, dst: rA, src: rFrame, size: 4, off: -4 * (int(in.K) + 1)})
		case opLength:
			t.add(ebpfInsn{kind: ebpfLoad, dst: rA, src: rFrame, size: 4, off: ebpfLength})
		}
	case 1:
		switch in.Op & 0xe0 {
		case 0x00:
			t.add(alu("=", rX, in.K))
		case 0x60:
			t.add(ebpfInsn{kind: ebpfLoad, dst: rX, src: rFrame, size: 4, off: -4 * (int(in.K) + 1)})
		case 0xa0:
			t.bytes(rX, false, in.K, 1)
			t.add(alu("&=", rX, 15), alu("<<=", rX, 2))
		}
	case 2:
		t.add(ebpfInsn{kind: ebpfStore, dst: rFrame, src: rA, size: 4, off: -4 * (int(in.K) + 1)})
	case 4:
		t.arithmetic(in)
	case 5:
		if in.Op == opAlways {
			t.add(ebpfInsn{kind: ebpfJump, to: at + 1 + int(in.K)})
			return
		}
		j := jumpIf(map[uint16]string{0x10: "==", 0x20: ">", 0x30: ">=", 0x40: "&"}[in.Op&0xf0], rA, in.K, at+1+int(in.Jt))
		j.reg, j.src = in.Op&opX != 0, rX
		t.add(j)
		if in.Jf != 0 {
			t.add(ebpfInsn{kind: ebpfJump, to: at + 1 + int(in.Jf)})
		}
	case 6:
		t.add(alu("=", rResult, in.K), ebpfInsn{kind: ebpfExit})
	case 7:
		if in.Op == opXToA {
			t.add(aluReg("=", rA, rX))
		} else {
			t.add(aluReg("=", rX, rA))
		}
	}
}

// bytes loads from the packet, behind the check that the verifier wants: the
// end of what is read, compared with the packet's.
func (t *translator) bytes(dst int, indirect bool, off uint32, size int) {
	if indirect {
		t.add(jumpIf(">", rX, 0xffff, reject), aluReg("=", rResult, rX).in64(), aluReg("+=", rResult, rData).in64())
	} else {
		t.add(aluReg("=", rResult, rData).in64())
	}
	check := jumpIf(">", rResult, 0, reject)
	check.reg, check.src, check.wide = true, rEnd, true
	t.add(alu("+=", rResult, off+uint32(size)).in64(), check, ebpfInsn{kind: ebpfLoad, dst: dst, src: rResult, size: size, off: -size})
	if size > 1 {
		t.add(ebpfInsn{kind: ebpfSwap, dst: dst, size: size})
	}
}

func (t *translator) arithmetic(in bpf.RawInstruction) {
	if in.Op == opNegate {
		t.add(ebpfInsn{kind: ebpfNegate, dst: rA})
		return
	}
	var op word
	for w, bits := range aluOps {
		if bits == in.Op&0xf0 {
			op = w
		}
	}
	i := alu(string(op)+"=", rA, in.K)
	i.reg, i.src = in.Op&opX != 0, rX
	switch {
	case i.reg && (op == "/" || op == "%"):
		t.add(jumpIf("==", rX, 0, reject), i)
	case i.reg && (op == "<<" || op == ">>"): // eBPF takes the count modulo 32
		t.add(jumpIf("<=", rX, 31, skip(2)), alu("=", rA, 0), ebpfInsn{kind: ebpfJump, to: skip(1)}, i)
	default:
		t.add(i)
	}
}

func (in ebpfInsn) String() string {
	r := func(n int) string {
		if in.wide {
			return fmt.Sprintf("r%d", n)
		}
		return fmt.Sprintf("w%d", n)
	}
	operand := fmt.Sprintf("0x%x", in.imm)
	if in.reg {
		operand = r(in.src)
	}
	switch in.kind {
	case ebpfNegate:
		return fmt.Sprintf("%s = -%[1]s", r(in.dst))
	case ebpfSwap:
		return fmt.Sprintf("r%d = be%d r%[1]d", in.dst, 8*in.size)
	case ebpfLoad:
		return fmt.Sprintf("w%d = *(u%d *)(r%d %+d)", in.dst, 8*in.size, in.src, in.off)
	case ebpfStore:
		return fmt.Sprintf("*(u%d *)(r%d %+d) = w%d", 8*in.size, in.dst, in.off, in.src)
	case ebpfJump:
		if in.op == "" {
			return fmt.Sprintf("goto %d", in.to)
		}
		return fmt.Sprintf("if %s %s %s goto %d", r(in.dst), in.op, operand, in.to)
	case ebpfExit:
		return "exit"
	}
	return fmt.Sprintf("%s %s %s", r(in.dst), in.op, operand)
}
