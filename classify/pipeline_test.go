package classify

import (
	"encoding/json"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/capture/synth/traffic"
)

// A holder holds the packets of any source, as its interface allows and not
// longer: batches and turns of random length, after which the bytes are spoiled.
type holder struct {
	capture.Source
	rnd   *rand.Rand
	turns int // to hold
	turn  uint64
	held  [][]capture.Packet // by turn, the last ones
	until int                // packets that are held before it gives up; negative: all
	read  int
	next  capture.Packet
}

func (h *holder) Hold(turns int) bool {
	h.turns = turns
	return true
}

func (h *holder) Turn() (uint64, bool) { return h.turn, h.until < 0 || h.read <= h.until }

func (h *holder) NextBatch(limit int) ([]capture.Packet, error) {
	if len(h.held) == 0 || h.rnd.IntN(8) == 0 {
		h.turn++
		h.held = append(h.held, nil)
	}
	if len(h.held) > h.turns {
		for _, p := range h.held[0] {
			for i := range p.Data {
				p.Data[i] = 0xa5
			}
		}
		h.held = h.held[1:]
	}
	now := &h.held[len(h.held)-1]
	from := len(*now)
	for range 1 + h.rnd.IntN(min(limit, 90)) {
		if err := h.Next(&h.next); err != nil {
			if len(*now) == from {
				return nil, err
			}
			break
		}
		p := h.next
		p.Data = slices.Clone(p.Data)
		*now = append(*now, p)
		h.read++
	}
	return (*now)[from:], nil
}

// reportOf is the report of Run as JSON.
func reportOf(t *testing.T, src capture.Source) string {
	t.Helper()
	e := New(Options{})
	if err := e.Run(src, 0); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(e.Report(src))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Two cores come to the same report as one: on every fixture, with batches and
// turns of any length, and where the source stops holding in the middle.
func TestPipelineEqualsOneCore(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	var files []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if strings.Contains(path, "/testdata/") && !d.IsDir() && slices.Contains([]string{".pcap", ".pcapng", ".snoop"}, filepath.Ext(path)) {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 50 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, file := range files {
		open := func() capture.Source {
			src, err := pcapfile.Open([]string{file}, pcapfile.Options{})
			if err != nil {
				return nil // fixtures of damage
			}
			t.Cleanup(func() { src.Close() })
			return src
		}
		src := open()
		if src == nil {
			continue
		}
		want := reportOf(t, src)
		for _, until := range []int{-1, -1, rnd.IntN(200)} {
			if got := reportOf(t, &holder{Source: open(), rnd: rnd, until: until}); got != want {
				t.Errorf("%s, held for %d packets: another report", file, until)
			}
		}
	}
}

// The same on traffic that fills many blocks, with all kinds of frames.
func TestPipelineOfManyBlocks(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	for name, source := range map[string]func() capture.Source{
		"mix":   func() capture.Source { return traffic.Mix(7).Packets(60_000) },
		"small": func() capture.Source { return traffic.Small(7).Packets(60_000) },
	} {
		want := reportOf(t, source())
		for seed := range uint64(2) {
			if got := reportOf(t, &holder{Source: source(), rnd: rand.New(rand.NewPCG(seed, 3)), until: -1}); got != want {
				t.Errorf("%s: another report", name)
			}
		}
	}
}

// What ends a source ends Run, after all that came before was analyzed.
func TestPipelineError(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	e := New(Options{})
	src := &holder{Source: &failing{Source: traffic.Mix(7).Packets(5000)}, rnd: rand.New(rand.NewPCG(1, 1)), until: -1}
	if err := e.Run(src, 0); err != io.ErrUnexpectedEOF || e.packets != 5000 {
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
