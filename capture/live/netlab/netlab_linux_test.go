package netlab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Frames of up to the MTU cross a pair and nothing else does; nothing is left
// of it at the end of a test.
func TestLab(t *testing.T) {
	var near, far string
	t.Run("one", func(t *testing.T) {
		l := New(t, "eth0", "eth1")
		near, far = l.Near, l.Far
		if !strings.Contains(near, fmt.Sprint(os.Getpid())) {
			t.Errorf("got the name %q without the process's id", near)
		}
		var fd int
		l.In(near, func() error {
			ifc, err := net.InterfaceByName("eth1")
			if err != nil {
				return err
			}
			if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
				return err
			}
			return errors.Join(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 20}),
				unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8, Ifindex: ifc.Index}))
		})
		defer unix.Close(fd)
		var frames [][]byte
		for _, size := range []int{60, 1514, MTU + 14} {
			frames = append(frames, append([]byte{2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5}, make([]byte, size-14)...))
		}
		l.Wire(far, "eth1").Send(frames...)
		b := make([]byte, 1<<16)
		for i, want := range frames {
			n, _, err := unix.Recvfrom(fd, b, 0)
			if err != nil || !slices.Equal(b[:n], want) {
				t.Fatalf("frame %d: got %d bytes, %v, want %d and nothing else on the wire", i, n, err, len(want))
			}
		}
	})
	for _, ns := range []string{near, far} {
		if err := In(ns, func() error { return nil }); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: got %v after the test, want that it is gone", ns, err)
		}
	}
}

// A wire does not send after the end of its test, where its number may be
// another file's.
func TestWireEnds(t *testing.T) {
	var w *Wire
	t.Run("one", func(t *testing.T) {
		ns := Namespace(t, "here")
		Pair(t, ns, "eth0", ns, "eth1")
		w = NewWire(t, ns, "eth0")
		w.Send(make([]byte, 60))
	})
	if err := w.Try(make([]byte, 60)); !errors.Is(err, unix.EBADF) {
		t.Errorf("got %v, want %v", err, unix.EBADF)
	}
}

// Work in a namespace is done there, its error comes back, and all threads are
// at home afterwards: at once, not when the kernel has ended them.
func TestIn(t *testing.T) {
	ns := Namespace(t, "in")
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("as told")
	for range 100 {
		there := ""
		err := In(ns, func() (err error) {
			if there, err = os.Readlink("/proc/thread-self/ns/net"); err != nil {
				return err
			}
			return failed
		})
		if err != failed || there == home {
			t.Fatalf("got %v in %q, want %v in another than %q", err, there, failed, home)
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if at, err := os.Readlink("/proc/self/task/" + task.Name() + "/ns/net"); err == nil && at != home {
			t.Errorf("thread %s stays in %s", task.Name(), at)
		}
	}
	if err := In(ns+"x", func() error { return failed }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such namespace: got %v, want %v", err, os.ErrNotExist)
	}
}

// A thread that was given up, as one without rights is, ends.
func TestInGivenUp(t *testing.T) {
	ns := Namespace(t, "up")
	id := 0
	if err := In(ns, func() error {
		runtime.LockOSThread()
		id = unix.Gettid()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); unix.Tgkill(os.Getpid(), id, 0) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("thread %d goes on", id)
		}
	}
}
