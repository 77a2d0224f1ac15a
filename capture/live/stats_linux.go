package live

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
)

func known(n uint64) capture.Count { return capture.Count{Known: true, N: n} }

func (s *rings) stats() []Stats {
	if len(s.list) == 0 {
		return nil
	}
	if time.Since(s.missedAt) > missedEvery {
		s.missed()
	}
	if s.any() {
		sum := s.ringStats(s.list, s.devs[0])
		for _, d := range s.devs[1:] {
			if d.missed.Known {
				sum.InterfaceDropped.Known = true
				sum.InterfaceDropped.N += d.missed.N
			}
		}
		return []Stats{sum}
	}
	list := make([]Stats, len(s.list))
	for i, r := range s.list {
		list[i] = s.ringStats(s.list[i:i+1], r.dev)
		list[i].InterfaceDropped = r.dev.missed
	}
	return list
}

func (s *rings) any() bool { return s.list[0].dev == nil }

func (s *rings) ringStats(list []*ring, d *device) Stats {
	st := Stats{Name: d.name, State: d.state(), Received: known(0), RingDropped: known(0), Freezes: known(0)}
	for _, r := range list {
		r.tally()
		st.Received.N += r.received
		st.RingDropped.N += r.dropped
		st.Freezes.N += r.freezes
	}
	return st
}

// missedEvery is how often interfaces are asked for what they lost: with Any
// there may be thousands.
const missedEvery = time.Second

// missed asks all interfaces.
func (s *rings) missed() {
	s.missedAt = time.Now()
	for _, d := range s.devs {
		if d.gone {
			continue
		}
		if n, ok := s.net.missed(d.index); ok {
			if n < d.missedBase {
				d.missedBase = 0 // counted anew
			}
			d.missed = known(d.missedBefore + n - d.missedBase)
		}
	}
}

func (s *rings) interfaces() []capture.Interface {
	list := make([]capture.Interface, len(s.devs))
	for i, d := range s.devs {
		list[i] = capture.Interface{Name: d.asked, Link: d.link, SnapLen: uint32(s.o.SnapLen), Filter: s.o.Filter.Text}
	}
	if len(s.list) == 0 {
		return list
	}
	stats := s.stats()
	for i, d := range s.devs {
		if i == 0 || !s.any() {
			list[i].Received, list[i].Dropped = stats[i].Received, stats[i].RingDropped
		} else {
			list[i].Received = known(d.received)
		}
		if d.missed.Known && !(i == 0 && s.any()) {
			list[i].Dropped.Known = true
			list[i].Dropped.N += d.missed.N
		}
	}
	return list
}

func (s *rings) close() (err error) {
	if s.net != nil {
		s.missed()
	}
	for _, r := range s.list {
		if e := r.close(); err == nil {
			err = e
		}
	}
	if s.net != nil {
		s.net.close()
	}
	if s.wake >= 0 {
		unix.Close(s.wake)
		s.wake = -1
	}
	return err
}
