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
	trialWins    = 3       // stretches on two cores that have to win
	trialLosses  = 2       // and to lose
)

// A trial compares what a stretch takes on two cores with the stretches on one
// before and after, until enough have won or lost. The first does not count: its
// tables and blocks are new.
type trial struct {
	stretches    int
	one, two     took // by the last stretch of each form
	wins, losses int
}

// took is time on the wall and of processors.
type took struct{ wall, cpu time.Duration }

// over reports whether enough was tried.
func (t *trial) over() bool { return t.won() || t.losses == trialLosses }

// won reports whether two cores are to go on.
func (t *trial) won() bool { return t.wins == trialWins }

// onTwo reports whether the next stretch is for two cores.
func (t *trial) onTwo() bool { return t.stretches%2 == 1 }

// add notes what a stretch took.
func (t *trial) add(d took) {
	if t.onTwo() {
		t.two = d
	} else {
		if t.stretches > 2 {
			if t.two.beats(t.one) && t.two.beats(d) {
				t.wins++
			} else {
				t.losses++
			}
		}
		t.one = d
	}
	t.stretches++
}

// beats reports whether d, on two cores, is worth more than o, on one: faster by
// more than a fifth, for at most a quarter more of processor time. The clock alone
// would not do: on a busy machine two threads get more of it than one, and others
// pay.
func (d took) beats(o took) bool { return 5*d.wall < 4*o.wall && 4*d.cpu <= 5*o.cpu }

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
		if t.onTwo() {
			err = e.pipelined(p, until)
		} else {
			err = e.onOneCore(src, until)
		}
		if err != nil || p.rest != nil || e.packets == limit {
			return err
		}
		w, c := e.opt.Spent()
		t.add(took{w - wall, c - cpu})
		wall, cpu = w, c
	}
	if t.won() {
		return e.pipelined(p, limit)
	}
	return nil
}
