package dhcp

import (
	"slices"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
)

// graces are the deadlines of one request's tries: each has a grace of its
// own. The zero value is empty.
type graces struct {
	slots [8]grace
	n     int // slots used
}

type grace struct {
	at    capture.Time
	tries int
}

// add puts a try with a deadline that is not earlier than the last one. When
// all slots are taken, the last two tries share the later deadline.
func (g *graces) add(at capture.Time) {
	if g.n == len(g.slots) {
		last := &g.slots[g.n-1]
		last.at = max(last.at, at)
		last.tries++
		return
	}
	if g.n > 0 {
		at = max(at, g.slots[g.n-1].at)
	}
	g.slots[g.n] = grace{at, 1}
	g.n++
}

// next is the earliest deadline, or Never.
func (g *graces) next() capture.Time {
	if g.n == 0 {
		return track.Never
	}
	return g.slots[0].at
}

// expire removes the tries whose deadline is <= now and counts them.
func (g *graces) expire(now capture.Time) (tries int) {
	i := 0
	for ; i < g.n && g.slots[i].at <= now; i++ {
		tries += g.slots[i].tries
	}
	g.n = copy(g.slots[:], g.slots[i:g.n])
	return tries
}

// pending counts the tries still in grace.
func (g *graces) pending() (tries int) {
	for _, s := range g.slots[:g.n] {
		tries += s.tries
	}
	return tries
}

func (g *graces) clear() { g.n = 0 }

// evidence is the frames of a request and its replies: the first ones and,
// from there on, the last one. Its memory is its own, so that a client that
// repeats itself costs nothing.
type evidence struct {
	ids [maxEvidence]capture.FrameID
	n   int
}

const maxEvidence = 24

func (e *evidence) add(id capture.FrameID) {
	if e.n == maxEvidence {
		e.ids[maxEvidence-1] = id
		return
	}
	e.ids[e.n] = id
	e.n++
}

func (e *evidence) frames() []capture.FrameID {
	return append([]capture.FrameID(nil), e.ids[:e.n]...)
}

// join puts several pieces of evidence together, each frame once and in order,
// within finding.MaxFrames.
func join(parts ...[]capture.FrameID) []capture.FrameID {
	all := slices.Concat(parts...)
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) > finding.MaxFrames {
		all[finding.MaxFrames-1] = all[len(all)-1]
		all = all[:finding.MaxFrames]
	}
	return all
}

// A throttle says when something that counts up is worth saying again: each
// time at first, then after a quarter more, so that a client that never stops
// does not make a report for each of its packets.
type throttle int

func (r *throttle) pass(n int) bool {
	if n < int(*r) {
		return false
	}
	*r = throttle(n + 1 + n/16*4)
	return true
}
