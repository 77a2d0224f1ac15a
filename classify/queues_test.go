package classify_test

import (
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
	"github.com/pxescope/pxescope/classify"
)

// inTurn yields the packets as dumpcap's queues leave them when it captures on
// several interfaces under load and tcpdump then writes its file as one of a
// single interface: of each half second all of the first tap, then all of the next.
type inTurn struct {
	capture.Source
	packets []capture.Packet
}

const queued = 500 * time.Millisecond

func newInTurn(t *testing.T, src capture.Source, taps int) *inTurn {
	t.Helper()
	var read, out []capture.Packet
	for {
		var p capture.Packet
		if err := src.Next(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.Data = slices.Clone(p.Data)
		read = append(read, p)
	}
	for i := 0; i < len(read); {
		end := i + 1
		for end < len(read) && read[end].Time.Sub(read[i].Time) < queued {
			end++
		}
		for tap := range taps {
			for _, p := range read[i:end] {
				p.Time = p.Time.Add(time.Duration(tap) * 10 * time.Microsecond)
				p.ID = capture.NewFrameID(0, uint64(len(out))+1)
				out = append(out, p)
			}
		}
		i = end
	}
	return &inTurn{src, out}
}

func (s *inTurn) Next(p *capture.Packet) error {
	if len(s.packets) == 0 {
		return io.EOF
	}
	*p, s.packets = s.packets[0], s.packets[1:]
	return nil
}

// TestTapsInTurn: what several taps saw of one boot, one tap's frames behind
// another's, is judged like what one of them saw.
func TestTapsInTurn(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(fixtures, "*.pcap"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			said := func(taps int) []string {
				src, err := pcapfile.Open([]string{file}, pcapfile.Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer src.Close()
				s := newInTurn(t, src, taps)
				engine := classify.New(classify.Options{})
				if err := engine.Run(s, 0); err != nil {
					t.Fatal(err)
				}
				r := engine.Report(s)
				var out []string
				for _, n := range r.Nodes {
					out = append(out, n.Name()+" "+n.Outcome+" "+n.Stage+" "+n.RootCause)
				}
				for _, f := range r.Findings {
					if f.Severity == "error" || f.Severity == "warning" {
						out = append(out, f.Severity+" "+f.ID+" "+f.Node+" "+f.Server)
					}
				}
				return out
			}
			if got, want := said(3), said(1); !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}
