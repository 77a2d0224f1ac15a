package classify

import (
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
)

// Times of stretches, on one core and on two in turn: the first two are of the
// beginning.
type times [2*(trialWins+trialLosses) + 1]time.Duration

var (
	better  = times{9, 20, 10, 7, 10, 7, 11, 8, 11, 7, 9}
	similar = times{9, 20, 10, 9, 10, 9, 11, 10, 11, 9, 9}
	dearer  = times{9, 20, 10, 13, 10, 13, 10, 14, 10, 13, 9}
	cheap   = times{9, 99, 10, 12, 10, 12, 11, 12, 11, 12, 10}
)

// with is t where stretch i took d.
func (t times) with(i int, d time.Duration) times {
	t[i] = d
	return t
}

func (t times) both(i int, d, e time.Duration) times { return t.with(i, d).with(i+2, e) }

var trials = map[string]struct {
	wall, cpu times
	won       bool
}{
	"faster":                                 {better, cheap, true},
	"faster, where processors are not timed": {better, times{}, true},
	"faster, and dearer":                     {better, dearer, false},
	"faster, and dearer by a quarter":        {better, times{9, 20, 8, 10, 8, 10, 8, 10, 8, 10, 8}, true},
	"hardly faster":                          {similar, cheap, false},
	"slower":                                 {times{9, 20, 10, 15, 10, 12, 10, 11, 10, 30, 10}, cheap, false},
	"exactly four fifths":                    {times{9, 20, 10, 8, 10, 8, 10, 8, 10, 8, 10}, cheap, false},
	"faster, disturbed on two cores":         {better.with(5, 100), cheap, true},
	"faster, once dearer":                    {better, cheap.with(7, 30), true},
	"faster, disturbed twice":                {better.both(3, 100, 100), cheap, false},
	"alike, disturbed on one core":           {similar.with(4, 100), cheap, false},
	"alike, disturbed three times":           {similar.both(2, 100, 100).with(8, 100), cheap, false},
	"alike, but slower from stretch to next": {times{1, 1, 10, 10, 13, 13, 17, 17, 22, 22, 28}, cheap, false},
	"alike, but faster from stretch to next": {times{1, 1, 36, 28, 28, 22, 22, 17, 17, 13, 13}, cheap, false},
	"dearer, disturbed on one core":          {better, dearer.with(4, 50), false},
	"faster in the beginning only":           {similar.with(1, 1), cheap, false},
	"faster, disturbed in the end":           {better.with(1, 1).both(7, 100, 100), cheap, false},
	"a clock that stands still":              {times{}, times{}, false},
	"a clock that is coarse":                 {times{0, 10, 0, 0, 10, 0, 0, 10, 0, 0, 10}, times{}, false},
}

func TestTrial(t *testing.T) {
	for name, c := range trials {
		var tr trial
		for i := 0; !tr.over(); i++ {
			if i == len(c.wall) {
				t.Fatalf("%s: not over after %d stretches", name, i)
			}
			if tr.onTwo() != (i%2 == 1) {
				t.Fatalf("%s, stretch %d: on two cores %t", name, i, tr.onTwo())
			}
			tr.add(took{c.wall[i], c.cpu[i]})
		}
		if tr.won() != c.won {
			t.Errorf("%s: two cores won %t, want %t", name, tr.won(), c.won)
		}
	}
}

// again yields one packet so many times.
type again struct {
	noSource
	left int
}

func (a *again) Next(p *capture.Packet) error {
	if a.left == 0 {
		return io.EOF
	}
	a.left--
	*p = capture.Packet{ID: capture.NewFrameID(0, 1), Time: 1, Link: capture.LinkEthernet, Data: slices.Repeat([]byte{7}, 60)}
	return nil
}

// Run goes on in the form that the trial was for, and a capture that ends during
// the trial, or a limit there, is analyzed as far as it goes.
func TestRunTries(t *testing.T) {
	// Stretches when all agree: two of the beginning, one on one core, and pairs.
	const won, lost = 3 + 2*trialWins, 3 + 2*trialLosses
	for _, c := range []struct {
		name         string
		wall, cpu    times
		packets      int
		limit        uint64
		alone, looks int // packets on one core since two ran, and at the watch
	}{
		{"two cores", better, cheap, won*trialPackets + 50_000, 0, 0, won + 1},
		{"one core", similar, cheap, lost*trialPackets + 50_000, 0, trialPackets + 50_000, lost + 1},
		{"one core for the cost of two", better, dearer, lost*trialPackets + 50_000, 0, trialPackets + 50_000, lost + 1},
		{"two cores, limit", better, cheap, won*trialPackets + 50_000, won*trialPackets + 10, 0, won + 1},
		{"one core, limit", similar, cheap, lost*trialPackets + 50_000, lost*trialPackets + 10, trialPackets + 10, lost + 1},
		{"limit in a stretch of two cores", better, cheap, 3 * trialPackets, trialPackets + 10, 0, 2},
		{"end in a stretch of one core", better, cheap, 2*trialPackets + 10, 0, 10, 3},
	} {
		src := holds(&again{left: c.packets}, rand.New(rand.NewPCG(1, 1)))
		var wall, cpu time.Duration
		looks := 0
		e := New(Options{Spent: func() (time.Duration, time.Duration) {
			if looks > 0 {
				wall, cpu = wall+c.wall[looks-1], cpu+c.cpu[looks-1]
			}
			looks++
			return wall, cpu
		}})
		want := uint64(c.packets)
		if c.limit != 0 {
			want = c.limit
		}
		if err := e.Run(src, c.limit); err != nil || e.packets != want || src.alone != c.alone || looks != c.looks {
			t.Errorf("%s: %v after %d packets, %d of them on one core in the end, %d looks at the watch; want %d, %d, %d",
				c.name, err, e.packets, src.alone, looks, want, c.alone, c.looks)
		}
	}
}

// A source that holds no more ends the trial; the rest is for one core.
func TestRunHeldNoMore(t *testing.T) {
	src := holds(&again{left: 4 * trialPackets}, rand.New(rand.NewPCG(1, 1)))
	src.until = trialPackets + 100
	looks := 0
	e := New(Options{Spent: func() (wall, cpu time.Duration) { looks++; return 0, 0 }})
	if err := e.Run(src, 0); err != nil || e.packets != 4*trialPackets || looks != 2 {
		t.Errorf("%v after %d packets and %d looks at the watch, want %d and 2", err, e.packets, looks, 4*trialPackets)
	}
}
