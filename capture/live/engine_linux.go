package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
)

const defaultEngine = EngineRing

// rings is EngineRing: a ring for each interface, or one for all.
type rings struct {
	o     *Options
	list  []*ring
	net   *network
	wake  int // eventfd of Stop
	polls []unix.PollFd

	// settled says that every ring without a packet at hand was empty after the
	// others' blocks were taken: what comes into it is later than what they hold.
	settled  bool
	busy     bool // a packet was handed out since the last wait
	tickAt   time.Time
	stopping atomic.Bool
	draining bool

	missedAt time.Time // when the interfaces were asked for their drops

	woke   time.Time // when the rings were waited for the last time
	blocks int       // that were read since
	looked time.Time // when else but packets was seen to

	// Of Any.
	byIndex map[int32]*device
	last    *device
	devs    []*device // in the order of Packet.Iface
}

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

// next hands out a packet or a tick.
func (s *rings) next(p *capture.Packet) error {
	for {
		r, err := s.pick()
		if err != nil {
			return err
		}
		if r == nil {
			tick, err := s.wait()
			if err != nil {
				return err
			}
			if tick != 0 {
				*p = capture.Packet{Time: tick}
				return nil
			}
			continue
		}
		link, err := r.take(p, s.o.SnapLen)
		if err != nil {
			return err
		}
		if s.wants(r, link, p) {
			s.busy = true
			return nil
		}
	}
}

// pick is the ring whose packet is the next one; nil when none may be handed
// out now.
func (s *rings) pick() (*ring, error) {
	if len(s.list) == 1 && s.list[0].left > 0 {
		return s.list[0], nil
	}
	var first *ring
	lacking := false
	for _, r := range s.list {
		if r.left == 0 {
			if err := s.turn(r); err != nil {
				return nil, err
			}
		}
		if r.left == 0 {
			lacking = true
		} else if first == nil || r.time() < first.time() {
			first = r
		}
	}
	if first == nil || !lacking || s.settled {
		return first, nil
	}
	settled, urgent := true, false
	for _, r := range s.list {
		settled = settled && (r.left > 0 || r.empty())
		urgent = urgent || r.left > 0 && r.ready(r.count/2)
	}
	if s.settled = settled || urgent; s.settled {
		return first, nil
	}
	return nil, nil
}

// turn goes to the next block of a ring, and sees what else there is to do.
func (s *rings) turn(r *ring) error {
	had := r.held
	got, err := r.load()
	if err != nil {
		return err
	}
	if got {
		s.settled = false
	}
	if had {
		s.blocks++
		if time.Since(s.looked) > nap {
			s.looked = time.Now()
			return s.poll(0, true)
		}
	}
	return nil
}

// nap is how long the rings are left alone at the most when blocks come fast:
// waking up for each of them costs more than reading it.
const nap = 5 * time.Millisecond

// rest is until when the rings may be left alone: as long as it would take to
// fill an eighth of one at the pace of the time since the last waiting.
func (s *rings) rest(now time.Time) time.Duration {
	took, blocks := now.Sub(s.woke), s.blocks
	s.woke, s.blocks = now, 0
	if blocks < 2 || s.o.Immediate {
		return 0
	}
	return min(nap, took/time.Duration(blocks)*time.Duration(s.list[0].count/8))
}

// wait sleeps until there may be a packet. It returns the time of a tick when
// one is due, or io.EOF when all is handed out after Stop.
func (s *rings) wait() (tick capture.Time, err error) {
	now := time.Now()
	if s.busy {
		s.busy, s.tickAt = false, now.Add(s.o.Tick)
	}
	empty := true
	for _, r := range s.list {
		empty = empty && r.left == 0 && r.empty()
	}
	sleep := s.tickAt.Sub(now)
	switch {
	case empty && s.draining:
		return 0, io.EOF
	case empty && sleep <= 0:
		s.tickAt = now.Add(s.o.Tick)
		return s.tickTime(now), s.poll(0, true)
	case !empty:
		sleep = blockTimeout
	}
	if alone := s.rest(now); alone > 0 {
		return 0, s.poll(alone, false)
	}
	return 0, s.poll(sleep, true)
}

// poll sleeps until something happens and sees to it, but for the packets; what
// the rings do is left out where they are to be left alone.
func (s *rings) poll(sleep time.Duration, rings bool) error {
	if s.stopping.Load() && !s.draining {
		s.drain()
	}
	for i, r := range s.list {
		fd := int32(r.fd)
		if r.left > 0 || !rings {
			fd = -1 // its packets wait, for another ring's or for more
		}
		s.polls[i+2].Fd, s.polls[i+2].Revents = fd, 0
	}
	ms := int((sleep + time.Millisecond - 1) / time.Millisecond)
	switch _, err := unix.Poll(s.polls, ms); {
	case errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("poll the rings: %w", err)
	}
	if s.polls[0].Revents != 0 {
		s.polls[0].Fd = -1 // said once
	}
	changed := false
	if s.polls[1].Revents != 0 {
		s.net.drain()
		changed = true
	}
	for i, r := range s.list {
		if s.polls[i+2].Revents&unix.POLLERR != 0 {
			// ENETDOWN; asking for it takes it away.
			unix.GetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_ERROR)
			changed = true
		}
	}
	if changed {
		s.refresh()
	}
	return nil
}

// wants completes a packet and says whether it is to be handed out.
func (s *rings) wants(r *ring, link *unix.RawSockaddrLinklayer, p *capture.Packet) bool {
	d := r.dev
	if d == nil {
		if d = s.last; d == nil || int32(d.index) != link.Ifindex {
			d = s.device(link)
		}
		if !d.known || s.o.Filter.ProgFD != 0 && r.others == (d.link == capture.LinkEthernet) {
			return false
		}
	}
	if out := link.Pkttype == unix.PACKET_OUTGOING; d.loopback {
		// It has each packet twice, leaving and coming back.
		if out {
			return false
		}
	} else if s.o.Direction != InOut && out != (s.o.Direction == Out) {
		return false
	}
	d.received++
	p.ID, p.Iface, p.Link = 1, d.iface, d.link // Capture numbers it
	if s.o.Timestamps != "" {
		s.stamp(r, d, p)
	}
	return true
}

// stop is called from any goroutine.
func (s *rings) stop() {
	if s.stopping.CompareAndSwap(false, true) {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		unix.Write(s.wake, one[:])
	}
}

// drain lets nothing more into the rings, so that they end.
func (s *rings) drain() {
	s.draining = true
	for _, r := range s.list {
		attachClassic(r.fd, reject)
	}
}
