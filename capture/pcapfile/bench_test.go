package pcapfile

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/pxescope/pxescope/capture"
)

// bulk is a stream of about n bytes with packets of size bytes.
func bulk(tb testing.TB, ng bool, size, n int) []byte {
	tb.Helper()
	var b bytes.Buffer
	b.Grow(n + 1<<20)
	p := capture.Packet{Time: at(0), Link: capture.LinkEthernet, Data: make([]byte, size), WireLen: size}
	var write func() error
	if ng {
		w, err := NewNgWriter(&b, Section{})
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Interface(capture.Interface{Link: capture.LinkEthernet}); err != nil {
			tb.Fatal(err)
		}
		write = func() error { return w.WritePacket(&p, "") }
	} else {
		w, err := NewPcapWriter(&b, capture.LinkEthernet, 0, false)
		if err != nil {
			tb.Fatal(err)
		}
		write = func() error { return w.WritePacket(&p) }
	}
	for b.Len() < n {
		p.Time += 1000
		if err := write(); err != nil {
			tb.Fatal(err)
		}
	}
	return b.Bytes()
}

func benchmarkRead(b *testing.B, ng bool, open func([]byte) (nexter, error)) {
	for _, size := range []int{80, 530} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			data := bulk(b, ng, size, 64<<20)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			packets := 0
			for b.Loop() {
				r, err := open(data)
				if err != nil {
					b.Fatal(err)
				}
				var p capture.Packet
				for err = r.Next(&p); err == nil; err = r.Next(&p) {
					packets++
				}
				if err != io.EOF {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
		})
	}
}

func reader(data []byte) (nexter, error) { return NewReader(bytes.NewReader(data)) }

func timeline(data []byte) (nexter, error) {
	return Open([]string{"-"}, Options{Stdin: bytes.NewReader(data)})
}

func BenchmarkReadPcap(b *testing.B)       { benchmarkRead(b, false, reader) }
func BenchmarkReadPcapng(b *testing.B)     { benchmarkRead(b, true, reader) }
func BenchmarkTimelinePcap(b *testing.B)   { benchmarkRead(b, false, timeline) }
func BenchmarkTimelinePcapng(b *testing.B) { benchmarkRead(b, true, timeline) }

func BenchmarkBatchesPcap(b *testing.B)   { benchmarkBatches(b, false) }
func BenchmarkBatchesPcapng(b *testing.B) { benchmarkBatches(b, true) }

func benchmarkBatches(b *testing.B, ng bool) {
	data := bulk(b, ng, 80, 64<<20)
	b.SetBytes(int64(len(data)))
	packets := 0
	for b.Loop() {
		tl, err := Open([]string{"-"}, Options{Stdin: bytes.NewReader(data)})
		if err != nil {
			b.Fatal(err)
		}
		for {
			p, err := tl.NextBatch(batchSize)
			if err != nil {
				break
			}
			packets += len(p)
		}
		tl.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
}

// Two captures whose packets alternate: the worst case of the merge.
func BenchmarkTimelineMerge(b *testing.B) {
	data := bulk(b, false, 80, 16<<20)
	tree(b, map[string][]byte{"a": data, "b": data})
	packets := 0
	for b.Loop() {
		tl, err := Open([]string{"a", "b"}, Options{})
		if err != nil {
			b.Fatal(err)
		}
		var p capture.Packet
		for tl.Next(&p) == nil {
			packets++
		}
		tl.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
}

// MB/s of uncompressed data; two fifths of it do not compress.
func BenchmarkTimelineCompressed(b *testing.B) {
	data := bulk(b, false, 530, 16<<20)
	rnd := rand.New(rand.NewPCG(7, 8))
	for i := 24; i+546 <= len(data); i += 546 {
		for j := i + 16; j < i+16+212; j++ {
			data[j] = byte(rnd.Uint32())
		}
	}
	for _, k := range compressions {
		b.Run(k, func(b *testing.B) {
			z := compress(b, k, data)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				tl, err := Open([]string{"-"}, Options{Stdin: bytes.NewReader(z)})
				if err != nil {
					b.Fatal(err)
				}
				var p capture.Packet
				for tl.Next(&p) == nil {
				}
				tl.Close()
			}
		})
	}
}
