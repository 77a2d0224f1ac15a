package live

import (
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
)

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
