package counter

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/cilium/ebpf/asm"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
)

// A prefix is a filter in front of the counter.
type prefix struct {
	text   string
	insns  []filter.Insn
	length bool // it asks for the packet's length
	window int  // of a socket filter: bytes that are copied at once
	// again, if there is one, reads by a helper what packet pointers do not
	// reach, or what is no whole window, and decides anew.
	again []filter.Insn
}

// Where a filter keeps things. With packet pointers no register of the counter
// is touched; a helper leaves R6 to R9 alone, of which a socket filter uses
// ctx, and sets at afterwards.
var (
	byPointer = filter.Machine{A: uint8(asm.R1), X: uint8(asm.R2), Start: uint8(at), End: uint8(end), Context: uint8(ctx), Frame: filterFrame}
	byHelper  = filter.Machine{A: uint8(at), X: uint8(proto), Context: uint8(ctx), Frame: filterFrame}
)

// newPrefix compiles a filter for a hook: XDP sees a tag in the packet, the
// others beside it.
func newPrefix(e *filter.Expr, h Hook, xdpFrags bool) (*prefix, error) {
	p, err := filter.Compile(e, filter.Target{Link: capture.LinkEthernet, Live: !h.xdp()})
	if err != nil {
		return nil, refused(err)
	}
	pointer, helper := byPointer, byHelper
	pointer.SKB, helper.SKB = !h.xdp(), !h.xdp()
	helper.Helper = uint32(asm.FnSkbLoadBytes)
	if h.xdp() {
		helper.Helper = uint32(asm.FnXdpLoadBytes)
	}
	x := &prefix{text: e.String(), length: filter.UsesLength(p)}
	if !h.packetPointers() {
		if x.again, err = filter.Translate(p, helper); err != nil {
			return nil, refused(err)
		}
		helper.Window = filter.Window(p)
		x.window = helper.Window
		x.insns, err = filter.Translate(p, helper)
		return x, refused(err)
	}
	if x.insns, err = filter.Translate(p, pointer); err != nil {
		return nil, refused(err)
	}
	// pull made the first bytes linear; further ones may be in other buffers.
	reach, bounded := filter.Reach(p)
	if xdpFrags || h == TCX && (!bounded || reach > linearPart) {
		x.again, err = filter.Translate(p, helper)
	}
	return x, refused(err)
}

// refused keeps the hint of a filter that cannot be compiled.
func refused(err error) error {
	if e, ok := err.(*filter.Error); ok {
		return &Error{fmt.Errorf("compile the filter: %w", e), e.Hint}
	}
	return err
}

// prefix puts the filter before the counter. What follows looks the packet up
// anew: for the verifier all ways through the filter are one then.
func (w *writer) prefix() {
	f := w.p.filter
	if f.length {
		w.length()
		w.add(asm.StoreMem(fp, int16(byPointer.LengthOffset()), asm.R0, asm.Word))
	}
	if f.window > 0 {
		w.fill(f.window)
	}
	if f.again == nil {
		w.filter("filter_", f.insns, "filtered")
	} else {
		short := "again"
		if w.p.hook == Socket { // a helper has no reach
			short = "filtered"
		}
		w.filter("filter_", f.insns, short)
		if w.wanted("again") {
			w.here("again")
			w.filter("again_", f.again, "filtered")
		}
	}
	if w.wanted("filtered") {
		w.here("filtered")
		if w.p.hook.packetPointers() {
			w.choose(slotFiltered, "count"+short)
		} else {
			w.choose(slotFiltered, "count")
		}
	}
	w.here("matched")
}

// fill copies the packet's first bytes; a packet with fewer is read call by call.
func (w *writer) fill(n int) {
	m := byHelper
	m.Window = n
	w.add(
		asm.Mov.Reg(asm.R1, ctx),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Reg(asm.R3, fp),
		asm.Add.Imm(asm.R3, int32(m.WindowOffset())),
		asm.Mov.Imm(asm.R4, int32(n)),
		asm.FnSkbLoadBytes.Call(),
		asm.JNE.Imm(asm.R0, 0, "again"),
	)
}

// wanted reports whether something jumps to label: the verifier refuses what
// nothing leads to.
func (w *writer) wanted(label string) bool {
	return slices.ContainsFunc(w.ins, func(i asm.Instruction) bool { return i.Reference() == label })
}

// length is the length of the packet as the filter's target has it, in R0: on
// tc and sockets without the tag beside it.
func (w *writer) length() {
	switch {
	case w.p.xdpFrags:
		w.add(asm.Mov.Reg(asm.R1, ctx), asm.FnXdpGetBuffLen.Call())
	case w.p.hook.xdp():
		w.add(asm.Mov.Reg(asm.R0, end), asm.Sub.Reg(asm.R0, at))
	default:
		w.add(asm.LoadMem(asm.R0, ctx, skbLen, asm.Word))
	}
}

// filter appends a translated filter. It goes on at matched, or at filtered,
// or at short for a packet that ends before a byte that was asked for.
func (w *writer) filter(name string, list []filter.Insn, short string) {
	last := len(list) - 1
	// A jump to a return goes where the return would.
	label := func(n int) string {
		switch in := list[n]; {
		case n == last:
			return short
		case in.Kind == filter.InsnReturn && in.Imm == 0:
			return "filtered"
		case in.Kind == filter.InsnReturn:
			return "matched"
		}
		return name + strconv.Itoa(n)
	}
	target := make([]bool, len(list))
	for _, in := range list {
		if in.Kind == filter.InsnJump {
			target[in.To] = true
		}
	}
	for n, in := range list {
		if in.Kind == filter.InsnReturn {
			if n > 0 && fallsThrough(list[n-1]) {
				w.jump(label(n))
			}
			continue
		}
		if target[n] {
			w.here(label(n))
		}
		w.insn(in, label)
	}
}

func fallsThrough(in filter.Insn) bool {
	return in.Kind != filter.InsnReturn && (in.Kind != filter.InsnJump || in.Op != "")
}

var (
	aluOps = map[string]asm.ALUOp{
		"=": asm.Mov, "+=": asm.Add, "-=": asm.Sub, "*=": asm.Mul, "/=": asm.Div, "%=": asm.Mod,
		"|=": asm.Or, "&=": asm.And, "^=": asm.Xor, "<<=": asm.LSh, ">>=": asm.RSh,
	}
	jumpOps = map[string]asm.JumpOp{
		"==": asm.JEq, "!=": asm.JNE, ">": asm.JGT, ">=": asm.JGE, "<": asm.JLT, "<=": asm.JLE, "&": asm.JSet,
	}
	sizes = map[int]asm.Size{1: asm.Byte, 2: asm.Half, 4: asm.Word}
)

// insn appends one instruction of a filter.
func (w *writer) insn(in filter.Insn, label func(int) string) {
	dst, src, imm, size := asm.Register(in.Dst), asm.Register(in.Src), int32(in.Imm), sizes[in.Size]
	switch in.Kind {
	case filter.InsnALU:
		op := aluOps[in.Op]
		switch {
		case in.Reg && in.Wide:
			w.add(op.Reg(dst, src))
		case in.Reg:
			w.add(op.Reg32(dst, src))
		case in.Wide:
			w.add(op.Imm(dst, imm))
		default:
			w.add(op.Imm32(dst, imm))
		}
	case filter.InsnNegate:
		w.add(asm.Neg.Imm32(dst, 0))
	case filter.InsnSwap:
		w.add(asm.HostTo(asm.BE, dst, size))
	case filter.InsnLoad:
		w.add(asm.LoadMem(dst, src, int16(in.Off), size))
	case filter.InsnStore:
		w.add(asm.StoreMem(dst, int16(in.Off), src, size))
	case filter.InsnCall:
		w.add(asm.BuiltinFunc(in.Imm).Call())
	case filter.InsnJump:
		to := label(in.To)
		switch op := jumpOps[in.Op]; {
		case in.Op == "":
			w.jump(to)
		case in.Reg && in.Wide:
			w.add(op.Reg(dst, src, to))
		case in.Reg:
			w.add(op.Reg32(dst, src, to))
		case in.Wide:
			w.add(op.Imm(dst, imm, to))
		default:
			w.add(op.Imm32(dst, imm, to))
		}
	default:
		panic(fmt.Sprintf("instruction of kind %d in a filter", in.Kind))
	}
}
