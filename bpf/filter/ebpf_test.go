package filter

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
)

// runEBPF executes a listing. The packet starts at address 1<<20, the frame
// ends at 1<<40; what touches other memory fails the test, as the verifier
// would refuse it.
func runEBPF(t *testing.T, text string, p []ebpfInsn, pkt []byte, wireLen int) uint32 {
	t.Helper()
	const start, frame = 1 << 20, 1 << 40
	var r [11]uint64
	r[1], r[2], r[3], r[10] = start, uint64(start+len(pkt)), uint64(wireLen), frame
	var stack [512]byte
	memory := func(addr uint64, size int) []byte {
		if a := int64(addr) - frame + int64(len(stack)); a >= 0 && a+int64(size) <= int64(len(stack)) {
			return stack[a : a+int64(size)]
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
		b := uint64(in.imm)
		if in.reg {
			b = r[in.src]
		}
		a := r[in.dst]
		if !in.wide {
			a, b = uint64(uint32(a)), uint64(uint32(b))
		}
		switch in.kind {
		case ebpfExit:
			return uint32(r[0])
		case ebpfNegate:
			r[in.dst] = uint64(-uint32(a))
		case ebpfSwap:
			var x [8]byte
			binary.LittleEndian.PutUint64(x[:], r[in.dst])
			if in.size == 2 {
				r[in.dst] = uint64(binary.BigEndian.Uint16(x[:]))
			} else {
				r[in.dst] = uint64(binary.BigEndian.Uint32(x[:]))
			}
		case ebpfLoad:
			var x [8]byte
			copy(x[:], memory(r[in.src]+uint64(int64(in.off)), in.size))
			r[in.dst] = binary.LittleEndian.Uint64(x[:])
		case ebpfStore:
			binary.LittleEndian.PutUint32(memory(r[in.dst]+uint64(int64(in.off)), 4), uint32(r[in.src]))
		case ebpfJump:
			yes := in.op == ""
			switch in.op {
			case "==":
				yes = a == b
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
				if in.to <= pc {
					t.Fatalf("%s: instruction %d jumps back", text, pc)
				}
				pc = in.to - 1
			}
		default:
			var x uint64
			switch op := strings.TrimSuffix(in.op, "="); {
			case op == "":
				x = b
			case in.wide:
				x = a + b
			default:
				v, ok := calculate(word(op), uint32(a), uint32(b))
				if !ok {
					t.Fatalf("%s: instruction %d divides by zero", text, pc)
				}
				x = uint64(v)
			}
			r[in.dst] = x
		}
	}
}

// The eBPF listing means what the classic program means, and reads nothing
// outside of the packet.
func TestEBPF(t *testing.T) {
	all := frames(t, 6, capture.LinkEthernet, 400)
	n := 0
	for _, x := range examples(t) {
		e, err := Parse(x.text)
		if err != nil {
			continue
		}
		p, err := Compile(e, Target{Link: x.link})
		if err != nil {
			continue
		}
		list, err := toEBPF(p)
		if err != nil {
			t.Errorf("%s: %v", x.text, err)
			continue
		}
		n++
		for _, f := range all {
			if got, want := runEBPF(t, x.text, list, f.data, f.wireLen), execute(p, f.data, f.wireLen, beside{}); got != want {
				s, _ := EBPF(p)
				t.Fatalf("%s: got %d, want %d on % x\n%s\n%s", x.text, got, want, f.data, s, Listing(p))
			}
		}
	}
	if n < 450 {
		t.Errorf("tried %d programs, want nearly 500", n)
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
   6: if w6 > 0x64 goto 8
   7: goto 10
   8: w0 = 0x40000
   9: exit
  10: w0 = 0x0
  11: exit
  12: w0 = 0x0
  13: exit
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
