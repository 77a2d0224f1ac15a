package classify

import (
	"encoding/json"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/capture/synth/traffic"
)

// A holder holds the packets of any source as long as a Holder has to, and not
// longer: batches and turns have random lengths, and bytes are spoiled when their
// time is over.
type holder struct {
	capture.Source
	rnd   *rand.Rand
	turns int // to hold
	turn  uint64
	held  [][]capture.Packet // by turn, the last ones
	until int                // packets after which it holds no more
	next  capture.Packet
	alone int // packets that NextBatch yielded since NextHeld was called last
	read  int
}

// holds makes a holder that holds all that src yields.
func holds(src capture.Source, rnd *rand.Rand) *holder {
	return &holder{Source: src, rnd: rnd, until: math.MaxInt}
}

func (h *holder) Hold(turns int) bool {
	h.turns = turns
	return true
}

func (h *holder) NextHeld(limit int) ([]capture.Packet, uint64, error) {
	if h.read >= h.until {
		packets, err := h.batch(limit)
		h.held = append(h.held, packets)
		return packets, 0, err
	}
	if h.alone > 0 || len(h.held) == 0 || h.rnd.IntN(8) == 0 {
		h.turn++
		h.held = append(h.held, nil)
		h.spoil(h.turns)
		h.alone = 0
	}
	now := &h.held[len(h.held)-1]
	from := len(*now)
	packets, err := h.batch(limit)
	*now = append(*now, packets...)
	return (*now)[from:], h.turn, err
}

func (h *holder) NextBatch(limit int) ([]capture.Packet, error) {
	h.spoil(0)
	packets, err := h.batch(limit)
	h.held = append(h.held, packets)
	h.alone += len(packets)
	return packets, err
}

// spoil spoils what is held but for so many turns.
func (h *holder) spoil(turns int) {
	for len(h.held) > turns {
		for _, p := range h.held[0] {
			for i := range p.Data {
				p.Data[i] = 0xa5
			}
		}
		h.held = h.held[1:]
	}
}

func (h *holder) batch(limit int) (packets []capture.Packet, err error) {
	for range 1 + h.rnd.IntN(min(limit, 90)) {
		if err := h.Next(&h.next); err != nil {
			if len(packets) == 0 {
				return nil, err
			}
			break
		}
		p := h.next
		p.Data = slices.Clone(p.Data)
		packets = append(packets, p)
		h.read++
	}
	return packets, nil
}

// reportOf is the report of e on src as JSON, after run has read src to its end.
func reportOf(t *testing.T, src capture.Source, run func(*Engine) error) string {
	t.Helper()
	e := New(Options{})
	if err := run(e); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(e.Report(src))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func onOneCore(t *testing.T, src capture.Source) string {
	return reportOf(t, src, func(e *Engine) error { return e.Run(src, 0) })
}

// onBoth changes between one core and two after at most so many packets, with
// blocks of a random size.
func onBoth(t *testing.T, src *holder, stretch int) string {
	return reportOf(t, src, func(e *Engine) (err error) {
		p := newPipeline(src, e.dec, 1+src.rnd.IntN(100))
		src.Hold(blocks + 1)
		for err == nil {
			until := e.packets + uint64(src.rnd.IntN(stretch))
			if p.rest == nil && src.rnd.IntN(3) > 0 {
				err = e.pipelined(p, until)
			} else {
				err = e.onOneCore(src, until)
			}
			if err == nil && p.rest == nil && e.packets != until && until > 0 {
				t.Errorf("a stretch ended after %d packets, want %d", e.packets, until)
			}
		}
		return e.end(src, err)
	})
}

// Two cores come to the report of one: on every fixture, with batches, turns,
// blocks and stretches of any length, and where the source stops holding.
func TestTwoCoresEqualOne(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	files := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/testdata/") {
			return err
		}
		open := func() capture.Source {
			src, err := pcapfile.Open([]string{path}, pcapfile.Options{})
			if err != nil {
				return nil // no capture, or not enough of one
			}
			t.Cleanup(func() { src.Close() })
			return src
		}
		src := open()
		if src == nil {
			return nil
		}
		files++
		want := onOneCore(t, src)
		for _, until := range []int{math.MaxInt, math.MaxInt, rnd.IntN(200)} {
			h := holds(open(), rnd)
			h.until = until
			if got := onBoth(t, h, 2+rnd.IntN(300)); got != want {
				t.Errorf("%s, held for %d packets: another report", path, until)
			}
		}
		return nil
	})
	if err != nil || files < 50 {
		t.Errorf("%d fixtures, %v", files, err)
	}
}

// The same on traffic that fills many blocks, with all kinds of frames.
func TestTwoCoresOnManyBlocks(t *testing.T) {
	for name, source := range map[string]func() capture.Source{
		"mix":   func() capture.Source { return traffic.Mix(7).Packets(60_000) },
		"small": func() capture.Source { return traffic.Small(7).Packets(60_000) },
	} {
		want := onOneCore(t, source())
		for seed := range uint64(2) {
			if got := onBoth(t, holds(source(), rand.New(rand.NewPCG(seed, 3))), 20_000); got != want {
				t.Errorf("%s: another report", name)
			}
		}
	}
}

// A loop holds its packets, which come again and again, later each time.
type loop struct {
	noSource
	list []capture.Packet
	span time.Duration
	at   int
}

func (l *loop) Hold(int) bool { return true }

func (l *loop) NextHeld(limit int) ([]capture.Packet, uint64, error) {
	if l.at == len(l.list) {
		for i := range l.list {
			l.list[i].Time += capture.Time(l.span)
		}
		l.at = 0
	}
	from := l.at
	l.at = min(from+limit, from+64, len(l.list))
	return l.list[from:l.at], 1, nil
}

func (l *loop) NextBatch(limit int) ([]capture.Packet, error) {
	packets, _, err := l.NextHeld(limit)
	return packets, err
}

// Two cores allocate what one does, and a little a stretch: under the race
// detector more.
func TestTwoCoresAllocateNothingPerPacket(t *testing.T) {
	list, span := packets(t, bulk())
	n := uint64(10 * len(list))
	allocs := func(run func(*Engine, *pipeline, uint64) error) float64 {
		src := &loop{list: slices.Clone(list), span: span}
		e := New(Options{})
		p := newPipeline(src, e.dec, blockFrames)
		return testing.AllocsPerRun(3, func() {
			if err := run(e, p, e.packets+n); err != nil {
				t.Fatal(err)
			}
		})
	}
	one := allocs(func(e *Engine, p *pipeline, until uint64) error { return e.onOneCore(p.src, until) })
	two := allocs((*Engine).pipelined)
	if two > one+float64(n)/100 {
		t.Errorf("%.0f allocations on two cores, %.0f on one", two, one)
	}
}

// What ends a source ends Run, after all that came before was analyzed.
func TestTwoCoresError(t *testing.T) {
	e := New(Options{})
	src := holds(&failing{Source: traffic.Mix(7).Packets(5000)}, rand.New(rand.NewPCG(1, 1)))
	src.Hold(blocks + 1)
	err := e.end(src, e.pipelined(newPipeline(src, e.dec, blockFrames), math.MaxUint64))
	if err != io.ErrUnexpectedEOF || e.packets != 5000 {
		t.Errorf("got %v after %d packets, want %v after 5000", err, e.packets, io.ErrUnexpectedEOF)
	}
}

// failing ends with an error where its Source ends.
type failing struct{ capture.Source }

func (f *failing) Next(p *capture.Packet) error {
	err := f.Source.Next(p)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
