package pcapfile

import (
	"bytes"
	"fmt"
	"io"
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
