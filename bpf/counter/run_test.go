//go:build linux

package counter

import (
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/bpf/filter"
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live/netlab"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/track/tracktest"
)

// privileged ends a test that may not load programs.
func privileged(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, ErrUnsupported):
		netlab.Lacking(t, "needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON (root has them): %v", err)
	default:
		t.Fatal(err)
	}
}

// testPrograms are the programs of each kind that test runs can run.
var testPrograms = []struct {
	name     string
	hook     Hook
	xdpFrags bool
}{{"tcx", TCX, false}, {"socket", Socket, false}, {"xdp", XDP, false}, {"xdp-frags", XDP, true}}

// A runner runs one program on frames in the kernel.
type runner struct {
	t testing.TB
	m *maps
	p *ebpf.Program
	l *Layout
}

func newRunner(t testing.TB, l *Layout, h Hook, xdpFrags bool) *runner {
	t.Helper()
	return newFilterRunner(t, l, nil, h, xdpFrags)
}

func newFilterRunner(t testing.TB, l *Layout, e *filter.Expr, h Hook, xdpFrags bool) *runner {
	t.Helper()
	m, err := newMaps(l, e, 2)
	privileged(t, err)
	t.Cleanup(func() { m.close() })
	p, err := m.program(h, 0, xdpFrags, true)
	privileged(t, err)
	t.Cleanup(func() { p.Close() })
	return &runner{t, m, p, l}
}

// cell runs the program on one frame.
func (r *runner) cell(frame []byte) (c Cell, ok bool) {
	r.t.Helper()
	c, err := runCell(r.p, frame)
	if err != nil && !errors.Is(err, errShort) {
		r.t.Fatalf("run on %d bytes: %v", len(frame), err)
	}
	return c, err == nil
}

func testLayout(t testing.TB) *Layout {
	t.Helper()
	l, err := NewLayout(catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Every frame that was ever captured for us lands on the same slot in the
// kernel and in Go.
func TestCaptures(t *testing.T) {
	files := tracktest.Captures(t)
	l := testLayout(t)
	for _, c := range testPrograms {
		t.Run(c.name, func(t *testing.T) {
			frames, wrong, refused := 0, 0, 0
			r := newRunner(t, l, c.hook, c.xdpFrags)
			slots := map[int]int{}
			for _, f := range files {
				ref := NewReference(l)
				if err := r.m.forget(); err != nil {
					t.Fatal(err)
				}
				eachFrame(t, f, func(p *capture.Packet) {
					want := ref.Cell(p)
					got, ok := r.cell(p.Data)
					if !ok {
						refused++
						return
					}
					frames++
					slots[want.Slot]++
					if !l.same(want, got) {
						if wrong++; wrong < 20 {
							t.Errorf("%s frame %d: got %s, want %s (stop %q)\n% x", filepath.Base(f), p.ID.Number(),
								l.describe(got), l.describe(want), ref.frame.Stop, p.Data[:min(96, len(p.Data))])
						}
					}
				})
			}
			t.Logf("%d frames of %d files, %d slots, %d wrong; %d too short for a test run", frames, len(files), len(slots), wrong, refused)
			if refused > frames/100+10 {
				t.Errorf("got %d frames that could not be run, want few", refused)
			}
			if frames < 1000 && len(files) > 10 {
				t.Errorf("got %d frames: the corpus was not read", frames)
			}
		})
	}
}

// eachFrame calls do for the Ethernet frames of a file, cut to what a test run
// takes.
func eachFrame(t *testing.T, file string, do func(*capture.Packet)) {
	t.Helper()
	src, err := pcapfile.Open([]string{file}, pcapfile.Options{})
	if err != nil {
		return // not a capture; capture/pcapfile tests which are
	}
	defer src.Close()
	var p capture.Packet
	for {
		if err := src.Next(&p); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("%s: %v", file, err)
			}
			return
		}
		if p.Link != capture.LinkEthernet || len(p.Data) < 14 {
			continue
		}
		p.Data = p.Data[:min(len(p.Data), maxRun)]
		do(&p)
	}
}
