package filter_test

import (
	"errors"
	"io"
	"testing"

	"github.com/pxescope/pxescope/bpf/counter"
	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live/netlab"
	"github.com/pxescope/pxescope/classify/catalog"
)

// frameSource yields frames in hand.
type frameSource struct {
	frames [][]byte
	n      int
}

func (s *frameSource) Next(p *capture.Packet) error {
	if s.n == len(s.frames) {
		return io.EOF
	}
	b := s.frames[s.n]
	s.n++
	*p = capture.Packet{ID: capture.NewFrameID(0, uint64(s.n)), Link: capture.LinkEthernet, WireLen: len(b), Data: b}
	return nil
}

func (*frameSource) Files() []capture.FileInfo       { return nil }
func (*frameSource) Interfaces() []capture.Interface { return nil }
func (*frameSource) Close() error                    { return nil }

// The verifier takes every filter as a prefix of the counter: the examples
// with every crib among them, every phase, tagged and complete, and random
// expressions. On each the kernel decides frames as the predicate does.
func TestCounterPrefix(t *testing.T) {
	frames := filter.RandomFrames(t, 11, 150)
	hooks := []counter.Hook{counter.XDP, counter.TCX, counter.Socket}
	tried, refused, compared := 0, 0, uint64(0)
	matched, left := uint64(0), uint64(0)
	try := func(text string, e *filter.Expr, h counter.Hook) {
		if _, err := filter.Compile(e, filter.Target{Link: capture.LinkEthernet, Live: h != counter.XDP}); err != nil {
			refused++ // it rejects every packet
			return
		}
		c, err := counter.Compare(counter.Config{Hook: h, Filter: e}, &frameSource{frames: frames})
		if errors.Is(err, counter.ErrPermission) || errors.Is(err, counter.ErrUnsupported) {
			netlab.Lacking(t, "needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (root has them): %v", err)
		}
		if err != nil {
			t.Errorf("%s, %s: %v", h, text, err)
			return
		}
		tried++
		compared += c.Frames
		matched += c.Kernel.Packets
		left += c.Kernel.Filtered.Packets
		for _, d := range c.Differing {
			t.Errorf("%s, %s, frame %d: kernel %s, Go %s\n% x", h, text, d.Frame, d.Kernel, d.Go, frames[d.Frame-1])
		}
	}
	parse := func(s string) *filter.Expr {
		e, err := filter.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	// The verifier needs 20 times as long for packet pointers as for a socket.
	turns := []counter.Hook{counter.XDP, counter.Socket, counter.Socket, counter.TCX, counter.Socket, counter.Socket}
	texts := append(filter.RandomTexts(5, 350), filter.TextsOfExamples(t)...)
	if testing.Short() {
		texts = texts[:100]
	}
	for i, s := range texts {
		try(s, parse(s), turns[i%len(turns)])
	}
	for _, p := range catalog.Phases() {
		for _, complete := range []bool{false, true} {
			f, err := filter.Build(&filter.Request{Phase: p, Complete: complete})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range hooks {
				try(string(p), f.Expr, h)
			}
		}
	}
	t.Logf("%d filters, %d reject everything; %d frames, %d matched, %d left out", tried, refused, compared, matched, left)
	if tried < len(texts)*9/10 || matched < 1000 || left < 1000 {
		t.Errorf("got %d filters, %d matches, %d without: want more", tried, matched, left)
	}
}
