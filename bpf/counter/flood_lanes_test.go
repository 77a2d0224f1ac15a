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
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture/live/netlab"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/catalog"
)

// lanes are veth pairs, as many as there are states.
type lanes struct {
	*lab
	senders []*sender
	links   []link.Link
	nfts    []string // what takes a lane's nftables table away
}

func newLanes(b testing.TB, n int, frames [][]byte) *lanes {
	l := &lanes{&lab{netlab.New(b), b}, make([]*sender, n), make([]link.Link, n), make([]string, n)}
	for i := range n {
		l.Pair(lane(i))
		for _, ns := range []string{l.Near, l.Far} {
			l.IP("-n", ns, "link", "set", lane(i), "mtu", "1500") // XDP in one buffer
		}
	}
	l.in(l.Far, func() (err error) {
		for i := range l.senders {
			if l.senders[i], err = newSender(lane(i), frames); err != nil {
				return err
			}
		}
		return nil
	})
	b.Cleanup(l.close)
	return l
}

func lane(i int) string { return fmt.Sprintf("veth%d", i) }

func (l *lanes) close() {
	for i, s := range l.senders {
		unix.Close(s.fd)
		if l.links[i] != nil {
			l.links[i].Close()
		}
	}
}

// run is the ns a packet of each state, on the lanes from shift on.
func (l *lanes) run(states []floodState, shift int) (spent []float64) {
	l.in(l.Near, func() error {
		for i, s := range states {
			if err := l.arrange((i+shift)%len(states), s); err != nil {
				return err
			}
		}
		return nil
	})
	l.in(l.Far, func() error {
		if err := onOneCPU(); err != nil {
			return err
		}
		turns, err := takeTurns(l.senders, rand.New(rand.NewPCG(1, uint64(shift))))
		for i := range turns {
			spent = append(spent, turns[(i+shift)%len(states)])
		}
		return err
	})
	return spent
}

// arrange puts a state on a lane.
func (l *lanes) arrange(i int, s floodState) (err error) {
	if l.nfts[i] != "" {
		if err := nft(l.nfts[i]); err != nil {
			return err
		}
		l.nfts[i] = ""
	}
	if l.links[i] != nil {
		err = l.links[i].Update(s.program)
	} else {
		err = l.attach(i, s.program)
	}
	if err != nil || s.nft == nil {
		return err
	}
	l.nfts[i] = "delete table netdev " + lane(i)
	return nft(s.nft(lane(i)))
}

func (l *lanes) attach(i int, p *ebpf.Program) error {
	ifc, err := net.InterfaceByName(lane(i))
	if err != nil {
		return err
	}
	if p.Type() == ebpf.XDP {
		l.links[i], err = link.AttachXDP(link.XDPOptions{Interface: ifc.Index, Program: p, Flags: link.XDPDriverMode})
	} else {
		l.links[i], err = link.AttachTCX(link.TCXOptions{Interface: ifc.Index, Program: p, Attach: tcxIngress})
	}
	return err
}

// takeTurns is the ns a packet of each lane, of its turns the 20th percentile.
func takeTurns(senders []*sender, order *rand.Rand) ([]float64, error) {
	const turns, warm, timed = 40, 2, 4 // calls
	all := make([][]float64, len(senders))
	for range turns {
		for _, i := range order.Perm(len(senders)) {
			if _, err := senders[i].flood(warm); err != nil {
				return nil, err
			}
			ns, err := senders[i].flood(timed)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], ns)
		}
	}
	out := make([]float64, len(senders))
	for i, x := range all {
		slices.Sort(x)
		out[i] = x[len(x)/5]
	}
	return out, nil
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

// A sender sends frames on one interface, over and over.
type sender struct {
	fd     int
	frames []message
	next   int
}

// message is struct mmsghdr of the kernel.
type message struct {
	unix.Msghdr
	sent uint32
}

// floodBatch is how many frames go with one system call: a poll of a driver
// takes up to 64.
const floodBatch = 52

func newSender(device string, frames [][]byte) (*sender, error) {
	fd, err := rawSocket(device)
	s := &sender{fd: fd}
	for _, f := range frames[:len(frames)/floodBatch*floodBatch] {
		m := message{Msghdr: unix.Msghdr{Iov: &unix.Iovec{Base: &f[0]}}}
		m.Iov.SetLen(len(f))
		m.SetIovlen(1)
		s.frames = append(s.frames, m)
	}
	return s, err
}

// flood sends some batches and tells what CPU time the thread spent, ns a packet.
func (s *sender) flood(batches int) (float64, error) {
	var before, after unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &before); err != nil {
		return 0, err
	}
	for range batches {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.frames[s.next])), floodBatch, 0, 0, 0)
		if errno != 0 || n != floodBatch {
			return 0, fmt.Errorf("flood: sent %d of %d: %w", n, floodBatch, errno)
		}
		s.next = (s.next + floodBatch) % len(s.frames)
	}
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &after); err != nil {
		return 0, err
	}
	return float64(after.Nano()-before.Nano()) / float64(batches*floodBatch), nil
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

// nftTable is a chain at the ingress of a device, with a set of the ports of l,
// or empty.
func nftTable(l *Layout) func(device string) string {
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
	return func(device string) string {
		return "table netdev " + device + " {\n" + set + "chain c {\ntype filter hook ingress device " + device + " priority 0; policy accept;\n" + rules + "}\n}\n"
	}
}

// nft runs a script in the namespace of the thread.
func nft(script string) error {
	c := exec.Command("nft", "-f", "-")
	c.Stdin = strings.NewReader(script)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, out)
	}
	return nil
}
