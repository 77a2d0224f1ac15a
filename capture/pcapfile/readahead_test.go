package pcapfile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
)

// uneven is a capture of records of very different lengths, some of them longer
// than the room in front of a chunk.
func uneven(t *testing.T, seed uint64, ng bool, n int) []byte {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 7))
	var b bytes.Buffer
	var put func(*capture.Packet) error
	if ng {
		w, err := NewNgWriter(&b, Section{Comment: "uneven"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Interface(capture.Interface{Name: "eth0", Link: capture.LinkEthernet}); err != nil {
			t.Fatal(err)
		}
		put = func(p *capture.Packet) error { return w.WritePacket(p, "") }
	} else {
		w, err := NewPcapWriter(&b, capture.LinkEthernet, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		put = w.WritePacket
	}
	data := make([]byte, 200_000)
	for i := range data {
		data[i] = byte(rnd.Uint32())
	}
	for i := range n {
		size := rnd.IntN(1500)
		switch rnd.IntN(20) {
		case 0:
			size = rnd.IntN(3 * frontRoom)
		case 1:
			size = frontRoom - 40 + rnd.IntN(80)
		case 2:
			size = rnd.IntN(len(data))
		}
		from := rnd.IntN(len(data) - size + 1)
		p := capture.Packet{Time: at(0) + capture.Time(i)*1000, Link: capture.LinkEthernet, WireLen: size, Data: data[from : from+size]}
		if err := put(&p); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// A read is everything that a Reader says of a stream.
type read struct {
	Sums  []uint64 // of the packets: data, time, number, lengths
	Err   string
	Info  capture.FileInfo
	Iface []capture.Interface
}

func sum(p *capture.Packet) uint64 {
	h := uint64(p.ID)*31 ^ uint64(p.Time) ^ uint64(p.WireLen)<<40
	for _, c := range p.Data {
		h = h*1099511628211 ^ uint64(c)
	}
	return h
}

func readAll(t *testing.T, r *Reader) read {
	t.Helper()
	var x read
	var p capture.Packet
	for {
		err := r.Next(&p)
		if err != nil {
			x.Err, x.Info, x.Iface = err.Error(), r.Info(), r.Interfaces()
			return x
		}
		x.Sums = append(x.Sums, sum(&p))
	}
}

// readBatches is readAll in batches.
func readBatches(r *Reader) read {
	var x read
	p := make([]capture.Packet, 10)
	for {
		if err := r.Next(&p[0]); err != nil {
			x.Err, x.Info, x.Iface = err.Error(), r.Info(), r.Interfaces()
			return x
		}
		for i := range p[:r.more(p, math.MaxInt64)] {
			x.Sums = append(x.Sums, sum(&p[i]))
		}
	}
}

// What is read ahead is read as without, wherever chunks and records end, also
// when the stream is cut or fails.
func TestReadAheadSame(t *testing.T) {
	for seed := range uint64(12) {
		for _, ng := range []bool{false, true} {
			data := uneven(t, seed, ng, 150)
			switch seed % 3 {
			case 1:
				data = data[:len(data)*2/3+int(seed)]
			case 2:
				copy(data[len(data)/2:], bytes.Repeat([]byte{0xff}, 64)) // damage
			}
			open := func() *Reader {
				r, err := NewReader(bytes.NewReader(data))
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			want := readAll(t, open())
			for _, size := range []int{16, 100, 4 << 10, frontRoom, 64 << 10, 1 << 20} {
				t.Run(fmt.Sprintf("%d/%v/%d", seed, ng, size), func(t *testing.T) {
					r := open()
					defer r.readAhead(size)()
					if diff := cmp.Diff(want, readAll(t, r)); diff != "" {
						t.Errorf("want, got: %s", diff)
					}
					r = open()
					defer r.readAhead(size)()
					if diff := cmp.Diff(want, readBatches(r)); diff != "" {
						t.Errorf("in batches: want, got: %s", diff)
					}
				})
			}
		}
	}
}

// The error of a stream that fails in the middle arrives behind its bytes.
func TestReadAheadFails(t *testing.T) {
	data := uneven(t, 3, false, 100)
	broken := errors.New("the disk is on fire")
	open := func() *Reader {
		r, err := NewReader(io.MultiReader(bytes.NewReader(data[:len(data)/2]), failing{broken}))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	want := readAll(t, open())
	r := open()
	defer r.readAhead(5000)()
	got := readAll(t, r)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want, got: %s", diff)
	}
	if r.err != broken {
		t.Errorf("got the cause %v, want %v", r.err, broken)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// readAhead has a goroutine read the rest of the stream, size bytes at a time.
// The result stops it.
func (r *Reader) readAhead(size int) (stop func()) {
	src := r.src
	a := newReadAhead(size, func() (io.Reader, error) { return src, nil }, func() {})
	r.src, r.ahead, r.under = a, a, nil
	return func() { a.Close(true) }
}

// A compressed file is decompressed ahead, and its packets are the same; stopping
// in the middle ends the goroutine.
func TestTimelineReadsAhead(t *testing.T) {
	data := uneven(t, 1, false, 300)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(data)
	z.Close()
	tree(t, map[string][]byte{"large.pcap.gz": packed.Bytes()})
	plain, err := NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	want := readAll(t, plain)
	for _, stop := range []int{len(want.Sums), 10} {
		tl, err := Open([]string{"large.pcap.gz"}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var p capture.Packet
		lent := 0
		for i := range stop {
			if err := tl.Next(&p); err != nil {
				t.Fatalf("packet %d: %v", i+1, err)
			}
			if sum(&p) != want.Sums[i] {
				t.Fatalf("packet %d is another one", i+1)
			}
			if tl.cur.r.lent {
				lent++
			}
		}
		r := tl.cur.r
		if stop > 10 && lent < stop/4 { // the rest are longer than the room in front
			t.Errorf("got %d of %d packets in buffers that were filled ahead", lent, stop)
		}
		if stop == len(want.Sums) {
			if err := tl.Next(&p); err != io.EOF {
				t.Errorf("got %v after the last packet, want EOF", err)
			}
		}
		tl.Close()
		<-r.ahead.done
	}
}
