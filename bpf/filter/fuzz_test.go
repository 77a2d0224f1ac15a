package filter

import (
	"testing"

	"golang.org/x/net/bpf"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
)

// FuzzMatch feeds packets: the predicate, with what was worked out for its form
// and without, says what the program says.
func FuzzMatch(f *testing.F) {
	texts := []string{must(Build(&Request{Phase: catalog.Provisioning, Complete: true})).Text, "udp port 69 or vlan and host 10.0.0.1",
		"tcp[(tcp[12] >> 4 << 2):4] = 0x47455420", "mpls and port 53 or pppoes", "ip[0] & 15 > 5 or ip6[6] % 4 = 1"}
	for i := range texts {
		for _, s := range quickFrames() {
			f.Add(uint8(i*len(quickLinks)), s.data)
		}
	}
	type machine struct {
		e       *Expr
		m       *Matcher
		program []bpf.RawInstruction
	}
	var all []machine
	for _, text := range texts {
		for _, l := range quickLinks {
			e := must(Parse(text))
			if m, err := NewMatcher(e, l); err == nil { // else a term that the link type does not have
				all = append(all, machine{e, m, must(emit(must(decide([]Clause{{Expr: e}}, Target{Link: l}))))})
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, packet []byte) {
		x := all[int(which)%len(all)]
		want := execute(x.program, packet, len(packet), beside{}) != 0
		if got := x.m.Match(packet, len(packet)); got != want {
			t.Errorf("%s: got %v, want %v on % x", x.e, got, want, packet)
		}
		if got := x.m.walk(0, 0, packet, len(packet)); got != want {
			t.Errorf("%s: the graph says %v, want %v on % x", x.e, got, want, packet)
		}
	})
}

// FuzzDiff feeds pairs of expressions: a witness is one, and a filter is
// equivalent to itself. Lint and what it corrects never fail on what can be read.
func FuzzDiff(f *testing.F) {
	f.Add("udp port 69", "port 69")
	f.Add("tcp[13] & 2 = 2", "tcp[tcpflags] & tcp-syn != 0")
	f.Add("ip[0] + 1 > 5 or vlan 5", "ip[0] / ip[1] > len")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 200 {
			return
		}
		ea, err := Parse(a)
		if err != nil {
			return
		}
		if d, err := Diff(ea, ea, Ethernet); err == nil && d.Verdict != Equivalent {
			t.Fatalf("%s differs from itself: %+v", a, d)
		}
		if _, err := Match(ea, capture.LinkEthernet); err == nil {
			must(Lint(a))
		}
		eb, err := Parse(b)
		if err != nil {
			return
		}
		d, err := Diff(ea, eb, Ethernet)
		if err != nil {
			return
		}
		checkWitness(t, a, b, Ethernet, d.Witness)
	})
}
