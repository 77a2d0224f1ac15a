//go:build linux

package counter

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/catalog"
)

// BenchmarkFlood sends packets through a veth pair at whose receiving end sit, in
// turn: an empty tcx program, the counter, the counter behind a filter; then an
// empty nftables chain, and one with a set that has counters for the same ports
// and is asked for destination and source; then an empty XDP program and the
// counter as one. Half of the packets are of those ports.
//
// veth delivers within the sender's system call, so the CPU time of the sending
// thread is all that a packet costs, softirq included (but not on kernels with
// CONFIG_IRQ_TIME_ACCOUNTING, which keep it apart). The thread stays on one CPU,
// the programs take turns of a millisecond, and differences are taken within a
// round: what else the machine does hits them alike. Where in memory an
// interface, a program or a map lies is worth some ns: each epoch has new ones.
func BenchmarkFlood(b *testing.B) {
	const epochs = 7
	if _, err := exec.LookPath("nft"); err != nil {
		b.Skip("needs nft (package nftables) to compare with")
	}
	var over [4][]float64 // medians of epochs
	var base []float64
	for range epochs {
		e := newFloodEpoch(b)
		spent := e.run()
		base = append(base, median(slices.Clone(spent[tcxEmpty])))
		for i, of := range [][2]int{{tcxCounter, tcxEmpty}, {tcxFilter, tcxEmpty}, {xdpCounter, xdpEmpty}, {nftSet, nftEmpty}} {
			var d []float64
			for r := range spent[of[0]] {
				d = append(d, spent[of[0]][r]-spent[of[1]][r])
			}
			over[i] = append(over[i], median(d))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(over[0]), "ns-counter")
	b.ReportMetric(median(over[1]), "ns-counter-filter")
	b.ReportMetric(median(over[2]), "ns-counter-xdp")
	nft := median(over[3])
	b.ReportMetric(nft, "ns-nft-set")
	for i, name := range []string{"counter on tcx", "the same behind the provisioning filter", "counter on XDP", "nftables set"} {
		b.Logf("%-40s +%.1f ns a packet; epochs %.1f", name, median(over[i]), over[i])
	}
	b.Logf("over %.1f ns with an empty program; counter to nftables 1/%.1f on tcx, 1/%.1f on XDP (the bar: 1/20)",
		median(base), nft/median(over[0]), nft/median(over[2]))
}

// States of the receiving end.
const (
	tcxEmpty = iota
	tcxCounter
	tcxFilter
	xdpEmpty
	xdpCounter
	nftEmpty
	nftSet
	floodStates
)

// A floodEpoch is one pair and one set of programs.
type floodEpoch struct {
	*lab
	layout   *Layout
	programs [nftEmpty]*ebpf.Program
	link     link.Link
}

func newFloodEpoch(b *testing.B) *floodEpoch {
	e := &floodEpoch{lab: newLab(b), layout: testLayout(b)}
	var err error
	for i, p := range map[int]ebpf.ProgramSpec{tcxEmpty: {Type: ebpf.SchedCLS}, xdpEmpty: {Type: ebpf.XDP, Flags: bpfXDPHasFrags}} {
		p.License = "MIT"
		p.Instructions = asm.Instructions{asm.Mov.Imm(asm.R0, map[int]int32{tcxEmpty: tcxNext, xdpEmpty: xdpPass}[i]), asm.Return()}
		e.programs[i], err = ebpf.NewProgram(&p)
		privileged(b, err)
	}
	for i, of := range map[int]struct {
		hook   Hook
		filter *filter.Expr
	}{tcxCounter: {TCX, nil}, tcxFilter: {TCX, provisioning(b)}, xdpCounter: {XDP, nil}} {
		m, err := newMaps(e.layout, of.filter, 2)
		privileged(b, err)
		b.Cleanup(func() { m.close() })
		e.programs[i], err = m.program(of.hook, 0, of.hook == XDP, false)
		privileged(b, err)
	}
	e.attach(func(index int) (link.Link, error) {
		return link.AttachTCX(link.TCXOptions{Interface: index, Program: e.programs[tcxEmpty], Attach: tcxIngress})
	})
	return e
}

// run is the ns a packet of each state, by round.
func (e *floodEpoch) run() (spent [floodStates][]float64) {
	order := rand.New(rand.NewPCG(1, 2))
	frames := floodFrames(e.layout)
	e.rounds(frames, &spent, func() []int { return append(order.Perm(xdpEmpty), nftEmpty, nftSet) })
	e.link.Close()
	// The driver of veth works otherwise once it has an XDP program.
	e.attach(func(index int) (link.Link, error) {
		return link.AttachXDP(link.XDPOptions{Interface: index, Program: e.programs[xdpEmpty], Flags: link.XDPDriverMode})
	})
	e.rounds(frames, &spent, func() []int {
		first := order.IntN(2)
		return []int{xdpEmpty + first, xdpCounter - first}
	})
	e.link.Close()
	return spent
}

// rounds lets states take turns.
func (e *floodEpoch) rounds(frames [][]byte, spent *[floodStates][]float64, states func() []int) {
	const rounds, slice, warm = 40, 1000, 300
	e.in(e.Far, func() error {
		if err := onOneCPU(); err != nil {
			return err
		}
		fd, err := rawSocket("veth0")
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for r := range rounds + 2 {
			for _, i := range states() {
				if err := e.become(i); err != nil {
					return err
				}
				if _, err := flood(fd, frames, warm); err != nil {
					return err
				}
				ns, err := flood(fd, frames, slice)
				if err != nil {
					return err
				}
				if r >= 2 { // the first ones warm up
					spent[i] = append(spent[i], ns/slice)
				}
				if i == nftSet {
					if err := e.nft("delete table netdev flood"); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

// attach puts a program at the receiving end.
func (e *floodEpoch) attach(how func(index int) (link.Link, error)) {
	e.in(e.Near, func() error {
		ifc, err := net.InterfaceByName("veth0")
		if err == nil {
			e.link, err = how(ifc.Index)
		}
		return err
	})
}

// become changes the receiving end.
func (e *floodEpoch) become(state int) error {
	switch state {
	case nftEmpty:
		if err := e.link.Update(e.programs[tcxEmpty]); err != nil {
			return err
		}
		return e.nft(nftTable(nil))
	case nftSet:
		return e.nft("delete table netdev flood\n" + nftTable(e.layout))
	}
	return e.link.Update(e.programs[state])
}

// onOneCPU keeps the thread where it is: the last CPU that it may run on.
func onOneCPU() error {
	runtime.LockOSThread()
	var cpus, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		return err
	}
	for cpu := 1023; cpu >= 0 && one.Count() == 0; cpu-- {
		if cpus.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -20) // helps; without it there is more noise
	return unix.SchedSetaffinity(0, &one)
}

// flood sends n frames and tells what CPU time the thread spent.
func flood(fd int, frames [][]byte, n int) (float64, error) {
	var before, after unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &before); err != nil {
		return 0, err
	}
	for i := range n {
		if _, err := unix.Write(fd, frames[i%len(frames)]); err != nil {
			return 0, fmt.Errorf("flood: %w", err)
		}
	}
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &after); err != nil {
		return 0, err
	}
	return float64(after.Nano() - before.Nano()), nil
}

// rawSocket sends on an interface, without a queueing discipline.
func rawSocket(name string) (int, error) {
	ifc, err := net.InterfaceByName(name)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: ifc.Index})
	}
	if err != nil {
		unix.Close(fd)
	}
	return fd, err
}

// floodFrames are UDP and TCP to and from services' ports, and as many of none.
// They go to a MAC of nobody: behind the hook all of them are dropped alike.
func floodFrames(l *Layout) (frames [][]byte) {
	a, c := synth.NewHost("52:54:00:00:00:01", "10.0.0.1"), synth.NewHost("52:54:00:00:00:99", "10.0.0.2")
	for i, s := range l.slots {
		if s.Kind != PortKind || s.Port != s.Last {
			continue
		}
		src, dst := uint16(40000+i), s.Port
		if i%2 == 1 {
			src, dst = dst, src
		}
		for _, ports := range [][2]uint16{{src, dst}, {uint16(41000 + i), uint16(42000 + i)}} {
			if s.Proto == catalog.UDP {
				frames = append(frames, synth.UDP(a, c, ports[0], ports[1], make([]byte, 60)))
			} else {
				frames = append(frames, synth.TCP(a, c, ports[0], ports[1], synth.Segment{Payload: make([]byte, 60)}))
			}
		}
	}
	return frames
}

// nftTable is a chain at the ingress of veth0, with a set of the ports of l, or
// empty.
func nftTable(l *Layout) string {
	var set, rules string
	if l != nil {
		var ports []string
		for _, s := range l.slots {
			if p := fmt.Sprintf("%s . %d", s.Proto, s.Port); s.Kind == PortKind && s.Port == s.Last && !slices.Contains(ports, p) {
				ports = append(ports, p)
			}
		}
		set = fmt.Sprintf("set ports { type inet_proto . inet_service; counter; elements = { %s }; }\n", strings.Join(ports, ", "))
		rules = "meta l4proto . th dport @ports\nmeta l4proto . th sport @ports\n"
	}
	return "table netdev flood {\n" + set + "chain c {\ntype filter hook ingress device veth0 priority 0; policy accept;\n" + rules + "}\n}\n"
}

func (l *lab) nft(script string) error {
	c := exec.Command("ip", "netns", "exec", l.Near, "nft", "-f", "-")
	c.Stdin = strings.NewReader(script)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, out)
	}
	return nil
}
