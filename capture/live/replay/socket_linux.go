package replay

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// A socket sends frames on one interface.
type socket struct{ fd int }

// open makes the socket in the namespace; it stays there, whatever its user
// does.
func open(iface, netns string) (*socket, error) {
	if netns == "" {
		return openHere(iface)
	}
	type result struct {
		s   *socket
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ns, err := unix.Open(filepath.Join("/run/netns", netns), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(ns, unix.CLONE_NEWNET)
			unix.Close(ns)
		}
		if err != nil {
			done <- result{nil, fmt.Errorf("enter network namespace %s: %w", netns, err)}
			return
		}
		s, err := openHere(iface)
		done <- result{s, err}
	}()
	r := <-done
	return r.s, r.err
}

func openHere(iface string) (*socket, error) {
	i, err := net.InterfaceByName(iface)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", iface, err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: i.Index}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind to %s: %w", iface, err)
	}
	return &socket{fd}, nil
}

func (s *socket) send(frame []byte) error {
	for {
		_, err := unix.Write(s.fd, frame)
		if errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.EAGAIN) {
			time.Sleep(100 * time.Microsecond)
			continue
		}
		return err
	}
}

func (s *socket) close() { unix.Close(s.fd) }
