package track

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/wire"
)

func TestCopyKinds(t *testing.T) {
	frame := func() *wire.Frame {
		f := udp(0, 68, 5000)
		f.SrcMAC, f.TTL = wire.MAC{2, 0, 0, 0, 0, 1}, 64
		f.Payload, f.PayloadLen = []byte("twelve bytes"), 12
		return f
	}
	for _, c := range []struct {
		name   string
		change func(*wire.Frame)
		want   CopyKind
	}{
		{"both directions mirrored", func(*wire.Frame) {}, Twin},
		{"another interface", func(f *wire.Frame) { f.Iface = 3 }, Twin},
		{"behind a router", func(f *wire.Frame) { f.TTL, f.SrcMAC = 63, wire.MAC{2, 0, 0, 0, 0, 9} }, Routed},
		{"another MAC", func(f *wire.Frame) { f.SrcMAC = wire.MAC{2, 0, 0, 0, 0, 9} }, Routed},
		{"a lower TTL", func(f *wire.Frame) { f.TTL = 63 }, Routed},
		{"with a tag", func(f *wire.Frame) { f.Tags[0], f.TagCount = 30, 1 }, Trunk},
		{"with a priority tag", func(f *wire.Frame) { f.TagCount = 1 }, Twin},
	} {
		x := NewCopies(20 * time.Millisecond)
		x.Seen(frame(), 0)
		f := frame()
		f.Time = capture.Time(time.Millisecond)
		c.change(f)
		if !x.Seen(f, f.Time) {
			t.Errorf("%s: no copy", c.name)
		}
		for k := range numCopyKinds {
			want := uint64(0)
			if k == c.want {
				want = 1
			}
			if got := x.Of(k); got != want {
				t.Errorf("%s: got %d of kind %d, want %d", c.name, got, k, want)
			}
		}
	}
}

// The same datagram is a copy within the window to both sides, and a retry outside
// of it, which is remembered in the place of the first one.
func TestCopiesWindow(t *testing.T) {
	const window, now = 20 * time.Millisecond, 1_700_000_000 * capture.Time(time.Second)
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {window, true}, {-window, true}, {window + 1, false}, {-window - 1, false}, {time.Hour, false}, {-time.Hour, false}} {
		x, f := NewCopies(window), udp(0, 69, 4000)
		x.Seen(f, now)
		if got := x.Seen(f, now.Add(c.after)); got != c.want {
			t.Errorf("%v after: got %v, want %v", c.after, got, c.want)
		}
		if got := x.Seen(f, now.Add(c.after)); !got {
			t.Errorf("%v after, and again at once: got no copy", c.after)
		}
	}
}

// The fragments of a datagram of zeros differ in their places only.
func TestFragmentsAreNoCopies(t *testing.T) {
	x := NewCopies(20 * time.Millisecond)
	for i := range 5 {
		f := udp(0, 0, 0)
		f.Time, f.IPID, f.Proto = capture.Time(i)*1000, 7, wire.ProtoUDP
		f.Fragment, f.FragOffset = wire.Later, uint16(1480*(i+1))
		f.Payload, f.PayloadLen = make([]byte, 1480), 1480
		if x.Seen(f, f.Time) {
			t.Errorf("fragment at %d: got a copy", f.FragOffset)
		}
		f.Time += 100
		if !x.Seen(f, f.Time) {
			t.Errorf("fragment at %d again: got no copy", f.FragOffset)
		}
	}
}

// What came within the window is remembered at the rates that control traffic
// has, and no datagram is taken for another.
func TestCopiesUnderLoad(t *testing.T) {
	x := NewCopies(20 * time.Millisecond)
	f := udp(0, 69, 4000)
	f.Payload, f.PayloadLen = make([]byte, 64), 64
	const n, gap, late = 20000, 50 * time.Microsecond, 40 // 20,000 a second, each again after 2 ms
	missed, wrong := 0, 0
	for i := range n {
		f.Time = capture.Time(i) * capture.Time(gap)
		binary.LittleEndian.PutUint32(f.Payload, uint32(i))
		if x.Seen(f, f.Time) {
			wrong++
		}
		if i >= late {
			binary.LittleEndian.PutUint32(f.Payload, uint32(i-late))
			if !x.Seen(f, f.Time) {
				missed++
			}
		}
	}
	if wrong > 0 || missed > n/1000 {
		t.Errorf("got %d datagrams taken for copies, %d of %d copies missed; want none, at most one in a thousand", wrong, missed, n)
	}
}

func BenchmarkCopies(b *testing.B) {
	x := NewCopies(20 * time.Millisecond)
	f := udp(0, 69, 4000)
	f.Payload, f.PayloadLen = make([]byte, 512), 512
	b.ReportAllocs()
	for i := range b.N {
		f.Time += 1000
		f.IPID = uint32(i)
		x.Seen(f, f.Time)
	}
}
