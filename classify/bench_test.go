package classify

import (
	"fmt"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth/traffic"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/site"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// trace is the beginning of a trace of the benchmark, its bytes in one piece as
// in a file.
func trace(b *testing.B, s *traffic.Source, n uint64) []capture.Packet {
	b.Helper()
	defer s.Close()
	var list []capture.Packet
	var p capture.Packet
	var all []byte
	for s.Packets(n); s.Next(&p) == nil; {
		all = append(all, p.Data...)
		list = append(list, p)
	}
	for i := range list {
		n := len(list[i].Data)
		list[i].Data, all = all[:n:n], all[n:]
	}
	return list
}

var traces = []struct {
	name string
	open func(seed uint64) *traffic.Source
	n    uint64
}{{"mix", traffic.Mix, 200_000}, {"small", traffic.Small, 1_000_000}}

func perPacket(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/packet")
}

// The engine from its start to the report, on what `make bench` reads from files.
func BenchmarkTrace(b *testing.B) {
	for _, t := range traces {
		b.Run(t.name, func(b *testing.B) {
			list := trace(b, t.open(1), t.n)
			for b.Loop() {
				e := New(Options{})
				for i := range list {
					e.Packet(&list[i])
				}
				e.Finish()
			}
			perPacket(b, len(list))
		})
	}
}

// Decoding, and telling the service, of every packet.
func BenchmarkLookup(b *testing.B) {
	for _, t := range traces {
		b.Run(t.name, func(b *testing.B) {
			list := trace(b, t.open(1), t.n)
			v := newServices(catalog.Default(), site.Default(), "", "")
			dec := wire.NewDecoder()
			var f wire.Frame
			for b.Loop() {
				for i := range list {
					dec.Decode(&list[i], &f)
					svc, toServer, _ := v.of(&f)
					v.add(&f, svc, toServer)
				}
			}
			perPacket(b, len(list))
		})
	}
}

// Each tracker alone behind a dispatcher, which hands it the frames it wants:
// its cost, and that of decoding all of them.
func BenchmarkTracker(b *testing.B) {
	for _, t := range traces {
		list := trace(b, t.open(1), t.n)
		for _, spec := range Trackers() {
			b.Run(fmt.Sprintf("%s/%s", t.name, spec.Name), func(b *testing.B) {
				for b.Loop() {
					d := track.NewDispatcher([]track.Spec{spec}, &track.Config{Catalog: catalog.Default(), Site: site.Default()}, nothing{})
					dec := wire.NewDecoder()
					var f wire.Frame
					for i := range list {
						dec.Decode(&list[i], &f)
						d.Frame(&f)
					}
				}
				perPacket(b, len(list))
			})
		}
	}
}

// nothing is a sink.
type nothing struct{}

func (nothing) Take(*track.Out) {}
