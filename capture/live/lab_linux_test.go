package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
)

// limit is when a test gives up waiting for the kernel.
const limit = 20 * time.Second

// A lab is two network namespaces that nobody else uses, with veth pairs
// between them: each has one end of a pair under the same name.
type lab struct {
	t         *testing.T
	near, far string // the capture is in near
}

var labs int

// newLab makes the namespaces and pairs with these names, up.
func newLab(t *testing.T, pairs ...string) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root in CI")
		}
		t.Skip("needs root: CAP_NET_RAW, CAP_NET_ADMIN and CAP_SYS_ADMIN for network namespaces")
	}
	labs++
	id := fmt.Sprintf("pxelive%d-%d", os.Getpid(), labs)
	l := &lab{t, id + "-near", id + "-far"}
	for _, ns := range []string{l.near, l.far} {
		l.ip("netns", "add", ns)
		t.Cleanup(func() { exec.Command("ip", "netns", "del", ns).Run() })
		l.ip("netns", "exec", ns, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
	}
	for _, name := range pairs {
		l.pair(name)
	}
	return l
}

func (l *lab) pair(name string) {
	l.t.Helper()
	l.ip("-n", l.near, "link", "add", name, "type", "veth", "peer", "name", name, "netns", l.far)
	for _, ns := range []string{l.near, l.far} {
		l.ip("-n", ns, "link", "set", name, "arp", "off", "up")
	}
}

func (l *lab) ip(args ...string) {
	l.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		l.t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

// in runs do on a thread inside a namespace.
func (l *lab) in(ns string, do func() error) {
	l.t.Helper()
	if err := inNetNS(ns, do); err != nil {
		l.t.Fatal(err)
	}
}

// A wire sends frames from one end.
type wire struct {
	t  *testing.T
	mu sync.Mutex
	fd int // -1: closed
	to unix.SockaddrLinklayer
}

func (l *lab) wire(ns, name string) *wire {
	l.t.Helper()
	w := &wire{t: l.t}
	l.in(ns, func() error {
		ifc, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		w.to.Ifindex = ifc.Index
		w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	})
	l.t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		unix.Close(w.fd)
		w.fd = -1
	})
	return w
}

func (w *wire) send(frames ...[]byte) {
	w.t.Helper()
	for _, f := range frames {
		if err := w.try(f); err != nil {
			w.t.Fatalf("send %d bytes: %v", len(f), err)
		}
	}
}

func (w *wire) try(f []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	to := w.to
	// The type is what the device layer would have set.
	to.Protocol = binary.NativeEndian.Uint16(f[12:14])
	return unix.Sendto(w.fd, f, 0, &to)
}

// frame is one of a type that nothing answers, with a number in it.
func frame(n uint32, size int) []byte {
	f := make([]byte, size)
	copy(f, []byte{2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5}) // IEEE 802 local experimental
	binary.BigEndian.PutUint32(f[14:], n)
	for i := 18; i < size; i++ {
		f[i] = byte(i) ^ byte(n)
	}
	return f
}

func number(data []byte) uint32 {
	if len(data) < 18 || data[12] != 0x88 || data[13] != 0xb5 {
		return 0
	}
	return binary.BigEndian.Uint32(data[14:])
}

func numbered(first, n uint32, size int) (list [][]byte) {
	for i := range n {
		list = append(list, frame(first+i, size))
	}
	return list
}

// notices collects what a capture says.
type notices struct {
	mu   sync.Mutex
	list []string
}

func (n *notices) add(s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, s)
}

func (n *notices) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.list, "\n")
}

// A session is a capture under test.
type session struct {
	*Capture
	t     *testing.T
	said  *notices
	ticks int
}

func (l *lab) open(o Options) *session {
	l.t.Helper()
	s := &session{t: l.t, said: &notices{}}
	if o.NetNS == "" {
		o.NetNS = l.near
	}
	if o.Tick == 0 {
		o.Tick = 10 * time.Millisecond
	}
	o.Notice = s.said.add
	c, err := Open(o)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { c.Close() })
	s.Capture = c
	return s
}

// A kept packet has its own data.
type kept struct {
	capture.Packet
	data []byte
}

func keep(p *capture.Packet) kept { return kept{*p, append([]byte(nil), p.Data...)} }

// until reads until done is satisfied, and fails when that takes too long.
func (s *session) until(what string, done func(p *capture.Packet) bool) {
	s.t.Helper()
	end := time.Now().Add(limit)
	var p capture.Packet
	for {
		if err := s.Next(&p); err != nil {
			s.t.Fatalf("while waiting for %s: %v", what, err)
		}
		if p.Tick() {
			s.ticks++
		}
		if done(&p) {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("gave up waiting for %s; it said:\n%s", what, s.said)
		}
	}
}

// take reads n packets.
func (s *session) take(n int) (list []kept) {
	s.t.Helper()
	s.until(fmt.Sprintf("%d packets", n), func(p *capture.Packet) bool {
		if !p.Tick() {
			list = append(list, keep(p))
		}
		return len(list) == n
	})
	return list
}

// rest stops the capture and reads what is left.
func (s *session) rest() (list []kept) {
	s.t.Helper()
	s.Stop()
	var p capture.Packet
	for {
		err := s.Next(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if !p.Tick() {
			list = append(list, keep(&p))
		}
	}
}

// waitFor reads until the capture has said something.
func (s *session) waitFor(text string) {
	s.t.Helper()
	s.until("the notice "+text, func(*capture.Packet) bool { return strings.Contains(s.said.String(), text) })
}
