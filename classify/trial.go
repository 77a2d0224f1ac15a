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

// A trial is the time that the stretches took, one core's before two's. The
// first pair does not count: it is slow for tables and blocks that are new.
type trial struct {
	took [2 + 2*trialPairs]time.Duration
	n    int
}

// over reports whether enough was tried.
func (t *trial) over() bool { return t.n == len(t.took) }

// two reports whether the next stretch is for two cores.
func (t *trial) two() bool { return t.n%2 == 1 }

func (t *trial) add(d time.Duration) {
	t.took[t.n] = d
	t.n++
}

// won reports whether two cores took less than four fifths of one's time in most
// pairs: then they also do where some stretches were disturbed, or of other
// traffic. For less the second core has better things to do.
func (t *trial) won() bool {
	wins := 0
	for i := 2; i < len(t.took); i += 2 {
		if 5*t.took[i+1] < 4*t.took[i] {
			wins++
		}
	}
	return wins > trialPairs/2
}

// onTwoCores analyzes src on two cores if that is faster than on one. What it
// leaves is for one core.
func (e *Engine) onTwoCores(src capture.Holder, limit uint64) (err error) {
	if !src.Hold(blocks + 1) {
		return nil
	}
	defer src.Hold(0)
	p := newPipeline(src, e.dec, blockFrames)
	var t trial
	for began := e.opt.Elapsed(); !t.over(); {
		until := min(limit, e.packets+trialPackets)
		if t.two() {
			err = e.pipelined(p, until)
		} else {
			err = e.onOneCore(src, until)
		}
		if err != nil || p.rest != nil || e.packets == limit {
			return err
		}
		now := e.opt.Elapsed()
		t.add(now - began)
		began = now
	}
	if t.won() {
		return e.pipelined(p, limit)
	}
	return nil
}
