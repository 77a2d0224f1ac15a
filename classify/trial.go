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
	trialPackets = 16 << 10 // of a stretch: some milliseconds
	trialPairs   = 5        // of stretches that count
)

// A trial is what the stretches took, one core's before two's. The first pair
// does not count: its tables and blocks are new.
type trial struct {
	took [2 + 2*trialPairs]struct{ wall, cpu time.Duration }
	n    int
}

// over reports whether enough was tried.
func (t *trial) over() bool { return t.n == len(t.took) }

// two reports whether the next stretch is for two cores.
func (t *trial) two() bool { return t.n%2 == 1 }

func (t *trial) add(wall, cpu time.Duration) {
	t.took[t.n].wall, t.took[t.n].cpu = wall, cpu
	t.n++
}

// won reports whether two cores were faster by more than a fifth, for at most a
// quarter more of processor time, in most pairs: some stretches are disturbed, or
// of other traffic. The clock alone would not do: on a busy machine two threads
// get more of it than one, and others pay.
func (t *trial) won() bool {
	wins := 0
	for i := 2; i < len(t.took); i += 2 {
		one, two := t.took[i], t.took[i+1]
		if 5*two.wall < 4*one.wall && 4*two.cpu <= 5*one.cpu {
			wins++
		}
	}
	return wins > trialPairs/2
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
