package counter

import (
	"fmt"
	"net"
	"os"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const (
	tcxIngress = ebpf.AttachTCXIngress
	tcxEgress  = ebpf.AttachTCXEgress
)

// attachSocket counts on a packet socket that receives nothing. The filter
// comes before the binding, so that no packet of another interface passes it.
func (c *Counter) attachSocket(ifc net.Interface, n int) error {
	p, err := c.m.program(Socket, n, false, false)
	if err != nil {
		return err
	}
	defer p.Close() // the socket keeps it
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a packet socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), "packet socket")
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, p.FD()); err != nil {
		f.Close()
		return fmt.Errorf("attach the counter to a packet socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: allProtocols(), Ifindex: ifc.Index}); err != nil {
		f.Close()
		return fmt.Errorf("bind a packet socket: %w", err)
	}
	c.attached = append(c.attached, f)
	return nil
}

// allProtocols is ETH_P_ALL in network order.
func allProtocols() uint16 {
	return order.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL & 0xff})
}
