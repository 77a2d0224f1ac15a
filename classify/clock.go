package classify

import (
	"time"

	"github.com/pxescope/pxescope/capture"
)

// A clock turns packet times into the engine's time, which never steps back.
// Small steps back (several capture queues) are levelled; a real step of the
// capturing host's clock shifts what follows, so that distances stay right and
// no deadline passes because of it.
type clock struct {
	back, forward time.Duration // larger steps are clock steps
	now           capture.Time  // engine time
	shift         capture.Time  // engine time - packet time
	raw           capture.Time  // the last packet's own time, unless steady
	started       bool
	steady        bool // started, and shift is 0: packets' time is the engine's
	jumps         []jump
	jumped        uint64        // jumps, those beyond maxJumps included
	outOfOrder    uint64        // packets levelled
	most          time.Duration // that one was
}

// A jump is a step of the packet clock.
type jump struct {
	at    capture.Time  // engine time of the first packet after it
	by    time.Duration // as the packets show it
	frame capture.FrameID
	shift capture.Time // from here on
}

const (
	// maxJumps bounds the jumps kept; a file with more has no usable clock.
	maxJumps = 256
	// endOfTime is where the clock stands still, in the year 2116: deadlines
	// beyond it still fit a capture.Time, whatever a hostile file claims.
	endOfTime = capture.Time(1 << 62)
)

// on goes on to the time of a packet that is a little later than the one before,
// as nearly all are; else set has to.
func (c *clock) on(at capture.Time) bool {
	if !c.steady || at < c.now || at.Sub(c.now) > c.forward || at > endOfTime {
		return false
	}
	c.now = at
	return true
}

// set reads the time of a packet, or of a tick.
func (c *clock) set(at capture.Time, id capture.FrameID) capture.Time {
	if c.on(at) {
		return at
	}
	at = min(max(at, 0), endOfTime)
	if c.steady {
		c.raw = c.now
	}
	if !c.started {
		c.started, c.steady = true, true
		c.now, c.raw = at, at
		return c.now
	}
	step := at.Sub(c.raw)
	t := at + c.shift
	switch {
	case step < -c.back || step > c.forward && id.Number() != 0:
		// One microsecond: the order stays, nothing else is known.
		t = min(c.now+capture.Time(time.Microsecond), endOfTime)
		c.shift = t - at
		c.steady = c.shift == 0
		c.jumped++
		if len(c.jumps) < maxJumps {
			c.jumps = append(c.jumps, jump{t, step, id, c.shift})
		}
		c.raw = at // also when it lies before
	case t < c.now:
		c.outOfOrder++
		c.most = max(c.most, c.now.Sub(t))
		t = c.now
	}
	c.raw = max(at, c.raw)
	c.now = min(t, endOfTime)
	return c.now
}

// own is the time of a packet as set would have it if it had not to be levelled.
func (c *clock) own(at capture.Time) capture.Time {
	return min(max(at, 0), endOfTime) + c.shift
}

// last is the last packet's own time.
func (c *clock) last() capture.Time {
	if c.steady {
		return c.now
	}
	return c.raw
}

// packet turns engine time into the packets' own time.
func (c *clock) packet(t capture.Time) capture.Time {
	for i := len(c.jumps) - 1; i >= 0; i-- {
		if t >= c.jumps[i].at {
			return t - c.jumps[i].shift
		}
	}
	return t
}

// spans reports whether a jump lies between a and b. Behind the last jump that
// is kept there may be one anywhere.
func (c *clock) spans(a, b capture.Time) bool {
	for _, j := range c.jumps {
		if a < j.at && j.at <= b {
			return true
		}
	}
	return c.jumped > maxJumps && b > c.jumps[maxJumps-1].at
}
