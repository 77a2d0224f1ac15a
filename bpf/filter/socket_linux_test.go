package filter

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live/netlab"
	"github.com/pxescope/pxescope/capture/synth"
)

// On real packet sockets the programs for live keep what libpcap's keep of
// frames with every kind of tag: the kernel takes the outermost one out, of
// 802.1Q and of 802.1ad, and leaves the others.
func TestLiveSocket(t *testing.T) {
	ns := netlab.Namespace(t, "filter")
	netlab.Pair(t, ns, "eth0", ns, "eth1")
	golden, err := os.ReadFile("testdata/live.golden")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	var ours, theirs []*packetSocket
	var from, last *packetSocket
	err = netlab.In(ns, func() error {
		if from, err = openPacket("eth0"); err != nil {
			return err
		}
		// The kernel hands a frame to the oldest listener last.
		if last, err = openPacket("eth1"); err != nil {
			return err
		}
		if err := last.attach([]bpf.RawInstruction{{Op: opReturn, K: 2048}}); err != nil {
			return err
		}
		for line := range strings.Lines(string(golden)) {
			text, program, _ := strings.Cut(strings.TrimSpace(line), "\t")
			want, err := parseDecimal(program)
			if err != nil {
				return err
			}
			got, err := Compile(must(Parse(text)), Target{Link: capture.LinkEthernet, Live: true})
			if err != nil {
				return err
			}
			a, err := openPacket("eth1")
			if err != nil {
				return err
			}
			if err := a.attach(got); err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
			b, err := openPacket("eth1")
			if err != nil {
				return err
			}
			if err := b.attach(want); err == unix.EINVAL {
				t.Logf("%s: the kernel refuses libpcap's program, not this one", text)
				unix.Close(a.fd)
				unix.Close(b.fd)
				continue
			} else if err != nil {
				return fmt.Errorf("%s: libpcap's program: %w", text, err)
			}
			texts, ours, theirs = append(texts, text), append(ours, a), append(theirs, b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	names, frames := taggedFrames()
	for i, f := range frames {
		// A mark of its own at the end tells a frame from others.
		f = append(f, 0xfe, 0xed, byte(i), 0)
		if err := unix.Sendto(from.fd, f, 0, from.address); err != nil {
			t.Fatalf("%s: %v", names[i], err)
		}
	}
	if got := last.marks(t, len(frames), 10*time.Second); len(got) != len(frames) {
		t.Fatalf("got %d of %d frames without a filter", len(got), len(frames))
	}
	kept := 0
	for i, text := range texts {
		got, want := ours[i].marks(t, len(frames), 0), theirs[i].marks(t, len(frames), 0)
		if !slices.Equal(got, want) {
			t.Errorf("%s: keeps %s, libpcap's %s", text, pickNames(names, got), pickNames(names, want))
		}
		kept += len(got)
		if want, ok := liveKeeps[text]; ok && pickNames(names, got) != want {
			t.Errorf("%s: keeps %q, want %q", text, pickNames(names, got), want)
		}
	}
	if kept < 2*len(texts) {
		t.Errorf("%d frames kept by %d programs: this proves nothing", kept, len(texts))
	}
}

// liveKeeps are some of the golden expressions in full, with what a person
// expects of them.
var liveKeeps = map[string]string{
	"vlan":                                  "tag 10, priority, 10 in 100, 10 in 100 (802.1ad), tagged tcp, tagged arp",
	"vlan 0":                                "priority",
	"vlan 10":                               "tag 10",
	"vlan 100":                              "10 in 100, 10 in 100 (802.1ad)",
	"vlan 10 and vlan 100":                  "",
	"vlan and vlan":                         "10 in 100, 10 in 100 (802.1ad)",
	"not vlan":                              "plain, tcp, arp",
	"vlan and arp":                          "tagged arp",
	"vlan 10 and udp port 67":               "tag 10",
	"udp port 67":                           "plain, tag 10, priority", // the tag is beside the packet
	"vlan and tcp[tcpflags] & tcp-syn != 0": "tagged tcp",
}

// taggedFrames are one of each kind of tag.
func taggedFrames() (names []string, frames [][]byte) {
	node, rack := synth.NewHost("52:54:00:12:34:56", "10.0.0.57"), synth.NewHost("52:54:00:00:00:02", "10.0.0.1")
	var c synth.Capture
	c.Dial(0, node, 49300, rack, 80).Open()
	syn := c.Packets[0].Data
	arp := synth.ARP(1, node, rack)
	add := func(name string, frame []byte, tags ...uint32) {
		f := append([]byte(nil), frame[:12]...)
		for _, t := range tags {
			f = binary.BigEndian.AppendUint32(f, t)
		}
		names, frames = append(names, name), append(frames, append(f, frame[12:]...))
	}
	dhcp := dhcpFrame()
	add("plain", dhcp)
	add("tcp", syn)
	add("arp", arp)
	add("tag 10", dhcp, 0x8100_000a)
	add("priority", dhcp, 0x8100_a000)
	add("10 in 100", dhcp, 0x8100_0064, 0x8100_000a)
	add("10 in 100 (802.1ad)", dhcp, 0x88a8_0064, 0x8100_000a)
	add("tagged tcp", syn, 0x8100_6005)
	add("tagged arp", arp, 0x8100_0007)
	return names, frames
}

func pickNames(names []string, at []int) string {
	var out []string
	for _, i := range at {
		out = append(out, names[i])
	}
	return strings.Join(out, ", ")
}

// A packetSocket is AF_PACKET on one interface.
type packetSocket struct {
	fd      int
	address *unix.SockaddrLinklayer
}

const allTypes = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // network byte order

func openPacket(name string) (*packetSocket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	r, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r); err != nil {
		return nil, err
	}
	return &packetSocket{fd, &unix.SockaddrLinklayer{Ifindex: int(r.Uint32()), Protocol: allTypes}}, nil
}

// attach filters first and listens then, so that nothing else comes in.
func (s *packetSocket) attach(p []bpf.RawInstruction) error {
	f := make([]unix.SockFilter, len(p))
	for i, in := range p {
		f[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	if err := unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}); err != nil {
		return err
	}
	return unix.Bind(s.fd, s.address)
}

// marks are the numbers of the frames that came: at most n, waiting for each.
func (s *packetSocket) marks(t *testing.T, n int, wait time.Duration) []int {
	t.Helper()
	defer unix.Close(s.fd)
	var out []int
	buf := make([]byte, 2048)
	for len(out) < n {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, int(wait.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err != nil || ready == 0 {
			break
		}
		size, _, err := unix.Recvfrom(s.fd, buf, 0)
		if err != nil {
			t.Fatal(err)
		}
		if size >= 4 && buf[size-4] == 0xfe && buf[size-3] == 0xed {
			out = append(out, int(buf[size-2]))
		}
	}
	return out
}
