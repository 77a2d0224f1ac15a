package filter

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/bpf"
)

// MaxInstructions is what the Linux kernel accepts (BPF_MAXINSNS).
const MaxInstructions = 4096

// A step is a decision as instructions: code, then a jump on what is in A.
type step struct {
	code []bpf.RawInstruction
	jump uint16 // opcode; 0: straight on to t; a return for ends
	k    uint32
	t, f *step
	at   int // from the end of the program, 1 for the last instruction
}

// registers are what A and X hold on every way to a point.
type registers struct {
	a, x   value
	hasA   bool
	hasX   bool
	filled bool // some way leads here
}

func (r registers) or(o registers) registers {
	if !r.filled {
		return o
	}
	r.hasA = r.hasA && o.hasA && r.a == o.a
	r.hasX = r.hasX && o.hasX && r.x == o.x
	return r
}

// emit makes the program of a graph.
func emit(root *decision) ([]bpf.RawInstruction, error) {
	order := reachable(root)
	steps, err := load(order)
	if err != nil {
		return nil, err
	}
	first := mergeSteps(order, steps)
	return lay(first)
}

// load gives each decision the loads that it needs after what is in the
// registers on every way to it.
func load(order []*decision) ([]step, error) {
	state := make([]registers, len(order))
	state[0].filled = true
	steps := make([]step, len(order))
	for i, d := range order {
		in := state[i]
		s := &steps[i]
		s.k = d.k
		switch d.kind {
		case end:
			s.jump = opReturn
			continue
		case setX:
			s.code = []bpf.RawInstruction{{Op: opLoadXImm, K: d.v.off}}
			if d.v.kind == transport {
				s.code[0] = bpf.RawInstruction{Op: opLoadXHeader, K: d.v.ip}
			}
			in.hasX = false
			state[d.t.pos] = state[d.t.pos].or(in)
			continue
		}
		out := in
		if !in.hasA || in.a != d.v {
			code, x, err := loadValue(d.v, in)
			if err != nil {
				return nil, err
			}
			s.code = code
			out = registers{a: d.v, hasA: d.v.kind != compared, x: x, hasX: x != value{}, filled: true}
		}
		s.jump = [...]uint16{opEqual, opAbove, opAtLeast, opAnyBit}[d.op]
		if d.v.kind == compared {
			s.jump |= opX
		}
		state[d.t.pos] = state[d.t.pos].or(out)
		state[d.f.pos] = state[d.f.pos].or(out)
	}
	return steps, nil
}

// Opcodes of the classic BPF machine (McCanne and Jacobson 1993; linux/bpf_common.h).
const (
	opReturn      = 0x06
	opLoadXImm    = 0x01
	opLoadXHeader = 0xb1 // ldxb 4*([k]&0xf)
	opLoadXMem    = 0x61
	opLoadAMem    = 0x60
	opLoadAImm    = 0x00
	opStore       = 0x02
	opLength      = 0x80
	opAbsolute    = 0x20 // or size
	opIndirect    = 0x40 // or size
	opAlways      = 0x05
	opEqual       = 0x15
	opAbove       = 0x25
	opAtLeast     = 0x35
	opAnyBit      = 0x45
	opX           = 0x08
	opALU         = 0x04
	opNegate      = 0x84
	opAToX        = 0x07
	opXToA        = 0x87
)

func sizeBits(n uint8) uint16 {
	switch n {
	case 1:
		return 0x10
	case 2:
		return 0x08
	}
	return 0
}

var aluOps = map[word]uint16{"+": 0x00, "-": 0x10, "*": 0x20, "/": 0x30, "|": 0x40, "&": 0x50, "<<": 0x60, ">>": 0x70, "%": 0x90, "^": 0xa0}

// loadValue is the code that puts v into A, and what X holds afterwards.
func loadValue(v value, in registers) (code []bpf.RawInstruction, x value, err error) {
	if in.hasX {
		x = in.x
	}
	add := func(op uint16, k uint32) { code = append(code, bpf.RawInstruction{Op: op, K: k}) }
	switch v.kind {
	case wireLength:
		add(opLength, 0)
	case fixed, metadata:
		size := sizeBits(v.size)
		if v.kind == metadata { // of any size; libpcap asks for a byte
			size = sizeBits(1)
		}
		add(opAbsolute|size, v.off)
	case shared:
		add(opIndirect|sizeBits(v.size), v.off)
	case transport:
		header := value{kind: transport, ip: v.ip}
		if x != header {
			add(opLoadXHeader, v.ip)
			x = header
		}
		add(opIndirect|sizeBits(v.size), v.off)
	case calculated, compared:
		c := &calculator{}
		if v.kind == calculated {
			err = c.calc(v.calc, 0)
		} else {
			err = c.pair(v.calc.l, v.calc.r, 0)
		}
		return c.code, value{}, err
	}
	if v.mask != 0 {
		add(opALU|aluOps["&"], v.mask)
	}
	return code, x, nil
}

// A calculator makes the code of a calculation, right side first.
type calculator struct{ code []bpf.RawInstruction }

func (c *calculator) add(op uint16, k uint32) {
	c.code = append(c.code, bpf.RawInstruction{Op: op, K: k})
}

// cells is the scratch memory of the machine (BPF_MEMWORDS).
const cells = 16

// calc leaves x in A; cells from used on are free.
func (c *calculator) calc(x *calc, used uint32) error {
	switch x.op {
	case "n":
		c.add(opLoadAImm, x.n)
	case "len":
		c.add(opLength, 0)
	case "neg":
		if err := c.calc(x.l, used); err != nil {
			return err
		}
		c.add(opNegate, 0)
	case "load":
		return c.load(x, used)
	default:
		if x.r.op == "n" {
			if err := c.calc(x.l, used); err != nil {
				return err
			}
			c.add(opALU|aluOps[x.op], x.r.n)
			return nil
		}
		if err := c.pair(x.l, x.r, used); err != nil {
			return err
		}
		c.add(opALU|aluOps[x.op]|opX, 0)
	}
	return nil
}

// pair leaves l in A and r in X.
func (c *calculator) pair(l, r *calc, used uint32) error {
	if err := c.calc(r, used); err != nil {
		return err
	}
	if l.op == "n" || l.op == "len" {
		c.add(opAToX, 0)
		return c.calc(l, used)
	}
	if used >= cells {
		return &Error{Msg: "the arithmetic needs more than the 16 memory cells of the BPF machine", Hint: "write it with fewer parentheses"}
	}
	c.add(opStore, used)
	if err := c.calc(l, used+1); err != nil {
		return err
	}
	c.add(opLoadXMem, used)
	return nil
}

func (c *calculator) load(x *calc, used uint32) error {
	op := opIndirect | sizeBits(x.v.size)
	if x.l.op == "n" {
		if x.v.kind == transport {
			c.add(opLoadXHeader, x.v.ip)
		} else {
			op = opAbsolute | sizeBits(x.v.size)
		}
		c.add(op, x.v.off+x.l.n)
		return nil
	}
	if err := c.calc(x.l, used); err != nil {
		return err
	}
	if x.v.kind == transport {
		c.add(opLoadXHeader, x.v.ip)
		c.add(opALU|aluOps["+"]|opX, 0)
	}
	c.add(opAToX, 0)
	c.add(op, x.v.off)
	return nil
}

// mergeSteps makes steps with the same code and the same successors one, and
// returns the first step of the program.
func mergeSteps(order []*decision, steps []step) *step {
	type key struct {
		code string
		jump uint16
		k    uint32
		t, f *step
	}
	unique := make(map[key]*step, len(order))
	final := make([]*step, len(order))
	var code []byte
	for i := len(order) - 1; i >= 0; i-- {
		d := order[i]
		s := &steps[i]
		if d.t != nil {
			s.t = final[d.t.pos]
		}
		if d.f != nil {
			s.f = final[d.f.pos]
		}
		code = code[:0]
		for _, in := range s.code {
			code = binary.BigEndian.AppendUint32(append(code, byte(in.Op), byte(in.Op>>8)), in.K)
		}
		k := key{code: string(code), jump: s.jump, k: s.k, t: s.t, f: s.f}
		if have, ok := unique[k]; ok {
			final[i] = have
			continue
		}
		unique[k] = s
		final[i] = s
	}
	return final[0]
}

// lay lays out the program from its end. A jump is eight bits: when its
// destination is further away, an instruction of its own goes there.
func lay(first *step) ([]bpf.RawInstruction, error) {
	var back []bpf.RawInstruction
	put := func(i bpf.RawInstruction) { back = append(back, i) }
	// far is the distance from the instruction put next to the start of s.
	far := func(s *step) int { return len(back) - s.at }
	jump := func(s *step) {
		if s.jump == opReturn {
			put(bpf.RawInstruction{Op: opReturn, K: s.k})
			return
		}
		put(bpf.RawInstruction{Op: opAlways, K: uint32(far(s))})
	}
	for _, s := range endFirst(first) {
		switch {
		case s.jump == opReturn:
			put(bpf.RawInstruction{Op: opReturn, K: s.k})
		case s.f == nil:
			if far(s.t) != 0 {
				jump(s.t)
			}
		default:
			t, f := far(s.t), far(s.f)
			if f > 254 {
				jump(s.f)
				f = len(back)
				t++
			} else {
				f = -1
			}
			if t > 254 {
				jump(s.t)
				t = len(back)
			} else {
				t = -1
			}
			i := bpf.RawInstruction{Op: s.jump, K: s.k}
			i.Jt, i.Jf = uint8(far(s.t)), uint8(far(s.f))
			if t >= 0 {
				i.Jt = uint8(len(back) - t)
			}
			if f >= 0 {
				i.Jf = uint8(len(back) - f)
			}
			put(i)
		}
		for i := len(s.code) - 1; i >= 0; i-- {
			put(s.code[i])
		}
		s.at = len(back)
	}
	if len(back) > MaxInstructions {
		return nil, &Error{Msg: fmt.Sprintf("the program has %d instructions; the kernel takes %d", len(back), MaxInstructions), Hint: "leave terms out, or split the filter"}
	}
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	return back, nil
}

// endFirst is the order of the steps from the end of the program: every step
// after those that it leads to. Where a step leads on without a jump, the two
// are neighbours if that can be.
func endFirst(first *step) []*step {
	var out []*step
	seen := map[*step]bool{first: true}
	type visit struct {
		s *step
		n int
	}
	stack := []visit{{s: first}}
	var rejects, accepts []*step
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		next := top.s.f
		if top.n == 1 {
			next = top.s.t
		}
		top.n++
		if top.n > 2 {
			switch {
			case top.s.jump == opReturn && top.s.k == 0:
				rejects = append(rejects, top.s)
			case top.s.jump == opReturn:
				accepts = append(accepts, top.s)
			default:
				out = append(out, top.s)
			}
			stack = stack[:len(stack)-1]
			continue
		}
		if next != nil && !seen[next] {
			seen[next] = true
			stack = append(stack, visit{s: next})
		}
	}
	return append(append(rejects, accepts...), out...)
}
