package counter

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// learn reads portmap's packets on interfaces until Close. They are some
// dozens per boot, copied to an ordinary packet socket; what it loses under
// load is not learnt.
func (c *Counter) learn(ifaces []net.Interface) error {
	program, err := portmapProgram()
	if err != nil {
		return err
	}
	for _, ifc := range ifaces {
		f, err := filteredSocket(ifc, program)
		if err != nil {
			return fmt.Errorf("learn ports on %s: %w", ifc.Name, err)
		}
		c.reading = append(c.reading, f)
	}
	for i, f := range c.reading {
		c.learning.Add(1)
		go func() {
			defer c.learning.Done()
			if err := c.listen(f); !errors.Is(err, fs.ErrClosed) {
				c.mu.Lock()
				c.learnErr = fmt.Errorf("learn ports on %s: %w", ifaces[i].Name, err)
				c.mu.Unlock()
			}
		}()
	}
	return nil
}

func portmapProgram() ([]unix.SockFilter, error) {
	e, err := filter.Parse(portmapText)
	if err != nil {
		return nil, err
	}
	p, err := filter.Compile(e, filter.Target{Link: capture.LinkEthernet, Live: true})
	if err != nil {
		return nil, err
	}
	out := make([]unix.SockFilter, len(p))
	for i, in := range p {
		out[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return out, nil
}

// filteredSocket is a packet socket behind a filter, which comes before the
// binding so that nothing else is queued.
func filteredSocket(ifc net.Interface, program []unix.SockFilter) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), "packet socket")
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}); err != nil {
		f.Close()
		return nil, fmt.Errorf("attach a filter to a packet socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: allProtocols(), Ifindex: ifc.Index}); err != nil {
		f.Close()
		return nil, fmt.Errorf("bind a packet socket: %w", err)
	}
	return f, nil
}

// longestPortmap is enough for a reply to DUMP in one segment that GRO merged.
const longestPortmap = 1 << 16

// listen ends with an error: fs.ErrClosed after Close.
func (c *Counter) listen(f *os.File) error {
	l, b, number := newLearner(c.m.layout.cat), make([]byte, longestPortmap), uint64(0)
	for {
		n, err := f.Read(b)
		switch {
		case errors.Is(err, unix.ENETDOWN): // it may come up again
			continue
		case err != nil:
			return err
		}
		number++
		p := capture.Packet{
			ID: capture.NewFrameID(0, number), Time: capture.Time(time.Now().UnixNano()), Link: capture.LinkEthernet, WireLen: n, Data: b[:n],
		}
		for _, e := range l.packet(&p) {
			if err := c.learnt(e); err != nil {
				return err
			}
		}
	}
}

// learnt puts a port into the kernel's table, and into the pins.
func (c *Counter) learnt(e track.Expectation) error {
	proto := catalog.TCP
	if e.Proto == wire.ProtoUDP {
		proto = catalog.UDP
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.m.layout.learn(proto, e.Port, e.Service) {
		return nil
	}
	// All other bytes are what they were: a program that reads meanwhile sees
	// the old table or the new one.
	if err := c.m.table.Update(uint32(0), c.m.layout.image(order), ebpf.UpdateExist); err != nil {
		return fmt.Errorf("tell the kernel a port: %w", err)
	}
	c.learntPorts = append(c.learntPorts, LearntPort{proto.String(), e.Port, e.Service, e.Addr.String()})
	if c.meta == nil {
		return nil
	}
	return c.writeMeta()
}
