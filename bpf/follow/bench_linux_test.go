package follow

import (
	"runtime"
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

// BenchmarkProgram runs the filter and an empty program in turn, in the kernel,
// and reports the medians and the difference: what the filter adds to a packet
// whose headers are in the cache. `make bench-follow` prints it.
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
	for _, x := range frames {
		b.Run(x.name, func(b *testing.B) {
			var ns [2][]float64
			data := append(make([]byte, 14), x.frame...)
			for range rounds {
				for i, p := range []*ebpf.Program{empty, f.program} {
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
		})
	}
}

// BenchmarkSocket sends bulk to a socket of its own that drops it, and reports
// by how much the classic filter of the phase, as the kernel compiles it, and
// this filter are dearer than one that drops everything at once. It is CPU time
// of whole system calls, so a difference of some nanoseconds means nothing.
func BenchmarkSocket(b *testing.B) {
	const rounds, sends = 41, 20_000
	f, err := Load(Config{Phase: "provisioning"})
	privileged(b, err)
	defer f.Close()
	built, err := filter.Build(&filter.Request{Phase: catalog.Provisioning})
	if err != nil {
		b.Fatal(err)
	}
	classic, err := filter.Compile(built.Expr, filter.Target{Link: capture.LinkEthernet, Live: true})
	if err != nil {
		b.Fatal(err)
	}
	frames := map[string][]byte{
		"bulk-tcp": synth.TCP(rack, node, 40000, 40001, synth.Segment{Flags: 0x10, Payload: make([]byte, 1400)}),
		"bulk-udp": synth.UDP(rack, node, 40000, 40001, make([]byte, 1400)),
	}
	sockets := []int{socketPair(b), socketPair(b), socketPair(b)}
	attachClassic(b, sockets[0], []bpf.RawInstruction{{Op: 6}}) // ret #0
	attachClassic(b, sockets[1], classic)
	if err := unix.SetsockoptInt(receivers[sockets[2]], unix.SOL_SOCKET, unix.SO_ATTACH_BPF, f.FD()); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"bulk-tcp", "bulk-udp"} {
		b.Run(name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var ns [3][]float64
			for range rounds {
				for i, fd := range sockets {
					begin := threadTime(b)
					for range sends {
						if _, err := unix.SendmsgN(fd, frames[name], nil, nil, unix.MSG_DONTWAIT); err != nil {
							if err == unix.EAGAIN { // a sample passed, and nobody reads
								continue
							}
							b.Fatal(err)
						}
					}
					ns[i] = append(ns[i], (threadTime(b)-begin)/sends)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(ns[0]), "ns-send")
			b.ReportMetric(median(ns[1])-median(ns[0]), "ns-classic")
			b.ReportMetric(median(ns[2])-median(ns[0]), "ns-follow")
			b.ReportMetric(float64(len(classic)), "classic-instructions")
		})
	}
}

// receivers are the other ends of socket pairs.
var receivers = make(map[int]int)

func socketPair(b *testing.B) int {
	b.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { unix.Close(p[0]); unix.Close(p[1]) })
	receivers[p[0]] = p[1]
	return p[0]
}

func attachClassic(b *testing.B, fd int, p []bpf.RawInstruction) {
	b.Helper()
	f := make([]unix.SockFilter, len(p))
	for i, in := range p {
		f[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	if err := unix.SetsockoptSockFprog(receivers[fd], unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}); err != nil {
		b.Fatal(err)
	}
}

// threadTime is the CPU time of this thread in nanoseconds.
func threadTime(b *testing.B) float64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return float64(t.Nano())
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
