package filter

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
)

// runEBPF executes a translation. The packet starts at address 1<<20, the
// frame ends at 1<<40, the context is at 1<<50; what touches other memory fails
// the test, as the verifier would refuse it.
func runEBPF(t *testing.T, text string, p []Insn, pkt []byte, wireLen int, meta beside) uint32 {
	t.Helper()
	const start, frame, context = 1 << 20, 1 << 40, 1 << 50
	var r [11]uint64
	r[1], r[2], r[3], r[5], r[10] = start, uint64(start+len(pkt)), uint64(wireLen), context, frame
	var stack [512]byte
	skb := make([]byte, 28)
	if meta.vlan {
		skb[skbVLANPresent] = 1
	}
	binary.LittleEndian.PutUint16(skb[skbVLANTCI:], meta.tci)
	memory := func(addr uint64, size int) []byte {
		for base, b := range map[int64][]byte{frame - int64(len(stack)): stack[:], context: skb} {
			if a := int64(addr) - base; a >= 0 && a+int64(size) <= int64(len(b)) {
				return b[a : a+int64(size)]
			}
		}
		a := int64(addr) - start
		if a < 0 || a+int64(size) > int64(len(pkt)) {
			t.Fatalf("%s: %d bytes at %d of a packet of %d", text, size, a, len(pkt))
		}
		return pkt[a : a+int64(size)]
	}
	for pc, n := 0, 0; ; pc++ {
		if n++; n > 100000 || pc >= len(p) {
			t.Fatalf("%s: runs off its end", text)
		}
		in := p[pc]
		b := uint64(int64(int32(in.Imm))) // as the kernel extends it
		if in.Reg {
			b = r[in.Src]
		}
		a := r[in.Dst]
		if !in.Wide {
			a, b = uint64(uint32(a)), uint64(uint32(b))
		}
		switch in.Kind {
		case InsnReturn:
			return in.Imm
		case InsnCall:
			if in.Imm != loadBytes || r[1] != context {
				t.Fatalf("%s: instruction %d calls %d with %#x", text, pc, in.Imm, r[1])
			}
			to := memory(r[3], int(r[4]))
			r[0] = 0
			if r[2]+r[4] > uint64(len(pkt)) {
				r[0] = math.MaxUint64
			} else {
				copy(to, pkt[r[2]:])
			}
			for i := 1; i <= 5; i++ { // destroyed
				r[i] = 1 << 60
			}
		case InsnNegate:
			r[in.Dst] = uint64(-uint32(a))
		case InsnSwap:
			var x [8]byte
			binary.LittleEndian.PutUint64(x[:], r[in.Dst])
			if in.Size == 2 {
				r[in.Dst] = uint64(binary.BigEndian.Uint16(x[:]))
			} else {
				r[in.Dst] = uint64(binary.BigEndian.Uint32(x[:]))
			}
		case InsnLoad:
			var x [8]byte
			copy(x[:], memory(r[in.Src]+uint64(int64(in.Off)), in.Size))
			r[in.Dst] = binary.LittleEndian.Uint64(x[:])
		case InsnStore:
			binary.LittleEndian.PutUint32(memory(r[in.Dst]+uint64(int64(in.Off)), 4), uint32(r[in.Src]))
		case InsnJump:
			yes := in.Op == ""
			switch in.Op {
			case "==":
				yes = a == b
			case "!=":
				yes = a != b
			case "<":
				yes = a < b
			case ">":
				yes = a > b
			case ">=":
				yes = a >= b
			case "<=":
				yes = a <= b
			case "&":
				yes = a&b != 0
			}
			if yes {
				if in.To <= pc {
					t.Fatalf("%s: instruction %d jumps back", text, pc)
				}
				pc = in.To - 1
			}
		default:
			var x uint64
			switch op := strings.TrimSuffix(in.Op, "="); {
			case op == "":
				x = b
			case in.Wide:
				x = a + b
			default:
				v, ok := calculate(word(op), uint32(a), uint32(b))
				if !ok {
					t.Fatalf("%s: instruction %d divides by zero", text, pc)
				}
				x = uint64(v)
			}
			r[in.Dst] = x
		}
	}
}

// loadBytes is the number of the helper bpf_skb_load_bytes.
const loadBytes = 26

// The eBPF means what the classic program means, on every machine, and reads
// nothing outside of the packet.
func TestEBPF(t *testing.T) {
	copying := Machine{A: 6, X: 9, Context: 7, SKB: true, Helper: loadBytes, Frame: -112}
	pointers := Machine{A: 1, X: 2, Start: 6, End: 8, Context: 7, SKB: true, Frame: -8}
	all := frames(t, 6, capture.LinkEthernet, 400)
	n, far := 0, 0
	for _, x := range examples(t) {
		e, p := x.compiled()
		if p == nil {
			continue
		}
		list, err := toEBPF(p)
		if err != nil {
			t.Errorf("%s: %v", x.text, err)
			continue
		}
		n++
		live := p
		if x.link == capture.LinkEthernet {
			live = must(Compile(e, Target{Link: x.link, Live: true}))
		}
		reach, bounded := Reach(live)
		if !bounded {
			far++
		}
		byHelper, byPointer := must(Translate(live, copying)), must(Translate(live, pointers))
		windowed := copying
		if windowed.Window = Window(live); windowed.Window > MaxWindow || bounded && windowed.Window > reach {
			t.Fatalf("%s: a window of %d bytes, %d may be read", x.text, windowed.Window, reach)
		}
		byWindow := must(Translate(live, windowed))
		// The entry of each, as the counter makes it.
		length := func(m Machine) Insn {
			return Insn{Kind: InsnStore, Dst: frameRegister, Src: 3, Size: 4, Off: m.LengthOffset()}
		}
		byHelper = entry(byHelper, length(copying), aluReg("=", 7, 5).in64())
		fill := []Insn{aluReg("=", 1, 5).in64(), alu("=", 2, 0).in64(), aluReg("=", 3, frameRegister).in64(),
			alu("+=", 3, uint32(windowed.WindowOffset())).in64(), alu("=", 4, uint32(windowed.Window)).in64(), {Kind: InsnCall, Imm: loadBytes}}
		byWindow = entry(byWindow, append([]Insn{length(copying), aluReg("=", 7, 5).in64()}, fill...)...)
		byPointer = entry(byPointer, length(pointers), aluReg("=", 6, 1).in64(), aluReg("=", 8, 2).in64(), aluReg("=", 7, 5).in64())
		for _, f := range all {
			if got, want := runEBPF(t, x.text, list, f.data, f.wireLen, beside{}), execute(p, f.data, f.wireLen, beside{}); got != want {
				s, _ := EBPF(p)
				t.Fatalf("%s: got %d, want %d on % x\n%s\n%s", x.text, got, want, f.data, s, Listing(p))
			}
			for _, meta := range []beside{{}, {vlan: true, tci: 10}} {
				want := execute(live, f.data, f.wireLen, meta)
				if got := runEBPF(t, x.text, byHelper, f.data, f.wireLen, meta); got != want {
					t.Fatalf("%s, copying: got %d, want %d on % x\n%s", x.text, got, want, f.data, Listing(live))
				}
				if got := runEBPF(t, x.text, byPointer, f.data, f.wireLen, meta); got != want {
					t.Fatalf("%s, pointers: got %d, want %d on % x\n%s", x.text, got, want, f.data, Listing(live))
				}
				if len(f.data) >= windowed.Window {
					if got := runEBPF(t, x.text, byWindow, f.data, f.wireLen, meta); got != want {
						t.Fatalf("%s, window of %d: got %d, want %d on % x\n%s", x.text, windowed.Window, got, want, f.data, Listing(live))
					}
				}
				// What lies beyond the reach is not read.
				if bounded && len(f.data) > reach {
					if got := execute(live, f.data[:reach], f.wireLen, meta); got != want {
						t.Fatalf("%s: got %d, want %d from %d of % x", x.text, got, want, reach, f.data)
					}
				}
			}
		}
	}
	if n < 450 || far == 0 || far > n/2 {
		t.Errorf("tried %d programs, want nearly 500, and %d of unknown reach, want some", n, far)
	}
	live := must(Compile(must(Parse("vlan")), Target{Link: capture.LinkEthernet, Live: true}))
	if _, err := EBPF(live); err == nil {
		t.Error("a program for live sockets was not refused")
	}
	got := must(EBPF(must(Compile(must(Parse("len > 100")), Ethernet))))
	const want = `   0: r8 = r1
   1: r9 = r2
   2: *(u32 *)(r10 -68) = w3
   3: w6 = 0x0
   4: w7 = 0x0
   5: w6 = *(u32 *)(r10 -68)
   6: if w6 <= 0x64 goto 9
   7: w0 = 0x40000
   8: exit
   9: w0 = 0x0
  10: exit
  11: w0 = 0x0
  12: exit
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// entry puts instructions before a translation.
func entry(list []Insn, before ...Insn) []Insn {
	for i := range list {
		list[i].To += len(before)
	}
	return append(before, list...)
}
