package filter

import (
	"golang.org/x/net/bpf"
)

// An Insn is one eBPF instruction (RFC 9669) in parts. Which of them count
// depends on Kind.
type Insn struct {
	Kind InsnKind
	Op   string // of InsnALU: the operator with its "="; of InsnJump: the comparison, empty for always
	Dst  uint8  // register
	Src  uint8  // register; of InsnALU and InsnJump when Reg is set, else Imm counts
	Reg  bool
	Wide bool // 64 bits; else 32, with the upper half cleared
	Size int  // bytes of InsnLoad and InsnStore, and of InsnSwap
	Off  int  // of InsnLoad and InsnStore, from the address in Src or Dst
	Imm  uint32
	To   int // of InsnJump: the number of an instruction
}

// An InsnKind is a kind of eBPF instruction.
type InsnKind uint8

// The kinds. InsnReturn ends the program with Imm bytes to keep; in a program
// of its own it is two instructions.
const (
	InsnALU InsnKind = iota
	InsnNegate
	InsnSwap // from network order
	InsnLoad
	InsnStore
	InsnJump
	InsnCall // of helper Imm
	InsnReturn
)

// A Machine says where a translated program finds things. r0 is its scratch
// register, r10 the frame.
type Machine struct {
	A, X uint8
	// Start and End hold packet pointers: the packet's first byte and what
	// follows its last one. They count when Helper is 0.
	Start, End uint8
	// Helper is bpf_skb_load_bytes or a helper with its arguments, which then
	// copies what is read; it destroys r1 to r5.
	Helper uint32
	// Context holds the program's context when Helper or SKB is set.
	Context uint8
	// SKB says that the context is a struct __sk_buff, which has the tag that
	// is beside the packet.
	SKB bool
	// Window is how many of the packet's first bytes the caller has copied to
	// WindowOffset from r10: they are read there, without a call. Its place is 2
	// beyond a multiple of 4, so that what follows an Ethernet header is aligned.
	Window int
	// Frame is an offset from r10: the 72 bytes below it, and below them the
	// window, are the program's.
	Frame int
}

// MaxWindow bounds Window's result.
const MaxWindow = 96

// LengthOffset is where, from r10, a program that UsesLength finds the length
// of the packet: four bytes that its caller has stored.
func (m Machine) LengthOffset() int { return m.Frame - 4*(cells+1) }

// WindowOffset is where, from r10, the window begins.
func (m Machine) WindowOffset() int { return m.copied() - (m.Window+9)&^7 + 2 }

func (m Machine) cell(k uint32) int { return m.Frame - 4*(int(k)+1) }
func (m Machine) copied() int       { return m.Frame - 4*(cells+2) }

const (
	scratch       = 0
	frameRegister = 10

	// farthest is how far from its start the verifier knows packets
	// (MAX_PACKET_OFF); what is beyond is beyond any linear buffer.
	farthest = 0xffff
	// longestHeader of IPv4.
	longestHeader = 60

	skbVLANPresent = 20 // struct __sk_buff of linux/bpf.h
	skbVLANTCI     = 24
)

// UsesLength reports whether a program asks for the packet's length.
func UsesLength(p []bpf.RawInstruction) bool {
	for _, in := range p {
		if in.Op&^1 == opLength { // into A or X
			return true
		}
	}
	return false
}

// Reach is the number of bytes from the packet's start that a program may
// read; false where it depends on the packet.
func Reach(p []bpf.RawInstruction) (int, bool) {
	x, most := 0, 0
	for _, in := range p {
		switch {
		case in.Op == opLoadXImm:
			x = max(x, int(min(in.K, 1<<20)))
		case in.Op == opLoadXHeader:
			x, most = max(x, longestHeader), max(most, int(min(in.K, 1<<20))+1)
		case in.Op&7 == 1, in.Op == opAToX:
			return 0, false
		}
	}
	for _, in := range p {
		if in.Op&7 != 0 || isMetadata(in) {
			continue
		}
		end := int(min(in.K, 1<<20)) + loadSize(in)
		switch in.Op & 0xe0 {
		case opAbsolute:
			most = max(most, end)
		case opIndirect:
			most = max(most, x+end)
		}
	}
	return most, true
}

// usualHeaders are the lengths of IP headers that have a short way into a
// window: IPv4 without options, IPv6.
var usualHeaders = [...]uint32{20, 40}

// Window is how many of a packet's first bytes a program usually reads, at
// most MaxWindow.
func Window(p []bpf.RawInstruction) int {
	most := 0
	for _, in := range p {
		end := 0
		switch {
		case in.Op == opLoadXHeader:
			end = int(min(in.K, MaxWindow)) + 1
		case isMetadata(in):
		case in.Op&0xe7 == opAbsolute:
			end = int(min(in.K, MaxWindow)) + loadSize(in)
		case in.Op&0xe7 == opIndirect:
			end = int(usualHeaders[1]) + int(min(in.K, MaxWindow)) + loadSize(in)
		}
		if end <= MaxWindow {
			most = max(most, end)
		}
	}
	return most
}

func isMetadata(in bpf.RawInstruction) bool {
	return in.Op&0xe7 == opAbsolute && in.K >= metadataBase
}

func loadSize(in bpf.RawInstruction) int {
	return map[uint16]int{0x00: 4, 0x08: 2, 0x10: 1}[in.Op&0x18]
}

// Translate turns a program of Compile into eBPF, to be put in front of
// another program. The last instruction is where packets go that end before a
// byte that was asked for, a return of 0 that nothing else leads to.
//
// The bounds of every read are proven, as the verifier wants it: the end of
// what is read is compared with the packet's end before. Where all ways to an
// instruction have proven as much, the comparison is left out. The error is an
// *Error: the program asks for the tag beside the packet and m has none.
func Translate(p []bpf.RawInstruction, m Machine) ([]Insn, error) {
	t := &translator{m: m, proven: make([]int, len(p))}
	for i := range t.proven {
		t.proven[i] = unreached
	}
	t.proven[0] = 0
	t.add(alu("=", m.A, 0), alu("=", m.X, 0))
	start := make([]int, len(p))
	for i, in := range p {
		start[i] = len(t.out)
		if isMetadata(in) && !m.SKB {
			return nil, &Error{Msg: "an eBPF program has no access to the VLAN tag beside the packet by this way", Hint: "compile with --for file: XDP sees the tag in the packet"}
		}
		t.known = t.proven[i]
		t.instruction(i, in)
		t.leave(i, in)
	}
	end := len(t.out)
	t.add(Insn{Kind: InsnReturn})
	for i := range t.out {
		switch in := &t.out[i]; {
		case in.Kind != InsnJump:
		case in.To == reject:
			in.To = end
		case in.To < reject: // relative, in eBPF instructions
			in.To = i + 1 - in.To + reject - 1
		default:
			in.To = start[in.To]
		}
	}
	return t.out, nil
}

// A translator collects eBPF instructions; jumps go to classic instructions
// until they are resolved.
type translator struct {
	m      Machine
	out    []Insn
	proven []int // on all ways to a classic instruction: bytes from the packet's start
	known  int   // here
}

const unreached = 1 << 30

// reject is where packets that end too early go.
const reject = -1

// skip is a jump over n eBPF instructions.
func skip(n int) int { return reject - 1 - n }

func (t *translator) add(in ...Insn) { t.out = append(t.out, in...) }

func alu(op string, dst uint8, imm uint32) Insn { return Insn{Op: op, Dst: dst, Imm: imm} }
func aluReg(op string, dst, src uint8) Insn {
	return Insn{Op: op, Dst: dst, Src: src, Reg: true}
}

func (in Insn) in64() Insn { in.Wide = true; return in }

func jumpIf(op string, dst uint8, imm uint32, to int) Insn {
	return Insn{Kind: InsnJump, Op: op, Dst: dst, Imm: imm, To: to}
}

// leave tells the instructions that follow what is known of the packet.
func (t *translator) leave(at int, in bpf.RawInstruction) {
	to := func(i int) { t.proven[i] = min(t.proven[i], t.known) }
	switch {
	case in.Op&7 == 6:
	case in.Op == opAlways:
		to(at + 1 + int(in.K))
	case in.Op&7 == 5:
		to(at + 1 + int(in.Jt))
		to(at + 1 + int(in.Jf))
	default:
		to(at + 1)
	}
}

func (t *translator) instruction(at int, in bpf.RawInstruction) {
	a, x := t.m.A, t.m.X
	load := func(dst uint8, off int) Insn {
		return Insn{Kind: InsnLoad, Dst: dst, Src: frameRegister, Size: 4, Off: off}
	}
	switch in.Op & 7 {
	case 0:
		switch in.Op & 0xe0 {
		case opLoadAImm:
			t.add(alu("=", a, in.K))
		case opAbsolute:
			if isMetadata(in) {
				t.metadata(in.K)
				return
			}
			t.bytes(a, false, in.K, loadSize(in))
		case opIndirect:
			t.bytes(a, true, in.K, loadSize(in))
		case opLoadAMem:
			t.add(load(a, t.m.cell(in.K)))
		case opLength:
			t.add(load(a, t.m.LengthOffset()))
		}
	case 1:
		switch in.Op & 0xe0 {
		case 0x00:
			t.add(alu("=", x, in.K))
		case 0x60:
			t.add(load(x, t.m.cell(in.K)))
		case opLength:
			t.add(load(x, t.m.LengthOffset()))
		case 0xa0:
			t.bytes(x, false, in.K, 1)
			t.add(alu("&=", x, 15), alu("<<=", x, 2))
		}
	case 2:
		t.add(Insn{Kind: InsnStore, Dst: frameRegister, Src: a, Size: 4, Off: t.m.cell(in.K)})
	case 4:
		t.arithmetic(in)
	case 5:
		t.jump(at, in)
	case 6:
		t.add(Insn{Kind: InsnReturn, Imm: in.K})
	case 7:
		if in.Op == opXToA {
			t.add(aluReg("=", a, x))
		} else {
			t.add(aluReg("=", x, a))
		}
	}
}

// opposite are the comparisons that eBPF has and the classic machine does not.
var opposite = map[string]string{"==": "!=", ">": "<=", ">=": "<"}

func (t *translator) jump(at int, in bpf.RawInstruction) {
	if in.Op == opAlways {
		t.add(Insn{Kind: InsnJump, To: at + 1 + int(in.K)})
		return
	}
	op := map[uint16]string{0x10: "==", 0x20: ">", 0x30: ">=", 0x40: "&"}[in.Op&0xf0]
	yes, no := int(in.Jt), int(in.Jf)
	if not := opposite[op]; yes == 0 && not != "" {
		op, yes, no = not, no, yes
	}
	j := jumpIf(op, t.m.A, in.K, at+1+yes)
	j.Reg, j.Src = in.Op&opX != 0, t.m.X
	t.add(j)
	if no != 0 {
		t.add(Insn{Kind: InsnJump, To: at + 1 + no})
	}
}

// metadata loads what the kernel has beside the packet.
func (t *translator) metadata(k uint32) {
	off := skbVLANTCI
	if k == metaVLANPresent {
		off = skbVLANPresent
	}
	t.add(Insn{Kind: InsnLoad, Dst: t.m.A, Src: t.m.Context, Size: 4, Off: off})
}

// bytes loads from the packet.
func (t *translator) bytes(dst uint8, indirect bool, off uint32, size int) {
	end := uint64(off) + uint64(size)
	switch {
	case end > farthest:
		t.add(Insn{Kind: InsnJump, To: reject})
		return
	case t.m.Helper != 0:
		t.window(dst, indirect, off, size)
	case indirect:
		// The sum must stay where the verifier follows it.
		t.add(jumpIf(">", t.m.X, uint32(farthest-end), reject), aluReg("=", scratch, t.m.X).in64(), aluReg("+=", scratch, t.m.Start).in64(),
			alu("+=", scratch, uint32(end)).in64(), t.beyond(), Insn{Kind: InsnLoad, Dst: dst, Src: scratch, Size: size, Off: -size})
	default:
		if int(end) > t.known {
			t.add(aluReg("=", scratch, t.m.Start).in64(), alu("+=", scratch, uint32(end)).in64(), t.beyond())
			t.known = int(end)
		}
		t.add(Insn{Kind: InsnLoad, Dst: dst, Src: t.m.Start, Size: size, Off: int(off)})
	}
	if size > 1 {
		t.add(Insn{Kind: InsnSwap, Dst: dst, Size: size})
	}
}

// beyond jumps when the scratch register is past the packet's end.
func (t *translator) beyond() Insn {
	return Insn{Kind: InsnJump, Op: ">", Dst: scratch, Src: t.m.End, Reg: true, Wide: true, To: reject}
}

// window loads from the window what is in it, and else by the helper.
func (t *translator) window(dst uint8, indirect bool, off uint32, size int) {
	inside := func(off uint32) (Insn, bool) {
		at := t.m.WindowOffset() + int(off)
		return Insn{Kind: InsnLoad, Dst: dst, Src: frameRegister, Size: size, Off: at}, int(off)+size <= t.m.Window && at%size == 0
	}
	if !indirect {
		if load, ok := inside(off); ok {
			t.add(load)
			return
		}
	}
	code := append(t.copy(indirect, off, size), Insn{Kind: InsnLoad, Dst: dst, Src: frameRegister, Size: size, Off: t.m.copied()})
	if indirect {
		for _, h := range usualHeaders {
			if load, ok := inside(h + off); ok {
				code = append([]Insn{jumpIf("!=", t.m.X, h, skip(2)), load, {Kind: InsnJump, To: skip(len(code))}}, code...)
			}
		}
	}
	t.add(code...)
}

// copy has the helper copy from the packet to the frame.
func (t *translator) copy(indirect bool, off uint32, size int) (code []Insn) {
	if indirect {
		code = append(code, jumpIf(">", t.m.X, farthest, reject), aluReg("=", 2, t.m.X).in64(), alu("+=", 2, off).in64())
	} else {
		code = append(code, alu("=", 2, off).in64())
	}
	return append(code, aluReg("=", 1, t.m.Context).in64(), aluReg("=", 3, frameRegister).in64(), alu("+=", 3, uint32(t.m.copied())).in64(),
		alu("=", 4, uint32(size)).in64(), Insn{Kind: InsnCall, Imm: t.m.Helper}, jumpIf("!=", scratch, 0, reject).in64())
}

func (t *translator) arithmetic(in bpf.RawInstruction) {
	a, x := t.m.A, t.m.X
	if in.Op == opNegate {
		t.add(Insn{Kind: InsnNegate, Dst: a})
		return
	}
	var op word
	for w, bits := range aluOps {
		if bits == in.Op&0xf0 {
			op = w
		}
	}
	i := alu(string(op)+"=", a, in.K)
	i.Reg, i.Src = in.Op&opX != 0, x
	switch {
	case i.Reg && (op == "/" || op == "%"):
		t.add(jumpIf("==", x, 0, reject), i)
	case i.Reg && (op == "<<" || op == ">>"): // eBPF takes the count modulo 32
		t.add(jumpIf("<=", x, 31, skip(2)), alu("=", a, 0), Insn{Kind: InsnJump, To: skip(1)}, i)
	default:
		t.add(i)
	}
}
