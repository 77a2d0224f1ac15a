package classify

import (
	"time"

	"github.com/pxescope/pxescope/capture"
)

// Whether a second core helps depends on the machine: where the cores share a
// near cache and both are free it does, where each has to fetch from afar what
// the other has just written it costs more than it saves. So the capture itself
// is the trial: stretches of it are analyzed on one core and on two in turn.

const (
	trialPackets = 8 << 10 // of a stretch: one or two milliseconds
	trialPairs   = 3       // of stretches that have to agree
)

// A trial compares what stretches take, in pairs of one on one core and one on
// two, until enough pairs agree. The first pair does not count: its tables and
// blocks are new.
type trial struct {
	stretches    int
	wall, cpu    time.Duration // of the last on one core
	wins, losses int           // of two cores
}

// over reports whether enough was tried.
func (t *trial) over() bool { return max(t.wins, t.losses) == trialPairs }

// won reports whether two cores are to go on.
func (t *trial) won() bool { return t.wins == trialPairs }

// two reports whether the next stretch is for two cores.
func (t *trial) two() bool { return t.stretches%2 == 1 }

// add notes what a stretch took. Two cores win a pair if they were faster by more
// than a fifth, for at most a quarter more of processor time. The clock alone
// would not do: on a busy machine two threads get more of it than one, and others
// pay.
func (t *trial) add(wall, cpu time.Duration) {
	switch {
	case !t.two():
		t.wall, t.cpu = wall, cpu
	case t.stretches == 1:
	case 5*wall < 4*t.wall && 4*cpu <= 5*t.cpu:
		t.wins++
	default:
		t.losses++
	}
	t.stretches++
}

// onTwoCores analyzes src on two cores if that helps. What it leaves is for one.
func (e *Engine) onTwoCores(src capture.Holder, limit uint64) (err error) {
	if !src.Hold(blocks + 1) {
		return nil
	}
	defer src.Hold(0)
	p := newPipeline(src, e.dec, blockFrames)
	var t trial
	for wall, cpu := e.opt.Spent(); !t.over(); {
		until := min(limit, e.packets+trialPackets)
		if t.two() {
			err = e.pipelined(p, until)
		} else {
			err = e.onOneCore(src, until)
		}
		if err != nil || p.rest != nil || e.packets == limit {
			return err
		}
		w, c := e.opt.Spent()
		t.add(w-wall, c-cpu)
		wall, cpu = w, c
	}
	if t.won() {
		return e.pipelined(p, limit)
	}
	return nil
}
