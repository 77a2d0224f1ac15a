package classify

import (
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
)

// pairs are what stretches took on one core and on two, of the longest trial; the
// first pair is of the beginning.
type pairs [2 * trialPairs][2]time.Duration

var (
	better  = pairs{{9, 20}, {10, 7}, {10, 7}, {12, 8}, {10, 7}, {9, 6}}
	similar = pairs{{9, 20}, {10, 9}, {10, 9}, {12, 11}, {10, 9}, {9, 8}}
	dearer  = pairs{{10, 10}, {10, 13}, {10, 13}, {10, 15}, {10, 13}, {9, 12}}
	cheap   = pairs{{10, 99}, {10, 12}, {10, 12}, {10, 11}, {10, 12}, {10, 12}}
)

// with is p where stretch i on so many cores took d.
func (p pairs) with(i, cores int, d time.Duration) pairs {
	p[i][cores-1] = d
	return p
}

var trials = map[string]struct {
	wall, cpu pairs
	won       bool
}{
	"faster":                                 {better, cheap, true},
	"faster, where processors are not timed": {better, pairs{}, true},
	"faster, and dearer":                     {better, dearer, false},
	"faster, and dearer by a quarter":        {better, pairs{{}, {8, 10}, {8, 10}, {8, 10}, {8, 10}, {8, 10}}, true},
	"hardly faster":                          {similar, cheap, false},
	"slower":                                 {pairs{{9, 20}, {10, 15}, {10, 12}, {10, 11}, {10, 30}, {10, 12}}, cheap, false},
	"exactly four fifths":                    {pairs{{9, 20}, {10, 8}, {10, 8}, {10, 8}, {10, 8}, {10, 8}}, cheap, false},
	"faster, disturbed on two cores":         {better.with(3, 2, 100), cheap, true},
	"faster, once dearer":                    {better, cheap.with(4, 2, 30), true},
	"alike, disturbed on one core":           {similar.with(3, 1, 100), cheap, false},
	"alike, disturbed twice":                 {similar.with(1, 1, 100).with(5, 1, 100), cheap, false},
	"dearer, disturbed on one core":          {better, dearer.with(2, 1, 50), false},
	"faster in the beginning only":           {similar.with(0, 2, 1), cheap, false},
	"a clock that stands still":              {pairs{}, pairs{}, false},
	"a clock that is coarse":                 {pairs{{0, 10}, {0, 0}, {10, 0}, {0, 10}, {0, 0}, {10, 10}}, pairs{}, false},
}

func TestTrial(t *testing.T) {
	for name, c := range trials {
		var tr trial
		for i := 0; !tr.over(); i++ {
			if i/2 == len(c.wall) {
				t.Fatalf("%s: not over after %d stretches", name, i)
			}
			if tr.two() != (i%2 == 1) {
				t.Fatalf("%s, stretch %d: on two cores %t", name, i, tr.two())
			}
			tr.add(c.wall[i/2][i%2], c.cpu[i/2][i%2])
		}
		if tr.won() != c.won {
			t.Errorf("%s: two cores won %t, want %t", name, tr.won(), c.won)
		}
	}
}

// again yields one packet so many times.
type again struct{ left int }

func (*again) Files() []capture.FileInfo       { return nil }
func (*again) Interfaces() []capture.Interface { return nil }
func (*again) Close() error                    { return nil }

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
	const tried = 2 * (1 + trialPairs) * trialPackets // when all agree
	for _, c := range []struct {
		name         string
		wall, cpu    pairs
		packets      int
		limit        uint64
		alone, times int // packets on one core since two ran, looks at the watch
	}{
		{"two cores", better, cheap, tried + 50_000, 0, 0, 9},
		{"one core", similar, cheap, tried + 50_000, 0, 50_000, 9},
		{"one core for the cost of two", better, dearer, tried + 50_000, 0, 50_000, 9},
		{"two cores, limit", better, cheap, tried + 50_000, tried + 10, 0, 9},
		{"one core, limit", similar, cheap, tried + 50_000, tried + 10, 10, 9},
		{"limit in a stretch of two cores", better, cheap, tried, trialPackets + 10, 0, 2},
		{"end in a stretch of one core", better, cheap, 2*trialPackets + 10, 0, 10, 3},
	} {
		src := holds(&again{left: c.packets}, rand.New(rand.NewPCG(1, 1)))
		var wall, cpu time.Duration
		times := 0
		e := New(Options{Spent: func() (time.Duration, time.Duration) {
			if n := times - 1; n >= 0 {
				wall, cpu = wall+c.wall[n/2][n%2], cpu+c.cpu[n/2][n%2]
			}
			times++
			return wall, cpu
		}})
		want := uint64(c.packets)
		if c.limit != 0 {
			want = c.limit
		}
		if err := e.Run(src, c.limit); err != nil || e.packets != want || src.alone != c.alone || times != c.times {
			t.Errorf("%s: %v after %d packets, %d of them on one core in the end, %d looks at the watch; want %d, %d, %d",
				c.name, err, e.packets, src.alone, times, want, c.alone, c.times)
		}
	}
}

// A source that holds no more ends the trial; the rest is for one core.
func TestRunHeldNoMore(t *testing.T) {
	src := holds(&again{left: 4 * trialPackets}, rand.New(rand.NewPCG(1, 1)))
	src.until = trialPackets + 100
	times := 0
	e := New(Options{Spent: func() (wall, cpu time.Duration) { times++; return 0, 0 }})
	if err := e.Run(src, 0); err != nil || e.packets != 4*trialPackets || times != 2 {
		t.Errorf("%v after %d packets and %d looks at the watch, want %d and 2", err, e.packets, times, 4*trialPackets)
	}
}
