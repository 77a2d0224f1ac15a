//go:build linux

package counter

import (
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture/synth"
)

// BenchmarkProgram runs an empty program, the counter, and the counter behind
// the filter of all provisioning services in turn, in the kernel, and reports
// the medians and their differences: what counting adds to a packet whose
// headers are in the cache, and what the filter adds to that. `make bench-count`
// prints it.
func BenchmarkProgram(b *testing.B) {
	const rounds, repeat = 11, 300_000
	node, rack := synth.NewHost("52:54:00:00:00:01", "10.0.0.1"), synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	frames := []struct {
		name  string
		frame []byte
	}{
		{"dns-to", synth.UDP(node, rack, 40000, 53, make([]byte, 30))},
		{"http-from", synth.TCP(rack, node, 80, 40000, synth.Segment{Payload: make([]byte, 1400)})},
		{"no-service", synth.UDP(node, rack, 40000, 40001, make([]byte, 30))},
		{"tagged-ip6-dns", synth.IP{Tags: []uint16{120}}.UDP(node.At("fd00::1"), rack.At("fd00::2"), 40000, 53, make([]byte, 30))},
	}
	l := testLayout(b)
	for _, c := range []struct {
		name string
		hook Hook
		typ  ebpf.ProgramType
	}{{"xdp", XDP, ebpf.XDP}, {"tc", TCX, ebpf.SchedCLS}, {"socket", Socket, ebpf.SocketFilter}} {
		load := func(e *filter.Expr) *ebpf.Program {
			m, err := newMaps(l, e, 2)
			privileged(b, err)
			b.Cleanup(func() { m.close() })
			p, err := m.program(c.hook, 0, false, false)
			privileged(b, err)
			b.Cleanup(func() { p.Close() })
			return p
		}
		counting, filtering := load(nil), load(provisioning(b))
		empty, err := ebpf.NewProgram(&ebpf.ProgramSpec{
			Type: c.typ, License: "MIT", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
		})
		privileged(b, err)
		defer empty.Close()
		for _, f := range frames {
			b.Run(c.name+"/"+f.name, func(b *testing.B) {
				frame := f.frame
				if c.hook == Socket { // as runCell
					frame = append(make([]byte, 14), frame...)
				}
				programs := []*ebpf.Program{empty, counting, filtering}
				ns := make([][]float64, len(programs))
				for range rounds {
					for i, p := range programs {
						_, d, err := p.Benchmark(frame, repeat, nil)
						if err != nil {
							b.Fatal(err)
						}
						ns[i] = append(ns[i], float64(d.Nanoseconds()))
					}
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(median(ns[0]), "ns-empty")
				b.ReportMetric(median(ns[1]), "ns-counting")
				b.ReportMetric(median(ns[1])-median(ns[0]), "ns-added")
				b.ReportMetric(median(ns[2])-median(ns[1]), "ns-filter")
			})
		}
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}
