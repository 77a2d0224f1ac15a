package filter

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
)

func dhcpFrame(tags ...uint16) []byte {
	c := synth.PXERom("52:54:00:12:34:56")
	return synth.IP{Tags: tags}.UDP(synth.Host{MAC: c.MAC, IP: synth.Everyone.Nobody().IP}, synth.Everyone, 68, 67, c.Discover(1, 0).Bytes())
}

// The machine of these tests agrees with that of x/net/bpf, and every program
// assembles there.
func TestMachines(t *testing.T) {
	all := frames(t, 4, capture.LinkEthernet, 300)
	for _, x := range examples(t) {
		_, p := x.compiled()
		if p == nil {
			continue
		}
		if slices.ContainsFunc(p, func(in bpf.RawInstruction) bool { return in.Op == opNegate }) {
			continue // x/net/bpf has no machine for it
		}
		vm := newVM(t, x.text, p)
		for _, f := range all {
			got := execute(p, f.data, len(f.data), beside{})
			want, err := vm.Run(f.data)
			if err != nil {
				t.Fatalf("%s: %v", x.text, err)
			}
			if (got != 0) != (want != 0) {
				t.Fatalf("%s: got %d, x/net/bpf says %d on % x", x.text, got, want, f.data)
			}
		}
	}
}

func newVM(t testing.TB, text string, p []bpf.RawInstruction) *bpf.VM {
	t.Helper()
	ins, ok := bpf.Disassemble(p)
	if !ok {
		t.Fatalf("%s: x/net/bpf does not know every instruction:\n%s", text, Listing(p))
	}
	if _, err := bpf.Assemble(ins); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	vm, err := bpf.NewVM(ins)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return vm
}

// valid holds a program to the kernel's rules (net/core/filter.c,
// bpf_check_classic): jumps inside, a return at the end, no constant zero
// divisor, memory cells that exist and were written before they are read.
func valid(t testing.TB, text string, p []bpf.RawInstruction) {
	t.Helper()
	if len(p) == 0 || len(p) > MaxInstructions {
		t.Fatalf("%s: %d instructions", text, len(p))
	}
	written := make([]uint16, len(p)+1) // cells, on every way to an instruction
	for i := range written {
		written[i] = 0xffff
	}
	written[0] = 0
	for i, in := range p {
		next := written[i]
		to := func(d int, w uint16) {
			if i+1+d >= len(p) {
				t.Fatalf("%s: instruction %d jumps out of the program:\n%s", text, i, Listing(p))
			}
			written[i+1+d] &= w
		}
		switch in.Op & 7 {
		case 0, 1:
			if in.Op&0xe0 == 0x60 && (in.K > 15 || next>>in.K&1 == 0) {
				t.Fatalf("%s: instruction %d reads M[%d], which was not written", text, i, in.K)
			}
		case 2, 3:
			if in.K > 15 {
				t.Fatalf("%s: instruction %d writes M[%d]", text, i, in.K)
			}
			next |= 1 << in.K
		case 4:
			if k := in.Op & 0xf0; (k == 0x30 || k == 0x90) && in.Op&8 == 0 && in.K == 0 || (k == 0x60 || k == 0x70) && in.Op&8 == 0 && in.K > 31 {
				t.Fatalf("%s: instruction %d: %v", text, i, in)
			}
		case 5:
			if in.Op == opAlways {
				to(int(in.K), next)
				continue
			}
			to(int(in.Jt), next)
			to(int(in.Jf), next)
			continue
		case 6:
			continue
		}
		to(0, next)
	}
	if p[len(p)-1].Op&7 != 6 {
		t.Fatalf("%s: the last instruction does not return:\n%s", text, Listing(p))
	}
}

// Long programs jump further than eight bits reach.
func TestFarJumps(t *testing.T) {
	r := maker{rand.New(rand.NewPCG(5, 5))}
	all := frames(t, 5, capture.LinkEthernet, 1500)
	for _, n := range []int{60, 150, 300} {
		text := "udp[8:2] = 3"
		for i := range n {
			term := " or (ip[" + strconv.Itoa(i) + "] * " + r.value(0) + " = " + r.value(0) + " and ip[8] != " + strconv.Itoa(i%10) + ")"
			if _, err := Parse(text + term); err == nil {
				text += term
			}
		}
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Compile(e, Ethernet)
		if err != nil {
			t.Fatal(err)
		}
		if n == 300 && len(p) < 600 {
			t.Errorf("%d instructions need no far jump", len(p))
		}
		valid(t, text, p)
		m, err := NewMatcher(e, capture.LinkEthernet)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			if got, want := execute(p, f.data, f.wireLen, beside{}) != 0, m.Match(f.data, f.wireLen); got != want {
				t.Fatalf("%d terms: bytecode %v, predicate %v on % x", n, got, want, f.data)
			}
		}
	}
	var long string
	for i := range 2200 {
		long += fmt.Sprintf("host 10.%d.%d.1 or ", i/200, i%200)
	}
	e, err := Parse(long[:len(long)-4])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compile(e, Ethernet); err == nil {
		t.Error("a program of more than 4096 instructions was not refused")
	}
}

// A clause may keep less than the rest.
func TestClauses(t *testing.T) {
	parse := func(s string) *Expr {
		e, err := Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	p, err := CompileClauses([]Clause{{parse("udp port 67"), 0}, {parse("udp"), 96}, {parse("vlan and udp"), 128}}, Target{Link: capture.LinkEthernet, Snaplen: 9000})
	if err != nil {
		t.Fatal(err)
	}
	a, b := synth.NewHost("52:54:00:00:00:01", "10.0.0.1"), synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	for _, c := range []struct {
		name  string
		frame []byte
		want  uint32
	}{
		{"dhcp", dhcpFrame(), 9000},
		{"other udp", synth.UDP(a, b, 1000, 2000, []byte("x")), 96},
		{"tagged", dhcpFrame(7), 128},
		{"tcp", synth.TCP(a, b, 1000, 80, synth.Segment{}), 0},
	} {
		if got := execute(p, c.frame, len(c.frame), beside{}); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// A packet that was cut before a header field does not match what has to look
// at it, whatever else holds; a negation that need not look does.
func TestTruncated(t *testing.T) {
	dhcp := dhcpFrame()
	tagged := dhcpFrame(10)
	for _, c := range []struct {
		text string
		data []byte
		want bool
	}{
		{"udp port 67", dhcp[:38], true},
		{"udp port 67", dhcp[:36], false}, // the source port is 68, the destination is cut
		{"udp port 68", dhcp[:36], true},
		{"udp port 67", dhcp[:35], false}, // the source port is not whole
		{"udp port 67", dhcp[:23], false}, // no protocol
		{"not udp port 67", dhcp[:35], false},
		{"not udp port 67", dhcp[:13], false}, // no type
		{"ip", dhcp[:14], true},
		{"ip", dhcp[:13], false},
		{"not ip", dhcp[:13], false},
		{"udp", dhcp[:24], true},
		{"host 255.255.255.255", dhcp[:34], true},
		{"host 255.255.255.255", dhcp[:33], false},
		{"vlan", tagged[:14], true},
		{"vlan 10", tagged[:15], false},
		{"vlan 10", tagged[:16], true},
		{"vlan and udp port 67", tagged[:42], true},
		{"vlan and udp port 67", tagged[:41], false},
		{"udp[8] = 1", dhcp[:42], false},
		{"udp[8] = 1", dhcp[:43], true},
		{"udp[8] = 1 or udp", dhcp[:42], true}, // makes no difference, so it is not read
		{"len > 300", dhcp[:1], true},          // the length on the wire
		{"ether dst ff:ff:ff:ff:ff:ff", dhcp[:6], true},
		{"ether dst ff:ff:ff:ff:ff:ff", dhcp[:5], false},
		{"len > 0", nil, true},
		{"ip", nil, false},
	} {
		e, err := Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Compile(e, Ethernet)
		if err != nil {
			t.Fatal(err)
		}
		m, err := NewMatcher(e, capture.LinkEthernet)
		if err != nil {
			t.Fatal(err)
		}
		if got := execute(p, c.data, len(dhcp), beside{}) != 0; got != c.want {
			t.Errorf("%s on %d bytes: bytecode %v, want %v", c.text, len(c.data), got, c.want)
		}
		if got := m.Match(c.data, len(dhcp)); got != c.want {
			t.Errorf("%s on %d bytes: predicate %v, want %v", c.text, len(c.data), got, c.want)
		}
	}
}

// The predicate allocates nothing, whatever the expression.
func TestMatchAllocates(t *testing.T) {
	f := dhcpFrame()
	for _, text := range []string{"udp port 67 or 68 or 69", "vlan and udp", "udp[udp[4:2] - 300:2] * 2 = len % 7 or host 10.0.0.1", "port 22 or 53 or 66 or 69 or 80 or 111 or 123 or 443"} {
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		m, err := NewMatcher(e, capture.LinkEthernet)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { m.Match(f, len(f)) }); n != 0 {
			t.Errorf("%s: %v allocations a packet, want 0", text, n)
		}
	}
}

// FuzzCompile feeds text: nothing panics, and what compiles is a program that
// the kernel would take, means the same to the predicate, and prints to text
// that compiles to the same.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{"udp port 69", "port 80 or not (443 and 22)", "vlan 10 and tcp[tcpflags] & tcp-syn != 0", "net 10.0.0.0 mask 255.0.255.0",
		"ip[(ip[0]&0xf)*4:2] = 5 or 7 % 4 * 2 = len", "mpls 5 and mpls and host ::1", "pppoes 3 and ip6", "ether host 1:2:3:4:5:6", "ether proto \\arp", "- - len < 5", "port 1 or 3 or 5 or 7 or 9 or 11 or 13"} {
		f.Add(s)
	}
	frame := dhcpFrame(10)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			return
		}
		printed := e.String()
		again, err := Parse(printed)
		if err != nil {
			t.Fatalf("%q prints as %q: %v", text, printed, err)
		}
		for _, target := range []Target{Ethernet, {Link: capture.LinkEthernet, Live: true}, {Link: capture.LinkRaw}, {Link: capture.LinkSLL2}} {
			p, err := Compile(e, target)
			q, err2 := Compile(again, target)
			if (err == nil) != (err2 == nil) || Decimal(p) != Decimal(q) {
				t.Fatalf("%q prints as %q, which compiles differently: %v, %v", text, printed, err, err2)
			}
			if err != nil {
				continue
			}
			valid(t, text, p)
			if target.Live {
				continue
			}
			m, err := NewMatcher(e, target.Link)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range [][]byte{frame, frame[:50], frame[14:], nil} {
				if got, want := m.Match(b, len(frame)), execute(p, b, len(frame), beside{}) != 0; got != want {
					t.Fatalf("%q: predicate %v, bytecode %v", text, got, want)
				}
			}
		}
	})
}
