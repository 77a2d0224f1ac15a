package replay

import (
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture/live/netlab"
)

// A socket sends frames on one interface.
type socket struct{ fd int }

// open makes the socket in the namespace; it stays there, whatever its user
// does.
func open(iface, netns string) (s *socket, err error) {
	if netns == "" {
		return openHere(iface)
	}
	err = netlab.In(netns, func() (err error) {
		s, err = openHere(iface)
		return err
	})
	return s, err
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
