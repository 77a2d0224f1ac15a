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
	raw           capture.Time  // the last packet's own time
	started       bool
	jumps         []jump
	outOfOrder    uint64
}

// A jump is a step of the packet clock.
type jump struct {
	at    capture.Time  // engine time of the first packet after it
	by    time.Duration // as the packets show it
	frame capture.FrameID
	shift capture.Time // from here on
}

// maxJumps bounds the jumps kept; a file with more has no usable clock.
const maxJumps = 256

// set reads the time of a packet.
func (c *clock) set(p *capture.Packet) capture.Time {
	if !c.started {
		c.started = true
		c.now, c.raw = p.Time, p.Time
		return c.now
	}
	step := p.Time.Sub(c.raw)
	t := p.Time + c.shift
	switch {
	case step < -c.back || step > c.forward && !p.Tick():
		// One microsecond: the order stays, nothing else is known.
		t = c.now + capture.Time(time.Microsecond)
		c.shift = t - p.Time
		if len(c.jumps) < maxJumps {
			c.jumps = append(c.jumps, jump{t, step, p.ID, c.shift})
		}
	case t < c.now:
		c.outOfOrder++
		t = c.now
	}
	c.raw = max(p.Time, c.raw)
	if step < -c.back {
		c.raw = p.Time
	}
	c.now = t
	return t
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

// spans reports whether a jump lies between a and b.
func (c *clock) spans(a, b capture.Time) bool {
	for _, j := range c.jumps {
		if a < j.at && j.at <= b {
			return true
		}
	}
	return false
}
