package tcp_test

import (
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tcp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

// segment is a frame as the decoder makes it.
func segment(src, dst synth.Host, sport, dport uint16, flags uint8, seq, ack uint32, n int) *wire.Frame {
	return &wire.Frame{
		Time: synth.Start, ID: 1, IPVersion: 4, Proto: wire.ProtoTCP, HasDstMAC: true,
		SrcMAC: src.MAC, DstMAC: dst.MAC, Src: wire.AddrFrom(src.IP), Dst: wire.AddrFrom(dst.IP), SrcPort: sport, DstPort: dport,
		TCP: wire.TCP{Flags: flags, Seq: seq, Ack: ack, Window: 64240, MSS: 1460}, PayloadLen: n,
	}
}

// download is a running transfer: the handshake is done, each call of next
// yields a full segment of the server, every other time the client's ACK.
type download struct {
	data, ack *wire.Frame
	n         int
}

func (d *download) next() *wire.Frame {
	d.n++
	if d.n%3 == 0 {
		d.ack.TCP.Ack = d.data.TCP.Seq + 1448
		d.ack.Time = d.data.Time + 1000
		return d.ack
	}
	d.data.TCP.Seq += 1448
	d.data.Time += 12_000
	return d.data
}

func begin(tr track.Tracker, out *track.Out, port uint16) *download {
	const isn, server = 100, 90_000
	tr.Frame(segment(node, rack, port, 80, wire.SYN, isn, 0, 0), out)
	tr.Frame(segment(rack, node, 80, port, wire.SYN|wire.ACK, server, isn+1, 0), out)
	tr.Frame(segment(node, rack, port, 80, wire.ACK, isn+1, server+1, 0), out)
	out.Reset()
	return &download{
		data: segment(rack, node, 80, port, wire.ACK|wire.PSH, server+1-1448, isn+1, 1448),
		ack:  segment(node, rack, port, 80, wire.ACK, isn+1, 0, 0),
	}
}

func TestDataAllocatesNothing(t *testing.T) {
	tr := tcp.Spec.New(tracktest.Config())
	out := &track.Out{}
	d := begin(tr, out, 40000)
	// 200,000 segments pass the flush of bytes into the series many times.
	if got := testing.AllocsPerRun(200_000, func() { tr.Frame(d.next(), out) }); got != 0 {
		t.Errorf("got %v allocations per segment, want 0", got)
	}
	if !out.Empty() {
		t.Errorf("got findings %v and exchanges %v, want none while it runs", out.Findings, out.Exchanges)
	}
	tr.Finish(d.data.Time, out)
	if len(out.Exchanges) != 1 || out.Exchanges[0].Bytes < 100_000*1448 {
		t.Errorf("got %+v, want one exchange of all bytes", out.Exchanges)
	}
}

func TestHandshakesAllocateNothing(t *testing.T) {
	tr := tcp.Spec.New(tracktest.Config())
	out := &track.Out{}
	at := synth.Start
	n := 0
	// Connections of one client to one port, until the table of attempts turns over.
	connect := func() {
		n++
		port, isn := uint16(1024+n%60000), uint32(n)
		for _, f := range []*wire.Frame{&syn, &synack, &fin} {
			at += 1_000_000
			f.Time = at
		}
		syn.SrcPort, synack.DstPort, fin.SrcPort = port, port, port
		syn.TCP.Seq, synack.TCP.Ack, fin.TCP.Seq = isn, isn+1, isn+1
		tr.Frame(&syn, out)
		tr.Frame(&synack, out)
		tr.Frame(&fin, out)
		if d := tr.Deadline(); d <= at {
			tr.Expire(at, out)
		}
		out.Reset()
	}
	for range 70_000 {
		connect()
	}
	if got := testing.AllocsPerRun(20_000, connect); got != 0 {
		t.Errorf("got %v allocations per connection, want 0", got)
	}
}

var (
	syn    = *segment(node, rack, 0, 80, wire.SYN, 0, 0, 0)
	synack = *segment(rack, node, 80, 0, wire.SYN|wire.ACK, 5, 0, 0)
	fin    = *segment(node, rack, 0, 80, wire.FIN|wire.ACK, 0, 6, 0)
)

// BenchmarkData is the cost of one segment of a running transfer, the hot path
// of all TCP traffic.
func BenchmarkData(b *testing.B) {
	for _, bb := range []struct {
		name  string
		flows int
	}{{"1 flow", 1}, {"1000 flows", 1000}} {
		b.Run(bb.name, func(b *testing.B) {
			tr := tcp.Spec.New(tracktest.Config())
			out := &track.Out{}
			var flows []*download
			for i := range bb.flows {
				flows = append(flows, begin(tr, out, 10000+uint16(i)))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				tr.Frame(flows[i%len(flows)].next(), out)
			}
		})
	}
	b.Run("no known service", func(b *testing.B) {
		tr := tcp.Spec.New(tracktest.Config())
		out := &track.Out{}
		f := segment(rack, node, 9, 50001, wire.ACK, 1, 1, 1448)
		for b.Loop() {
			tr.Frame(f, out)
		}
	})
}

// FuzzTracker feeds arbitrary segments and ICMP errors: no panic, deadlines
// that move on, bounded tables.
func FuzzTracker(f *testing.F) {
	f.Add([]byte{0x02, 0, 1, 0, 80, 10, 0, 0, 1, 0, 0, 0, 0, 5, 0x12, 1, 1, 0, 80, 10, 0, 0, 2, 0, 0, 0, 2, 1})
	f.Add([]byte{0x80, 0, 1, 4, 80, 10, 0, 0, 1, 0, 0, 0, 0, 5, 0x10, 1, 1, 0, 80, 10, 5, 180, 2, 0, 0, 0, 2, 200})
	f.Fuzz(func(t *testing.T, b []byte) {
		tr := tcp.Spec.New(tracktest.Config())
		r := &tracktest.Result{}
		out := &track.Out{}
		at := capture.Time(synth.Start)
		ports := []uint16{80, 5240, 2049, 22, 9, 40000}
		hosts := []synth.Host{node, rack, rack2, router, node6, rack6}
		for n := 1; len(b) >= 14; n, b = n+1, b[14:] {
			f := segment(hosts[int(b[1])%len(hosts)], hosts[int(b[2])%len(hosts)], ports[int(b[3])%len(ports)], ports[int(b[4])%len(ports)],
				b[0], uint32(binary.BigEndian.Uint16(b[5:]))<<8, uint32(binary.BigEndian.Uint16(b[7:]))<<8, int(binary.BigEndian.Uint16(b[9:])))
			at += capture.Time(b[13]) * capture.Time(50*time.Millisecond)
			f.Time, f.ID, f.Copy = at, capture.NewFrameID(0, uint64(n)), b[12]&1 != 0
			f.TCP.Window = uint16(b[11])
			if b[0]&0x80 != 0 {
				q := f.Flow()
				f.Proto, f.ICMP = wire.ProtoICMP, wire.ICMP{Type: 3, Code: b[12] & 15, MTU: 1400, HasQuote: true, Quote: q}
				f.Src, f.Dst = f.Dst, f.Src
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
		var c track.Counts
		tr.Count(&c)
		if c.TCP.SYNUnanswered+c.TCP.Refused > c.TCP.Connections {
			t.Errorf("got %+v, want no more failures than connections", c.TCP)
		}
		for _, f := range r.Findings {
			if f.Summary == "" || len(f.Frames) == 0 || f.First > f.Last {
				t.Errorf("got %+v, want a summary, frames and times in order", f)
			}
		}
	})
}

// TestScanIsBounded: a million connection attempts from everywhere.
func TestScanIsBounded(t *testing.T) {
	tr := tcp.Spec.New(tracktest.Config())
	out := &track.Out{}
	f := segment(node, rack, 1000, 80, wire.SYN, 1, 0, 0)
	const n = 300_000
	for i := range n {
		binary.BigEndian.PutUint32(f.Src[12:], uint32(i))
		f.Time += 1000
		if tr.Deadline() <= f.Time {
			tr.Expire(f.Time, out)
		}
		tr.Frame(f, out)
		out.Reset()
	}
	var c track.Counts
	tr.Count(&c)
	if want := (track.TCPCounts{Connections: n, SYNUnanswered: n}); c.TCP != want {
		t.Errorf("got %+v, want %+v", c.TCP, want)
	}
	if got := tr.Evicted(); got < n-1<<16-8192 {
		t.Errorf("evicted: got %d, want most of %d", got, n)
	}
}

// TestReplay: the same capture gives the same result, whoever asks for the
// deadlines in between.
func TestReplay(t *testing.T) {
	c := syns(5248, s, 2*s, 4*s)
	c.Dial(0, node, 41000, rack, 80).Open().Send(true, make([]byte, 100_000)).Close(true)
	c.Dial(2*s, node, 42000, rack, 443).Refused()
	src := c.Join().Source("x")
	d := []*track.Dispatcher{}
	rs := []*tracktest.Result{{}, {}}
	for _, r := range rs {
		d = append(d, track.NewDispatcher([]track.Spec{tcp.Spec}, tracktest.Config(), r))
	}
	dec := wire.NewDecoder()
	var p capture.Packet
	var f wire.Frame
	for src.Next(&p) != io.EOF {
		dec.Decode(&p, &f)
		for at := f.Time - capture.Time(s); at < f.Time; at += capture.Time(s / 10) {
			d[1].Tick(at) // as a live source does
		}
		d[0].Frame(&f)
		d[1].Frame(&f)
	}
	for _, d := range d {
		d.Finish(f.Time)
	}
	if a, b := exchanges(rs[0]), exchanges(rs[1]); len(a) != len(b) {
		t.Errorf("got %v with ticks, want %v", b, a)
	}
	if a, b := findings(rs[0]), findings(rs[1]); len(a) == 0 || len(a) != len(b) {
		t.Errorf("got %v with ticks, want %v", b, a)
	}
}
