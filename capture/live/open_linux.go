package live

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
)

func openRings(o *Options) (engine, error) {
	s := &rings{o: o, wake: -1, byIndex: make(map[int32]*device)}
	err := inNetNS(o.NetNS, s.open)
	if err != nil {
		s.close()
		return nil, err
	}
	s.tickAt = time.Now().Add(o.Tick)
	return s, nil
}

// open makes everything that needs a right: later there may be none.
func (s *rings) open() (err error) {
	if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("make an eventfd: %w", err)
	}
	if s.net, err = openNetwork(); err != nil {
		return err
	}
	for _, name := range s.o.Interfaces {
		if name == Any {
			err = s.openAny()
		} else {
			err = s.openNamed(name)
		}
		if err != nil {
			return err
		}
	}
	s.polls = []unix.PollFd{{Fd: int32(s.wake), Events: unix.POLLIN}, {Fd: int32(s.net.events), Events: unix.POLLIN}}
	for _, r := range s.list {
		s.polls = append(s.polls, unix.PollFd{Fd: int32(r.fd), Events: unix.POLLIN})
	}
	return nil
}

func (s *rings) openNamed(name string) error {
	d, err := s.net.find(name)
	if err != nil {
		return err
	}
	if !d.known {
		return &Error{fmt.Errorf("%s has link type %d of Linux (ARPHRD), which pxescope does not read: %w", name, d.hatype, ErrUnsupported),
			"Ethernet, loopback, PPP and tunnels of IP packets are read"}
	}
	r, err := openRing(s.o)
	if err != nil {
		return err
	}
	d.iface = len(s.devs)
	s.devs = append(s.devs, d)
	s.list = append(s.list, r)
	r.dev = d
	if err := s.attach(r, d); err != nil {
		return err
	}
	if s.o.Timestamps != "" {
		s.adapterTime(r, d)
	}
	if s.o.Direction == In || d.loopback {
		r.ignoreOutgoing()
	}
	if err := s.join(r, d); err != nil {
		return err
	}
	if !d.up {
		s.o.Notice(name + " is down: waiting for it to come up")
	}
	return nil
}

// join binds a ring to its interface, the first time or again.
func (s *rings) join(r *ring, d *device) error {
	if err := r.bind(d.index); err != nil {
		return explain(fmt.Errorf("bind to %s: %w", d.name, err))
	}
	if !s.o.NoPromisc {
		if err := r.promiscuous(d.index); err != nil {
			s.o.Notice(fmt.Sprintf("%s is not in promiscuous mode: %v", d.name, err))
		}
	}
	return nil
}

// openAny makes the ring of all interfaces, and another beside it when the
// filter sees only Ethernet.
func (s *rings) openAny() error {
	s.devs = append(s.devs, &device{asked: Any, name: Any, link: capture.LinkEthernet, known: true, up: true})
	n := 1
	if s.o.Filter.ProgFD != 0 {
		n = 2
	}
	for i := range n {
		r, err := openRing(s.o)
		if err != nil {
			return err
		}
		s.list = append(s.list, r)
		r.others = i == 1
		if err := s.attach(r, nil); err != nil {
			return err
		}
		if s.o.Timestamps != "" {
			r.stampByAdapter()
		}
		if s.o.Direction == In {
			r.ignoreOutgoing()
		}
		if err := r.bind(0); err != nil {
			return explain(fmt.Errorf("bind to all interfaces: %w", err))
		}
	}
	return nil
}
