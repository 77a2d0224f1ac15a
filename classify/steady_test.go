package classify

import (
	"io"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

// packets are the packets of a scenario, ready to be played again and again
// with later times.
func packets(t testing.TB, c *synth.Capture) (list []capture.Packet, span time.Duration) {
	t.Helper()
	src := c.Source("test.pcap")
	for {
		var p capture.Packet
		if err := src.Next(&p); err == io.EOF {
			return list, list[len(list)-1].Time.Sub(list[0].Time) + time.Millisecond
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// bulk is what most of a long capture is made of: a running TFTP transfer, a
// running HTTP download, answered NFS and DNS, ARP, syslog.
func bulk() *synth.Capture {
	p := synth.NewPlace()
	var c synth.Capture
	node := synth.NewHost("d4:ae:52:00:30:01", "10.0.0.81")
	t := p.Lease(&c, 0, synth.PXERom("d4:ae:52:00:30:01"), 0x9001, "10.0.0.81", p.File)
	t = p.Resolve(&c, t, node)
	t = p.Load(&c, t+time.Millisecond, node, 2070, p.File, 200_000)
	t = p.HTTP(&c, t+time.Millisecond, node, 49200, "/images/boot-kernel", 400_000)
	for i := range 50 {
		q := []byte{byte(i), 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1}
		a := append([]byte{}, q...)
		a[2] |= 0x80
		at := t + time.Duration(i)*time.Millisecond
		c.Add(at, synth.UDP(node, p.Rack.Host, 40000, 53, q))
		c.Add(at+300*time.Microsecond, synth.UDP(p.Rack.Host, node, 53, 40000, a))
		c.Add(at+400*time.Microsecond, synth.UDP(node, p.Rack.Host, 514, 514, []byte("<6>kernel: hello")))
	}
	return c.Join()
}

// The steady state allocates nothing: not for transfers under way, answered
// requests, or traffic of no interest.
func TestNoAllocationPerPacket(t *testing.T) {
	list, span := packets(t, bulk())
	e := New(Options{})
	play := func(keep func(*capture.Packet) bool) func() {
		return func() {
			for i := range list {
				if keep(&list[i]) {
					e.Packet(&list[i])
				}
				list[i].Time += capture.Time(span)
			}
		}
	}
	everything := func(*capture.Packet) bool { return true }
	for range 3 { // tables grow to their size
		play(everything)()
	}
	// Exchanges that are decided allocate their evidence; packets do not.
	var f wire.Frame
	dec := wire.NewDecoder()
	data := func(p *capture.Packet) bool {
		dec.Decode(p, &f)
		return f.PayloadLen > 100 && f.SrcPort != 67 && f.DstPort != 67 || f.DstPort == 514 || f.SrcPort == 53 || f.DstPort == 53
	}
	if got := testing.AllocsPerRun(5, play(data)); got > 0 {
		n := 0
		for i := range list {
			if data(&list[i]) {
				n++
			}
		}
		t.Errorf("got %v allocations for %d packets, want 0", got, n)
	}
}

func BenchmarkEngine(b *testing.B) {
	list, span := packets(b, bulk())
	e := New(Options{})
	var bytes int64
	for _, p := range list {
		bytes += int64(p.WireLen)
	}
	b.SetBytes(bytes / int64(len(list)))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		p := &list[i%len(list)]
		e.Packet(p)
		p.Time += capture.Time(span)
	}
}

// Any bytes on any link type, in any order of time: no panic, and a report
// whose numbers add up.
func FuzzEngine(f *testing.F) {
	for _, c := range []*synth.Capture{synth.FiveFaults(), synth.HealthyBoot(), synth.RogueAndStall()} {
		list, _ := packets(f, c)
		for i, p := range list {
			if i%7 == 0 && len(p.Data) < 700 {
				f.Add(p.Data, list[(i+1)%len(list)].Data, uint16(p.Link), int64(1000))
			}
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte, link uint16, gap int64) {
		e := New(Options{})
		at := capture.Time(1e18)
		for i := range 6 {
			data := a
			if i%2 == 1 {
				data = b
			}
			e.Packet(&capture.Packet{ID: capture.NewFrameID(0, uint64(i+1)), Time: at, Link: capture.LinkType(link), WireLen: len(data) + i, Data: data})
			at += capture.Time(gap % int64(time.Hour))
		}
		e.Finish()
		r := e.Report(noSource{})
		if r.Counts.Packets != 6 {
			t.Fatalf("got %d packets, want 6", r.Counts.Packets)
		}
		var n uint64
		for _, s := range r.Services {
			n += s.Packets
			if s.ToServer+s.FromServer != s.Packets {
				t.Fatalf("%s: %d to and %d from of %d packets", s.ID, s.ToServer, s.FromServer, s.Packets)
			}
		}
		if n+r.Site.Unclassified != 6 {
			t.Fatalf("got %d classified and %d not, of 6", n, r.Site.Unclassified)
		}
	})
}

// noSource is a source that was never read.
type noSource struct{}

func (noSource) Next(*capture.Packet) error      { return io.EOF }
func (noSource) Files() []capture.FileInfo       { return nil }
func (noSource) Interfaces() []capture.Interface { return nil }
func (noSource) Close() error                    { return nil }
