package frag_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/frag"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

var (
	node  = synth.NewHost("52:54:00:12:34:56", "10.0.0.57")
	rack  = synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	other = synth.NewHost("52:54:00:00:00:03", "10.0.0.3")
)

const s = time.Second

func blank() *synth.Capture { return &synth.Capture{} }

// reply is an NFS reply over UDP of n bytes in fragments.
func reply(id uint16, n int) [][]byte {
	return synth.Fragments(synth.IP{ID: id}.UDP(rack, node, 2049, 800, make([]byte, n)), 1500)
}

// sends adds the fragments of datagrams, one datagram a second, without those
// that drop names by their number.
func sends(c *synth.Capture, datagrams int, build func(id uint16, n int) [][]byte, drop func(datagram, fragment int) bool) *synth.Capture {
	for d := range datagrams {
		for i, f := range build(uint16(100+d), 8192) {
			if !drop(d, i) {
				c.Add(time.Duration(d)*s+time.Duration(i)*time.Microsecond, f)
			}
		}
	}
	return c
}

// others are fragments of another flow, all there: the capture holds them.
func others() *synth.Capture {
	c := blank()
	for i, f := range synth.Fragments(synth.IP{ID: 9}.UDP(other, node, 2049, 900, make([]byte, 4000)), 1500) {
		c.Add(500*time.Millisecond+time.Duration(i), f)
	}
	return c
}

// later adds an unrelated frame that lets time pass.
func later(c *synth.Capture) *synth.Capture {
	return c.Add(60*s, synth.UDP(node, rack, 5000, 5000, nil))
}

func none(int, int) bool         { return false }
func rest(_, i int) bool         { return i > 0 }
func last(_, i int) bool         { return i == 5 }
func odd(d, i int) bool          { return d%2 == 1 && i > 0 }
func withoutFirst(_, i int) bool { return i == 0 }

type was struct{ Subject, Severity, Confidence string }

func findings(r *tracktest.Result) []was {
	var out []was
	for _, f := range r.Findings {
		out = append(out, was{f.Subject, f.Severity.String(), f.Confidence.String()})
	}
	return out
}

func TestLost(t *testing.T) {
	nfs := []was{{"10.0.0.2:2049 > 10.0.0.57:800", "error", "likely"}}
	for _, tt := range []struct {
		name string
		c    *synth.Capture
		want []was
	}{
		{"later fragments of this flow never come", later(sends(others(), 4, reply, rest).Join()), nfs},
		{"the last fragment never comes", later(sends(blank(), 4, reply, last)), nfs},
		{"mirrored twice", later(sends(blank(), 4, reply, last).Doubled()), nfs},
		{"started late", later(sends(blank(), 5, reply, last)).From(500 * time.Millisecond), nfs},
		{"the later fragments of others come last", later(sends(blank(), 4, reply, rest).Join(blank().Add(30*s, others().Packets[1].Data))), nfs},
		{"no known service", later(sends(blank(), 4, func(id uint16, n int) [][]byte {
			return synth.Fragments(synth.IP{ID: id}.UDP(rack, node, 50001, 50002, make([]byte, n)), 1500)
		}, last)), []was{{"10.0.0.2:50001 > 10.0.0.57:50002", "note", "likely"}}},

		{"a port filter: no later fragment in the whole capture", later(sends(blank(), 9, reply, rest)), nil},
		{"all complete", later(sends(blank(), 9, reply, none)), nil},
		{"all complete, mirrored twice", later(sends(blank(), 9, reply, none).Doubled()), nil},
		{"half of them complete", later(sends(blank(), 9, reply, odd)), nil},
		{"the first one complete, the rest lost", later(sends(blank(), 9, reply, func(d, i int) bool { return d > 0 && i > 0 })), nil},
		{"two are too few", later(sends(others(), 2, reply, last).Join()), nil},
		{"two are too few, mirrored twice", later(sends(others(), 2, reply, last).Join().Doubled()), nil},
		{"cut by the snap length", later(sends(blank(), 9, reply, none).Snapped(96)), nil},
		{"first fragments lost: the flow is not known", later(sends(blank(), 9, reply, withoutFirst)), nil},
		{"ends before the deadline", sends(blank(), 3, reply, last).Until(2500 * time.Millisecond), nil},
		{"one is complete in the end", later(sends(blank(), 4, reply, last).Join(func() *synth.Capture {
			c := blank()
			for i, f := range reply(500, 8192) {
				c.Add(20*s+time.Duration(i), f)
			}
			return c
		}())), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tracktest.Run(t, tt.c, nil, frag.Spec)
			if d := cmp.Diff(tt.want, findings(r)); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
			for _, f := range r.Findings {
				if got := f.Node.Addr.String(); got != "10.0.0.57" {
					t.Errorf("node: got %s, want the receiver, 10.0.0.57", got)
				}
			}
		})
	}
}

func TestSummary(t *testing.T) {
	r := tracktest.Run(t, later(sends(blank(), 4, reply, last)), nil, frag.Spec)
	if len(r.Findings) != 1 {
		t.Fatalf("got %v, want one finding", findings(r))
	}
	want := "4 datagrams from 10.0.0.2:2049 to 10.0.0.57:800 (NFS) came without their later fragments, and none came whole"
	if got := r.Findings[0].Summary; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := len(r.Findings[0].Frames); got != 4 {
		t.Errorf("got %d frames, want the 4 first fragments", got)
	}
}

// TestClientSends: what the client's request loses is the client's trouble too.
func TestClientSends(t *testing.T) {
	r := tracktest.Run(t, later(sends(blank(), 4, func(id uint16, n int) [][]byte {
		return synth.Fragments(synth.IP{ID: id}.UDP(node, rack, 800, 2049, make([]byte, n)), 1500)
	}, last)), nil, frag.Spec)
	if len(r.Findings) != 1 || r.Findings[0].Node.MAC != wire.MAC(node.MAC) || r.Findings[0].Server.MAC != wire.MAC(rack.MAC) {
		t.Errorf("got %+v, want the client as the node", r.Findings)
	}
}

func TestCompleteDatagramsAllocateNothing(t *testing.T) {
	tr := frag.Spec.New(tracktest.Config())
	out := &track.Out{}
	f := &wire.Frame{
		Time: synth.Start, ID: 1, IPVersion: 4, Proto: wire.ProtoUDP, Src: wire.AddrFrom(rack.IP), Dst: wire.AddrFrom(node.IP), CapLen: 1514, WireLen: 1514,
	}
	datagram := func() {
		f.Time += 1000
		f.Datagram++
		f.Fragment, f.FragOffset, f.SrcPort, f.DstPort = wire.First, 0, 2049, 800
		tr.Frame(f, out)
		f.Fragment, f.FragOffset, f.SrcPort, f.DstPort = wire.Later, 1480, 0, 0
		tr.Frame(f, out)
		f.Fragment, f.FragOffset, f.SrcPort, f.DstPort = wire.Reassembled, 2960, 2049, 800
		tr.Frame(f, out)
	}
	datagram()
	if got := testing.AllocsPerRun(1000, datagram); got != 0 {
		t.Errorf("got %v allocations a datagram, want 0", got)
	}
	if !out.Empty() || tr.Evicted() != 0 {
		t.Errorf("got %v and %d evicted, want nothing", out.Findings, tr.Evicted())
	}
}

func FuzzTracker(f *testing.F) {
	f.Add([]byte{1, 1, 0, 0, 1, 2, 0, 0, 1, 3, 0, 0, 2, 4, 1, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		tr := frag.Spec.New(tracktest.Config())
		r, out := &tracktest.Result{}, &track.Out{}
		at := synth.Start
		for n := 1; len(b) >= 4; n, b = n+1, b[4:] {
			at += capture.Time(b[3]) * capture.Time(20*time.Millisecond)
			f := &wire.Frame{
				Time: at, ID: capture.NewFrameID(0, uint64(n)), IPVersion: 4, Proto: wire.ProtoUDP, Src: wire.AddrFrom(rack.IP), Dst: wire.AddrFrom(node.IP),
				Fragment: wire.Fragment(b[0] & 3), Datagram: uint32(b[1]), SrcPort: 2049, DstPort: 800 + uint16(b[2]&3), Copy: b[2]&4 != 0,
				CapLen: 100, WireLen: 100 + int(b[2]>>7),
			}
			if f.Fragment == wire.Later {
				f.SrcPort, f.DstPort, f.FragOffset = 0, 0, 1480
			}
			if d := tr.Deadline(); d <= at {
				tr.Expire(at, out)
				if got := tr.Deadline(); got <= at {
					t.Fatalf("deadline %d stays behind %d", got, at)
				}
			}
			tr.Frame(f, out)
			r.Take(out)
			out.Reset()
		}
		tr.Finish(at, out)
		r.Take(out)
		for _, f := range r.Findings {
			if f.Summary == "" || len(f.Frames) == 0 || f.First > f.Last {
				t.Errorf("got %+v, want a summary, frames and times in order", f)
			}
		}
	})
}

// TestFloodIsBounded: first fragments without end.
func TestFloodIsBounded(t *testing.T) {
	tr := frag.Spec.New(tracktest.Config())
	out := &track.Out{}
	f := &wire.Frame{
		Time: synth.Start, ID: 1, IPVersion: 4, Proto: wire.ProtoUDP, Src: wire.AddrFrom(rack.IP), Dst: wire.AddrFrom(node.IP),
		Fragment: wire.First, SrcPort: 2049, CapLen: 100, WireLen: 100,
	}
	const n = 50_000
	for i := range n {
		f.Time += 1000
		f.Datagram++
		f.DstPort = uint16(1 + i)
		tr.Frame(f, out)
	}
	if got := tr.Evicted(); got != n-1024 {
		t.Errorf("evicted: got %d, want %d", got, n-1024)
	}
	tr.Expire(f.Time.Add(time.Minute), out)
	if !out.Empty() {
		t.Errorf("got %v, want nothing: no later fragment was seen", out.Findings)
	}
}
