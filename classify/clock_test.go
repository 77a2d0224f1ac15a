package classify

import (
	"math"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
)

const second = capture.Time(time.Second)

var frame = capture.NewFrameID(0, 1)

func at(t capture.Time) *capture.Packet {
	return &capture.Packet{ID: frame, Time: t}
}

func TestClock(t *testing.T) {
	base := 1e6 * second
	tick := func(t capture.Time) *capture.Packet { return &capture.Packet{Time: t} }
	for _, c := range []struct {
		name    string
		packets []*capture.Packet
		now     capture.Time // after the last one
		jumps   uint64
		late    uint64
	}{
		{"in order", []*capture.Packet{at(base), at(base + second)}, base + second, 0, 0},
		{"a quiet hour of a live capture", []*capture.Packet{at(base), tick(base + 3600*second), at(base + 3601*second)}, base + 3601*second, 0, 0},
		{"300 s without a packet", []*capture.Packet{at(base), at(base + 300*second)}, base + 300*second, 0, 0},
		{"more than 300 s without a packet", []*capture.Packet{at(base), at(base + 301*second)}, base + 1000, 1, 0},
		{"several queues: half a second back", []*capture.Packet{at(base), at(base - second/2), at(base + second)}, base + second, 0, 1},
		{"a second back is no step yet", []*capture.Packet{at(base), at(base - second)}, base, 0, 1},
		{"a step back", []*capture.Packet{at(base), at(base - 2*second)}, base + 1000, 1, 0},
		{"distances behind a step back", []*capture.Packet{at(base), at(base - 3600*second), at(base - 3590*second)}, base + 1000 + 10*second, 1, 0},
		{"distances behind a step forward", []*capture.Packet{at(base), at(base + 3600*second), at(base + 3610*second)}, base + 1000 + 10*second, 1, 0},
		{"one packet with a broken time", []*capture.Packet{at(base), at(base + 1e5*second), at(base + second)}, base + 2000, 2, 0},
		{"small steps back after a step back count from there", []*capture.Packet{at(base), at(base - 100*second), at(base - 100*second - second/2)}, base + 1000, 1, 1},
		{"before 1970 and beyond 2116", []*capture.Packet{at(math.MinInt64), at(math.MaxInt64), at(math.MinInt64)}, 2000, 2, 0},
	} {
		k := clock{back: time.Second, forward: 300 * time.Second}
		last := capture.Time(-1)
		for _, p := range c.packets {
			now := k.set(p.Time, p.ID)
			if now < last {
				t.Errorf("%s: time goes back from %d to %d", c.name, last, now)
			}
			last = now
		}
		if last != c.now || k.jumped != c.jumps || k.outOfOrder != c.late {
			t.Errorf("%s: got now %d, %d jumps, %d late, want %d, %d, %d", c.name, last, k.jumped, k.outOfOrder, c.now, c.jumps, c.late)
		}
		if p := c.packets[len(c.packets)-1]; p.Time > 0 && p.Time < endOfTime && c.late == 0 && k.packet(last) != p.Time {
			t.Errorf("%s: got packet time %d, want %d", c.name, k.packet(last), p.Time)
		}
	}
}

func TestClockSpans(t *testing.T) {
	k := clock{back: time.Second, forward: 300 * time.Second}
	k.set(1000*second, frame)
	k.set(100*second, frame) // engine time 1000 s and 1 us
	step := k.now
	for _, c := range []struct {
		name string
		a, b capture.Time
		want bool
	}{
		{"before", 900 * second, 1000 * second, false},
		{"across", 999 * second, step + second, true},
		{"up to the first packet after it", 1000 * second, step, true},
		{"after", step, step + 10*second, false},
	} {
		if got := k.spans(c.a, c.b); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// A file whose clock steps without end is bounded, and nothing behind the steps
// that are kept is trusted.
func TestClockBound(t *testing.T) {
	k := clock{back: time.Second, forward: 300 * time.Second}
	for i := range 10 * maxJumps {
		k.set(capture.Time(i%2)*1e6*second, frame)
	}
	if len(k.jumps) != maxJumps || k.jumped != 10*maxJumps-1 {
		t.Errorf("got %d jumps kept of %d, want %d of %d", len(k.jumps), k.jumped, maxJumps, 10*maxJumps-1)
	}
	if now := k.now; !k.spans(now, now+second) {
		t.Error("a time behind the last jump kept is trusted")
	}
	// However far the packets claim to go, time keeps its order and its deadlines.
	far := clock{back: time.Second, forward: time.Duration(math.MaxInt64)}
	for range 8 {
		far.set(math.MaxInt64, frame)
		far.set(0, frame)
	}
	if far.now > endOfTime || far.now.Add(time.Hour) < far.now {
		t.Errorf("got %d, beyond the end of time", far.now)
	}
}
