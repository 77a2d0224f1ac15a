package follow

import (
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/live/netlab"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify/track/tracktest"
)

// privileged ends a test that may not load programs.
func privileged(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrPermission) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES):
		netlab.Lacking(t, "needs CAP_BPF (root has it): %v", err)
	default:
		t.Fatal(err)
	}
}

// A runner runs the program on frames in the kernel, at times of the test's.
type runner struct {
	t testing.TB
	*Filter
}

func newRunner(t testing.TB, c Config) *runner {
	t.Helper()
	c.told = true
	f, err := Load(c)
	privileged(t, err)
	t.Cleanup(func() { f.Close() })
	return &runner{t, f}
}

// passes runs the program. A test run of a socket filter begins behind an
// Ethernet header.
func (r *runner) passes(frame []byte, now capture.Time) bool {
	r.t.Helper()
	if err := r.table.Put(uint32(tableClock), uint64(now)); err != nil {
		r.t.Fatal(err)
	}
	v, err := r.program.Run(&ebpf.RunOptions{Data: append(make([]byte, 14, 14+len(frame)), frame...)})
	if err != nil {
		r.t.Fatalf("run on %d bytes: %v", len(frame), err)
	}
	if v != 0 && v != r.config.SnapLen {
		r.t.Fatalf("got %d, want 0 or the snap length", v)
	}
	return v != 0
}

// forget empties the tables. Hints in the ports' entries may stay.
func (r *runner) forget() {
	r.t.Helper()
	for _, m := range []*ebpf.Map{r.clients, r.servers, r.calls, r.frags} {
		key := make([]byte, m.KeySize())
		for {
			err := m.NextKey(nil, &key)
			if errors.Is(err, ebpf.ErrKeyNotExist) {
				break
			}
			if err == nil {
				err = m.Delete(key)
			}
			if err != nil {
				r.t.Fatalf("empty %v: %v", m, err)
			}
		}
	}
	keys, zeros := make([]uint32, stamps), make([]uint64, stamps)
	for i := range keys {
		keys[i] = uint32(tableStamps + i)
	}
	if _, err := r.table.BatchUpdate(keys, zeros, nil); err != nil {
		r.t.Fatal(err)
	}
}

// maxRun is how much of a frame a test run takes, a page with what the kernel
// adds.
const maxRun = 2048

// Every frame that was ever captured for us is decided in the kernel as in Go.
func TestCaptures(t *testing.T) {
	for _, phase := range []string{"provisioning", ""} {
		t.Run("phase "+phase, func(t *testing.T) {
			c := Config{Phase: phase}
			r := newRunner(t, c)
			files, frames, dropped, wrong := tracktest.Captures(t), 0, 0, 0
			var want Stats
			before, err := r.Stats()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				ref, err := NewReference(c)
				if err != nil {
					t.Fatal(err)
				}
				r.forget()
				eachPacket(t, f, func(p *capture.Packet) {
					if p.Link != capture.LinkEthernet || len(p.Data) == 0 {
						return
					}
					b := p.Data[:min(len(p.Data), maxRun)]
					frames++
					pass := ref.Passes(b, p.Time)
					if !pass {
						dropped++
					}
					if got := r.passes(b, p.Time); got != pass {
						if wrong++; wrong < 20 {
							t.Errorf("%s frame %d: got %v, want %v\n% x", filepath.Base(f), p.ID.Number(), got, pass, b[:min(120, len(b))])
						}
					}
				})
				want.add(ref.Stats())
			}
			got, err := r.Stats()
			if err != nil {
				t.Fatal(err)
			}
			got.subtract(before)
			got.Evicted, got.Failures = 0, 0
			if got != want {
				t.Errorf("got counters %+v, want %+v", got, want)
			}
			t.Logf("%d frames of %d files, %d dropped, %d wrong; %+v", frames, len(files), dropped, wrong, got)
			if frames < 1000 || phase != "" && dropped == 0 {
				t.Errorf("got %d frames, %d dropped: nothing was tested", frames, dropped)
			}
		})
	}
}

func (s *Stats) add(x Stats) {
	s.Passed += x.Passed
	s.Dropped += x.Dropped
	s.TFTP += x.TFTP
	s.RPC += x.RPC
	s.Fragments += x.Fragments
	s.Samples += x.Samples
	s.Strays += x.Strays
	s.Excess += x.Excess
}

func (s *Stats) subtract(x Stats) {
	s.Passed -= x.Passed
	s.Dropped -= x.Dropped
}

// eachPacket calls do for the packets of a file.
func eachPacket(t *testing.T, file string, do func(*capture.Packet)) capture.Source {
	t.Helper()
	src, err := pcapfile.Open([]string{file}, pcapfile.Options{})
	if err != nil {
		return nil // not a capture; capture/pcapfile tests which are
	}
	t.Cleanup(func() { src.Close() })
	var p capture.Packet
	for {
		if err := src.Next(&p); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Logf("%s: %v", file, err)
			}
			return src
		}
		do(&p)
	}
}
