//go:build linux

package counter

import (
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/pxescope/pxescope/capture/synth"
)

// BenchmarkProgram runs the counter and an empty program in turn, in the
// kernel, and reports the medians and their difference: what counting adds to
// a packet whose headers are in the cache. `make bench-count` prints it.
func BenchmarkProgram(b *testing.B) {
	const rounds, repeat = 15, 500_000
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
	}{{"xdp", XDP, ebpf.XDP}, {"tc", TCX, ebpf.SchedCLS}} {
		m, err := newMaps(l, nil, 2)
		privileged(b, err)
		defer m.close()
		counting, err := m.program(c.hook, 0, false, false)
		privileged(b, err)
		defer counting.Close()
		empty, err := ebpf.NewProgram(&ebpf.ProgramSpec{
			Type: c.typ, License: "MIT", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
		})
		privileged(b, err)
		defer empty.Close()
		for _, f := range frames {
			b.Run(c.name+"/"+f.name, func(b *testing.B) {
				var with, without []float64
				for range rounds {
					for _, x := range []struct {
						p  *ebpf.Program
						ns *[]float64
					}{{empty, &without}, {counting, &with}} {
						_, d, err := x.p.Benchmark(f.frame, repeat, nil)
						if err != nil {
							b.Fatal(err)
						}
						*x.ns = append(*x.ns, float64(d.Nanoseconds()))
					}
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(median(without), "ns-empty")
				b.ReportMetric(median(with), "ns-counting")
				b.ReportMetric(median(with)-median(without), "ns-added")
			})
		}
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}
