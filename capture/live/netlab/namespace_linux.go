package netlab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// The main goroutine keeps the main thread for itself: that one does not end
// with a goroutine that locked it, and would stay where In took it.
func init() { runtime.LockOSThread() }

var namespaces atomic.Int32

// Namespace makes a network namespace and returns its name, which ends with
// the one given. It is without IPv6, whose multicast would be traffic. A test
// that may not make one ends as in Lacking.
func Namespace(t TB, name string) string {
	t.Helper()
	Root(t, "CAP_SYS_ADMIN and CAP_NET_ADMIN for network namespaces, CAP_NET_RAW for packet sockets")
	ns := fmt.Sprintf("pxescope-%d-%d-%s", os.Getpid(), namespaces.Add(1), name)
	if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
		Lacking(t, "needs CAP_SYS_ADMIN: ip netns add: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", ns).CombinedOutput(); err != nil {
			t.Errorf("ip netns del %s: %v: %s", ns, err, out)
		}
	})
	err := In(ns, func() error {
		return os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
		t.Fatalf("%v", err)
	}
	return ns
}

// IP runs ip(8), and fails the test when that fails.
func IP(t TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

// In runs do on a thread in the network namespace with this name, from a
// goroutine of its own: do must not end the test. What it opens stays there,
// and what it starts runs there.
//
// The thread goes back. One that was left locked instead would end with its
// goroutine, but the kernel takes its time, and so long the process has a
// thread where it should have none. So it is only with a thread that do took
// the right to go back from.
func In(ns string, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- onThreadIn(ns, do) }()
	return <-done
}

func onThreadIn(ns string, do func() error) error {
	there, err := os.Open(filepath.Join("/run/netns", ns))
	if err != nil {
		return fmt.Errorf("network namespace: %w", err)
	}
	defer there.Close()
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("remember the network namespace: %w", err)
	}
	defer home.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace %s: %w", ns, err)
	}
	err = do()
	if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	return err
}
