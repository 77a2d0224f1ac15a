package live

import (
	"encoding/binary"
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
