package rpc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
)

// A piece is one segment of a stream.
type piece struct{ from, to int }

// feed gives the pieces of a stream to a lane and returns the xids of the
// messages that it yields, refusing what is no RPC as the tracker does.
func feed(t *testing.T, l *lane, stream []byte, snap int, pieces ...piece) []uint32 {
	t.Helper()
	var xids []uint32
	var side lane
	read := func(l *lane) {
		for b := l.message(); b != nil; b = l.message() {
			m, ok := parse(b)
			if !ok {
				l.refuse()
				continue
			}
			xids = append(xids, m.xid)
		}
	}
	for _, p := range pieces {
		b := stream[p.from:p.to]
		n := len(b)
		b = bytes.Clone(b[:min(snap, n)])
		if l.begin(uint32(1000+p.from), b, n, &side) {
			read(l)
		} else if side.buf != nil {
			read(&side)
			side.buf = nil
		}
		clear(b) // the bytes are the packet's: the lane must not look at them again
		l.buf, l.rest = nil, nil
	}
	return xids
}

const whole = 1 << 20

// talk is a stream of records of all kinds: small and large, in fragments, a
// body of zeros and one full of marks.
func talk() (stream []byte, xids []uint32, starts []int) {
	add := func(xid uint32, record []byte) {
		starts = append(starts, len(stream))
		stream = append(stream, record...)
		xids = append(xids, xid)
	}
	add(1, synth.RPCRecord(synth.NFSCall(1, 3, 1, "cn01")))
	add(2, synth.RPCRecord(synth.NFSRead(2, 3000)))
	add(3, synth.RPCFragments(synth.NFSCall(3, 3, 4, "cn01"), 4))
	add(4, synth.RPCRecord(synth.RPCDenied(4, 5)))
	add(5, synth.RPCFragments(synth.NFSRead(5, 700), 300))
	add(6, synth.RPCRecord(synth.NFSReply(6, 0, bytes.Repeat([]byte{0x80}, 400)...)))
	add(7, synth.RPCFragments(synth.NFSCall(7, 3, 3, "a machine"), 60))
	add(8, synth.RPCRecord(synth.MountMNT(8, 3, "cn01", "/srv/image")))
	return stream, xids, starts
}

func TestSegmentsSplitAtEveryByte(t *testing.T) {
	stream, want, _ := talk()
	for i := 0; i <= len(stream); i++ {
		var l lane
		l.syn(999)
		l.syn(1000)
		if d := cmp.Diff(want, feed(t, &l, stream, whole, piece{0, i}, piece{i, len(stream)})); d != "" {
			t.Fatalf("split at %d (-want +got):\n%s", i, d)
		}
	}
	for n := 1; n < 2000; n++ {
		var l lane
		l.syn(1000)
		var pieces []piece
		for i := 0; i < len(stream); i += n {
			pieces = append(pieces, piece{i, min(i+n, len(stream))})
		}
		if d := cmp.Diff(want, feed(t, &l, stream, whole, pieces...)); d != "" {
			t.Fatalf("segments of %d (-want +got):\n%s", n, d)
		}
	}
}

func TestRetransmissionsAndOverlaps(t *testing.T) {
	stream, want, _ := talk()
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		var pieces []piece
		for i := 0; i < len(stream); {
			n := min(len(stream), i+1+r.IntN(900))
			pieces = append(pieces, piece{i, n})
			if r.IntN(3) == 0 { // again, or from a bit before
				b := r.IntN(n)
				pieces = append(pieces, piece{b, n})
			}
			i = n - r.IntN(min(n-i, 40))
			if i < n && n == len(stream) {
				pieces = append(pieces, piece{i, n})
				i = n
			}
		}
		var l lane
		l.syn(1000)
		if d := cmp.Diff(want, feed(t, &l, stream, whole, pieces...)); d != "" {
			t.Fatalf("round %d, %v (-want +got):\n%s", round, pieces, d)
		}
	}
}

// TestLostSegment takes one segment out at every place: what begins outside it
// is found, but for what the search for the next boundary needs.
func TestLostSegment(t *testing.T) {
	stream, xids, starts := talk()
	const n = 64
	for i := 0; i+n < len(stream); i += 16 {
		var l lane
		l.syn(1000)
		got := feed(t, &l, stream, whole, piece{0, i}, piece{i + n, len(stream)})
		if last := got[len(got)-1]; i < starts[7]-n && last != 8 {
			t.Errorf("lost %d to %d: got %v, want the last call", i, i+n, got)
		}
		seen := map[uint32]bool{}
		for _, x := range got {
			if seen[x] {
				t.Errorf("lost %d to %d: got %v, %d twice", i, i+n, got, x)
			}
			seen[x] = true
		}
		for k, x := range xids {
			if starts[k]+60 < i && !seen[x] {
				t.Errorf("lost %d to %d: got %v, without %d, which came before", i, i+n, got, x)
			}
		}
	}
}

func TestLateSegment(t *testing.T) {
	stream, _, starts := talk()
	for _, x := range []struct {
		name   string
		pieces []piece
		want   []uint32
	}{
		// Record 5 comes in fragments: it does not tell where a record begins.
		{"a whole reply comes late", []piece{{0, starts[3]}, {starts[4], len(stream)}, {starts[3], starts[4]}}, []uint32{1, 2, 3, 6, 7, 8, 4}},
		{"and once more", []piece{{0, starts[3]}, {starts[4], len(stream)}, {starts[3], starts[4]}, {starts[3], starts[4]}}, []uint32{1, 2, 3, 6, 7, 8, 4}},
		{"a part of file contents", []piece{{0, 500}, {1500, len(stream)}, {500, 1500}}, []uint32{1, 2, 3, 4, 5, 6, 7, 8}},
		{"the sequence wraps into nonsense", []piece{{0, starts[1]}, {starts[7], len(stream)}}, []uint32{1, 8}},
	} {
		var l lane
		l.syn(1000)
		if d := cmp.Diff(x.want, feed(t, &l, stream, whole, x.pieces...)); d != "" {
			t.Errorf("%s (-want +got):\n%s", x.name, d)
		}
	}
}

// TestStartsMidStream begins a stream anywhere: the first record of one
// fragment that begins afterwards is found, and all that follow.
func TestStartsMidStream(t *testing.T) {
	stream, _, starts := talk()
	for i := 1; i < starts[7]; i++ {
		var l lane
		got := feed(t, &l, stream, whole, piece{i, len(stream)})
		if len(got) == 0 || got[len(got)-1] != 8 {
			t.Fatalf("from %d: got %v, want the last call", i, got)
		}
	}
}

// TestSnappedSegments cuts the captured bytes: heads that are there are read,
// and bodies are passed by their length.
func TestSnappedSegments(t *testing.T) {
	var stream []byte
	var pieces []piece
	var want []uint32
	for i := range uint32(20) {
		b := synth.RPCRecord(synth.NFSCall(i, 3, 7, "cn01"))
		if i%2 == 1 {
			b = synth.RPCRecord(synth.NFSRead(i, 4000))
		}
		at := len(stream)
		stream = append(stream, b...)
		for at < len(stream) {
			n := min(at+1448, len(stream))
			pieces = append(pieces, piece{at, n})
			at = n
		}
		want = append(want, i)
	}
	for _, snap := range []int{30, 40, 64, 200} {
		var l lane
		l.syn(1000)
		if d := cmp.Diff(want, feed(t, &l, stream, snap, pieces...)); d != "" {
			t.Errorf("snap %d (-want +got):\n%s", snap, d)
		}
	}
}

func TestSeveralRecordsInOneSegment(t *testing.T) {
	var stream []byte
	var want []uint32
	for i := range uint32(400) { // a segment that the card puts together, 64 KiB
		stream = append(stream, synth.RPCRecord(synth.NFSCall(i, 3, 4, "cn01"))...)
		want = append(want, i)
	}
	var l lane
	l.syn(1000)
	if d := cmp.Diff(want, feed(t, &l, stream, whole, piece{0, len(stream)})); d != "" {
		t.Error(d)
	}
}

// TestHostileMarks feeds lengths that no record has.
func TestHostileMarks(t *testing.T) {
	call := synth.RPCRecord(synth.NFSCall(7, 3, 1, ""))
	for _, x := range []struct {
		name  string
		front []byte
	}{
		{"the largest length", synth.Words(0xffffffff)},
		{"a fragment of 2 GiB", synth.Words(0x7fffffff)},
		{"fragments of no length", make([]byte, 400)},
		{"last fragments of no length", bytes.Repeat(synth.Words(1<<31), 50)},
		{"a record that is no RPC", synth.RPCRecord([]byte("GET / HTTP/1.1\r\n\r\n  "))},
		{"text", []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n")},
	} {
		stream := append(bytes.Clone(x.front), call...)
		var l lane
		l.syn(1000)
		if got := feed(t, &l, stream, whole, piece{0, len(stream)}); len(got) != 1 || got[0] != 7 {
			t.Errorf("%s: got %v, want the call behind it", x.name, got)
		}
	}
}

// FuzzLane: whatever the segments, what a lane yields is bounded and it ends.
// Of a stream of honest records, every one is yielded once.
func FuzzLane(f *testing.F) {
	stream, _, _ := talk()
	f.Add(stream, []byte{100, 0, 50, 3, 200}, false)
	f.Add(synth.Words(0, 0, 1<<31, 1<<31), []byte{1}, false)
	f.Add([]byte{}, []byte{1, 2, 3, 1, 1, 1, 1, 1, 1, 255}, true)
	f.Add(bytes.Repeat([]byte{0x80}, 300), []byte{255}, false)
	f.Fuzz(func(t *testing.T, data, cuts []byte, honest bool) {
		var want []uint32
		if honest {
			// The bytes are sizes of bodies; the records are real ones.
			sizes := data
			data = nil
			for i, n := range sizes[:min(len(sizes), 64)] {
				m := synth.NFSReply(uint32(i), 0, make([]byte, int(n)*8)...)
				r := synth.RPCRecord(m)
				if n%3 == 0 {
					r = synth.RPCFragments(m, int(n)+1)
				}
				data = append(data, r...)
				want = append(want, uint32(i))
			}
		}
		var l lane
		l.syn(1000)
		var pieces []piece
		at := 0
		for i := 0; at < len(data); i++ {
			n := len(data)
			if i < len(cuts) {
				n = min(at+int(cuts[i]), n)
			}
			pieces = append(pieces, piece{at, n})
			at = n
		}
		got := feed(t, &l, data, whole, pieces...)
		if honest {
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			return
		}
		if len(got) > len(data) {
			t.Errorf("got %d messages in %d bytes", len(got), len(data))
		}
		// The same with holes.
		var h lane
		for i, p := range pieces {
			if i%3 != 1 {
				b := data[p.from:p.to]
				if h.begin(binary.BigEndian.Uint32(append(bytes.Clone(b), 0, 0, 0, 0)), b, len(b)+i%5, nil) {
					for k, m := 0, h.message(); m != nil; k, m = k+1, h.message() {
						if k > len(b) {
							t.Fatal("no end of messages")
						}
						if k%2 == 0 {
							h.refuse()
						}
					}
				}
			}
		}
	})
}

func BenchmarkLaneRead(b *testing.B) {
	record := synth.RPCRecord(synth.NFSRead(1, 65536))
	var l lane
	l.syn(1000)
	seq := uint32(1000)
	b.SetBytes(1448)
	b.ReportAllocs()
	at := 0
	for b.Loop() {
		n := min(at+1448, len(record))
		if !l.begin(seq, record[at:n], n-at, nil) {
			b.Fatal("taken for a retransmission")
		}
		for m := l.message(); m != nil; m = l.message() {
			if len(m) < headLen {
				b.Fatal(fmt.Sprint("got ", len(m), " bytes"))
			}
		}
		seq += uint32(n - at)
		if at = n; at == len(record) {
			at = 0
		}
	}
}
