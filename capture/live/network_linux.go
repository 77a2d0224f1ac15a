package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A network asks the kernel about interfaces, through sockets of the network
// namespace in which it was opened and without any right.
type network struct {
	events int // rtnetlink, says that something changed
	ask    int // rtnetlink, answers
	seq    uint32
	buf    []byte
}

func openNetwork() (*network, error) {
	n := &network{events: -1, ask: -1, buf: make([]byte, 16<<10)}
	open := func(groups uint32, flags int) (int, error) {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|flags, unix.NETLINK_ROUTE)
		if err != nil {
			return -1, fmt.Errorf("open a netlink socket: %w", err)
		}
		if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("bind a netlink socket: %w", err)
		}
		return fd, nil
	}
	var err error
	if n.events, err = open(unix.RTMGRP_LINK, unix.SOCK_NONBLOCK); err != nil {
		return nil, err
	}
	if n.ask, err = open(0, 0); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

func (n *network) close() {
	for _, fd := range []*int{&n.events, &n.ask} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
}

// drain takes the events: what they say is asked for anew, so that one that was
// lost does no harm.
func (n *network) drain() {
	for {
		if _, _, err := unix.Recvfrom(n.events, n.buf, 0); err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// name is what an interface is called; ENODEV when there is none.
func (n *network) name(index int) (string, error) {
	r, err := unix.NewIfreq("")
	if err != nil {
		return "", err
	}
	r.SetUint32(uint32(index))
	if err := unix.IoctlIfreq(n.ask, unix.SIOCGIFNAME, r); err != nil {
		return "", err
	}
	return r.Name(), nil
}

func (n *network) flags(name string) (uint16, error) {
	r, err := n.request(name, unix.SIOCGIFFLAGS)
	if err != nil {
		return 0, err
	}
	return r.Uint16(), nil
}

func (n *network) request(name string, number uint) (*unix.Ifreq, error) {
	r, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	return r, unix.IoctlIfreq(n.ask, number, r)
}

// find looks up an interface by its name.
func (n *network) find(name string) (*device, error) {
	index, err := n.request(name, unix.SIOCGIFINDEX)
	if err != nil {
		return nil, &Error{fmt.Errorf("interface %q: %w", name, ErrNoInterface), suggest(name)}
	}
	d := &device{asked: name, name: name, index: int(index.Uint32())}
	hw, err := n.request(name, unix.SIOCGIFHWADDR)
	if err != nil {
		return nil, fmt.Errorf("ask for the link type of %s: %w", name, err)
	}
	d.setType(hw.Uint16())
	flags, err := n.flags(name)
	if err != nil {
		return nil, fmt.Errorf("ask for the state of %s: %w", name, err)
	}
	d.up, d.carrier = flags&unix.IFF_UP != 0, flags&unix.IFF_RUNNING != 0
	d.missedBase, _ = n.missed(d.index)
	return d, nil
}

// Offsets in struct rtnl_link_stats64, in words (include/uapi/linux/if_link.h).
const (
	statRxFIFO   = 14
	statRxMissed = 15
)

// missed is how many packets an interface lost before any socket could see
// them, by what libpcap counts: missed ones and FIFO errors. The drops that
// the kernel counts also have packets that no protocol wanted.
func (n *network) missed(index int) (uint64, bool) {
	if n.ask < 0 || index == 0 {
		return 0, false
	}
	n.seq++
	var req [unix.SizeofNlMsghdr + unix.SizeofIfInfomsg]byte
	e := binary.NativeEndian
	e.PutUint32(req[0:], uint32(len(req)))
	e.PutUint16(req[4:], unix.RTM_GETLINK)
	e.PutUint16(req[6:], unix.NLM_F_REQUEST)
	e.PutUint32(req[8:], n.seq)
	e.PutUint32(req[unix.SizeofNlMsghdr+4:], uint32(index))
	if err := unix.Sendto(n.ask, req[:], 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, false
	}
	for {
		got, _, err := unix.Recvfrom(n.ask, n.buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, false
		}
		messages, err := syscall.ParseNetlinkMessage(n.buf[:got])
		if err != nil {
			return 0, false
		}
		for i := range messages {
			m := &messages[i]
			switch {
			case m.Header.Seq != n.seq:
			case m.Header.Type != unix.RTM_NEWLINK:
				return 0, false
			default:
				return linkStats(m)
			}
		}
	}
}

func linkStats(m *syscall.NetlinkMessage) (uint64, bool) {
	attrs, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return 0, false
	}
	for _, a := range attrs {
		if a.Attr.Type == unix.IFLA_STATS64 && len(a.Value) >= 8*(statRxMissed+1) {
			e := binary.NativeEndian
			return e.Uint64(a.Value[8*statRxFIFO:]) + e.Uint64(a.Value[8*statRxMissed:]), true
		}
	}
	return 0, false
}

// netNSDir has the names of network namespaces (ip-netns(8)).
const netNSDir = "/run/netns"

// inNetNS runs do in a network namespace. What it opens stays there.
func inNetNS(name string, do func() error) error {
	if name == "" {
		return do()
	}
	path := name
	if !strings.Contains(name, "/") {
		path = filepath.Join(netNSDir, name)
	}
	f, err := os.Open(path)
	if err != nil {
		e := &Error{fmt.Errorf("network namespace %q: %w", name, err), "'ip netns' lists them"}
		if errors.Is(err, os.ErrPermission) {
			e.Err = fmt.Errorf("network namespace %q: %w", name, ErrPermission)
		}
		return e
	}
	defer f.Close()
	done := make(chan error)
	go func() { done <- onThreadIn(f, name, do) }()
	return <-done
}

// onThreadIn takes the thread of a goroutine into a namespace and back. If it
// cannot go back the thread stays locked, and ends with the goroutine.
func onThreadIn(ns *os.File, name string, do func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("remember the network namespace: %w", err)
	}
	defer home.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		if errors.Is(err, unix.EPERM) {
			return &Error{fmt.Errorf("entering network namespace %q needs CAP_SYS_ADMIN: %w", name, ErrPermission), "run it with sudo"}
		}
		return &Error{fmt.Errorf("enter network namespace %q: %w", name, err), "'ip netns' lists them"}
	}
	err = do()
	if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	return err
}

// suggest says which interfaces there are when one is not.
func suggest(name string) string {
	list, err := net.Interfaces()
	if err != nil || len(list) == 0 {
		return "'pxescope live -D' lists them"
	}
	var names []string
	for _, i := range list {
		names = append(names, i.Name)
	}
	return similar(name, names)
}
