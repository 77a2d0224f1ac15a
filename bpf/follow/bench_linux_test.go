package follow

import (
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/catalog"
)

// BenchmarkProgram runs the filter, the classic filter of the same phase and an
// empty program in turn, in the kernel, and reports the medians and the
// differences: what each adds to a packet whose headers are in the cache.
// `make bench-follow` prints it.
func BenchmarkProgram(b *testing.B) {
	const rounds, repeat = 15, 300_000
	tagged := func(f []byte) []byte { return slices.Insert(slices.Clone(f), 12, 0x81, 0, 0, 5) }
	segment := synth.Segment{Flags: 0x10, Payload: make([]byte, 1400)}
	frames := []struct {
		name  string
		frame []byte
	}{
		{"bulk-tcp", synth.TCP(rack, node, 40000, 40001, segment)},
		{"bulk-udp", synth.UDP(rack, node, 40000, 40001, make([]byte, 1400))},
		{"bulk-tcp-tagged", tagged(synth.TCP(rack, node, 40000, 40001, segment))},
		{"bulk-tcp-ip6", synth.TCP(rack6, node6, 40000, 40001, segment)},
		{"http", synth.TCP(rack, node, 80, 40000, segment)},
		{"dns", synth.UDP(node, rack, 40000, 53, make([]byte, 30))},
		{"tftp-data", synth.UDP(rack, node, 50000, 2070, make([]byte, 1412))},
	}
	f, err := Load(Config{Phase: "provisioning"})
	privileged(b, err)
	defer f.Close()
	learn := synth.UDP(node, rack, 2070, 69, synth.TFTPRead("x", "octet"))
	if _, err := f.program.Run(&ebpf.RunOptions{Data: append(make([]byte, 14), learn...)}); err != nil {
		b.Fatal(err)
	}
	empty := program(b, asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()})
	classic := classicProgram(b)
	for _, x := range frames {
		b.Run(x.name, func(b *testing.B) {
			var ns [3][]float64
			data := append(make([]byte, 14), x.frame...)
			for range rounds {
				for i, p := range []*ebpf.Program{empty, f.program, classic} {
					_, d, err := p.Benchmark(data, repeat, nil)
					if err != nil {
						b.Fatal(err)
					}
					ns[i] = append(ns[i], float64(d.Nanoseconds()))
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(ns[0]), "ns-empty")
			b.ReportMetric(median(ns[1])-median(ns[0]), "ns-follow")
			b.ReportMetric(median(ns[2])-median(ns[0]), "ns-classic")
		})
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

func program(b *testing.B, ins asm.Instructions) *ebpf.Program {
	b.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SocketFilter, License: "Dual MIT/GPL", Instructions: ins})
	privileged(b, err)
	b.Cleanup(func() { p.Close() })
	return p
}
