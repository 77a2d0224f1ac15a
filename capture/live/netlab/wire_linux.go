package netlab

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// A Wire sends frames from an interface. Several goroutines may use it.
type Wire struct {
	t     TB
	index int

	mu sync.Mutex
	fd int // -1: closed
}

// NewWire opens the interface of a namespace until the end of the test.
func NewWire(t TB, ns, name string) *Wire {
	t.Helper()
	w := &Wire{t: t, fd: -1}
	err := In(ns, func() error {
		ifc, err := net.InterfaceByName(name)
		if err != nil {
			return fmt.Errorf("interface %s: %w", name, err)
		}
		w.index = ifc.Index
		w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		return err
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		unix.Close(w.fd)
		w.fd = -1
	})
	return w
}

// Send sends Ethernet frames.
func (w *Wire) Send(frames ...[]byte) {
	w.t.Helper()
	for _, f := range frames {
		if err := w.Try(f); err != nil {
			w.t.Fatalf("%v", err)
		}
	}
}

// Try sends a frame where it may be that the interface is down or gone, or the
// test at its end.
func (w *Wire) Try(f []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	// The type is what the device layer would have set.
	to := &unix.SockaddrLinklayer{Ifindex: w.index, Protocol: binary.NativeEndian.Uint16(f[12:14])}
	if err := unix.Sendto(w.fd, f, 0, to); err != nil {
		return fmt.Errorf("send %d bytes: %w", len(f), err)
	}
	return nil
}
