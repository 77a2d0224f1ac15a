//go:build linux

package follow

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/track/tracktest"
)

// conclusions are what an analysis tells people: findings and nodes. Counts of
// packets differ, of course, and what is said of the capture itself.
func conclusions(e *classify.Engine, src capture.Source) (out []string) {
	e.Finish()
	r := e.Report(src)
	for _, f := range r.Findings {
		out = append(out, fmt.Sprintf("finding %s %s %s node %s server %s: %s", f.ID, f.Severity, f.Confidence, f.Node, f.Server, f.Summary))
	}
	for _, n := range r.Nodes {
		out = append(out, fmt.Sprintf("node %s %v: %s, %s, boots %d, cause %s, %s", n.Name(), n.Addresses, n.Stage, n.Outcome, n.Boots, n.RootCause, strings.Join(n.Findings, " ")))
	}
	slices.Sort(out)
	return out
}

// The analysis of what the filter passes comes to the same conclusions as the
// analysis of everything. Where a packet is dropped the analysis gets the time,
// as it does from an idle interface.
func TestSameConclusions(t *testing.T) {
	for _, phase := range []string{"provisioning", "day2", "power", ""} {
		t.Run("phase "+phase, func(t *testing.T) {
			files, all, dropped, said := 0, 0, 0, 0
			for _, f := range tracktest.Captures(t) {
				ref, err := NewReference(Config{Phase: phase})
				if err != nil {
					t.Fatal(err)
				}
				o := classify.Options{Phase: phase}
				whole, passed := classify.New(o), classify.New(o)
				src := eachPacket(t, f, func(p *capture.Packet) {
					whole.Packet(p)
					all++
					if p.Link == capture.LinkEthernet && !p.Tick() && !ref.Passes(p.Data, p.Time) {
						dropped++
						passed.Packet(&capture.Packet{Time: p.Time, Link: p.Link, Iface: p.Iface})
						return
					}
					passed.Packet(p)
				})
				if src == nil {
					continue
				}
				files++
				want, got := conclusions(whole, src), conclusions(passed, src)
				said += len(want)
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s: with the filter (-without +with):\n%s", filepath.Base(f), d)
				}
			}
			t.Logf("%d files, %d packets, %d dropped; %d findings and nodes", files, all, dropped, said)
			// Of all phases our own captures hold nothing else; the corpus does.
			if dropped == 0 && (phase != "" || files > 200) || files < 50 || phase == "provisioning" && said < 200 {
				t.Errorf("got %d files, %d packets dropped, %d findings and nodes: nothing was tested", files, dropped, said)
			}
		})
	}
}

// The comparison would tell: without what the filter learns, transfers and
// mounts seem to hang.
func TestStatelessConclusions(t *testing.T) {
	different := 0
	for _, f := range tracktest.Captures(t) {
		ref, err := NewReference(Config{Phase: "provisioning"})
		if err != nil {
			t.Fatal(err)
		}
		for i := range ref.r.ports {
			for j := range ref.r.ports[i] {
				ref.r.ports[i][j] &^= portTeaches
			}
		}
		o := classify.Options{Phase: "provisioning"}
		whole, passed := classify.New(o), classify.New(o)
		src := eachPacket(t, f, func(p *capture.Packet) {
			whole.Packet(p)
			if p.Link != capture.LinkEthernet || ref.Passes(p.Data, p.Time) {
				passed.Packet(p)
			}
		})
		if src != nil && !slices.Equal(conclusions(whole, src), conclusions(passed, src)) {
			different++
		}
	}
	t.Logf("%d files differ", different)
	if different < 10 {
		t.Errorf("got %d files with other conclusions for a filter without memory, want 10 at least: the comparison sees nothing", different)
	}
}

// amidBulk adds, every two milliseconds of a scenario, what fills a network: a
// download from a port that nobody lists, its acknowledgments, storage
// datagrams in fragments, a stream over IPv6.
func amidBulk(c *synth.Capture) (joined *synth.Capture, bulk int) {
	b := new(synth.Capture)
	last := c.Packets[len(c.Packets)-1].At
	tcp := func(at time.Duration, src, dst synth.Host, sport, dport uint16, seq, ack uint32, n int) {
		b.Add(at, synth.TCP(src, dst, sport, dport, synth.Segment{Flags: 0x10, Seq: seq, Ack: ack, Payload: make([]byte, n)}))
	}
	one, two := synth.NewHost("52:54:00:00:aa:01", "10.0.0.201"), synth.NewHost("52:54:00:00:aa:02", "10.0.0.202")
	step := max(2*time.Millisecond, last/5000)
	for i, at := uint32(0), time.Duration(0); at <= last; i, at = i+1, at+step {
		tcp(at, one, two, 40001, 40002, 1400*i, 77, 1400)
		tcp(at+1000, two, one, 40002, 40001, 77, 1400*(i+1), 0)
		tcp(at+2000, one.At("fd00::201"), two.At("fd00::202"), 40001, 40002, 1400*i, 77, 1400)
		f := synth.UDP(one, two, 40003, 40004, make([]byte, 8000))
		binary.BigEndian.PutUint16(f[18:], uint16(i))
		for j, f := range synth.Fragments(f, 1500) {
			b.Add(at+3000+time.Duration(j), f)
		}
	}
	return new(synth.Capture).Join(c, b), len(b.Packets)
}

// A boot amid bulk: loads from ports that nobody lists, loads that never come,
// and what goes wrong otherwise is told all the same.
func TestSameAmidBulk(t *testing.T) {
	lease := func(c *synth.Capture) (p *synth.Place, n synth.Host, at time.Duration) {
		p = synth.NewPlace()
		n = synth.NewHost("52:54:00:00:00:10", "10.0.0.16")
		at = p.Lease(c, 0, synth.PXERom("52:54:00:00:00:10"), 7, "10.0.0.16", p.File)
		return p, n, p.Resolve(c, at+100*time.Millisecond, n)
	}
	scenarios := map[string]func() *synth.Capture{
		"healthy": synth.HealthyBoot, "five faults": synth.FiveFaults, "rogue and stall": synth.RogueAndStall,
		"a load from an unlisted port": func() *synth.Capture {
			c := new(synth.Capture)
			p, n, at := lease(c)
			v := c.Dial(at, n, 50000, p.Rack.Host, 28085).Open()
			v.Send(false, []byte("GET / HTTP/1.1\r\n\r\n")).Send(true, make([]byte, 400_000)).Close(true)
			return c.Add(at+2*time.Minute, synth.ARP(1, n, p.Rack.Host))
		},
		"a load by datagrams of one's own": func() *synth.Capture {
			c := new(synth.Capture)
			p, n, at := lease(c)
			for i := range 200 {
				c.Add(at+time.Duration(2*i)*time.Millisecond, synth.UDP(n, p.Rack.Host, 50000, 28085, make([]byte, 40)))
				c.Add(at+time.Duration(2*i+1)*time.Millisecond, synth.UDP(p.Rack.Host, n, 28085, 50000, make([]byte, 1400)))
			}
			return c.Add(at+2*time.Minute, synth.ARP(1, n, p.Rack.Host))
		},
		"no load": func() *synth.Capture {
			c := new(synth.Capture)
			p, n, at := lease(c)
			return c.Add(at+2*time.Minute, synth.ARP(1, n, p.Rack.Host))
		},
		"an unlisted port that does not answer": func() *synth.Capture {
			c := new(synth.Capture)
			p, n, at := lease(c)
			c.Dial(at, n, 50000, p.Rack.Host, 28085).SYN(time.Second, 2*time.Second, 4*time.Second)
			return c.Add(at+2*time.Minute, synth.ARP(1, n, p.Rack.Host))
		},
	}
	seen := make(map[string]bool)
	for name, make := range scenarios {
		c, bulk := amidBulk(make())
		ref, err := NewReference(Config{Phase: "provisioning"})
		if err != nil {
			t.Fatal(err)
		}
		o := classify.Options{Phase: "provisioning"}
		whole, passed := classify.New(o), classify.New(o)
		src := c.Source(name)
		var p capture.Packet
		for src.Next(&p) == nil {
			whole.Packet(&p)
			if ref.Passes(p.Data, p.Time) {
				passed.Packet(&p)
			} else {
				passed.Packet(&capture.Packet{Time: p.Time, Link: p.Link, Iface: p.Iface})
			}
		}
		want := conclusions(whole, src)
		if d := cmp.Diff(want, conclusions(passed, src)); d != "" {
			t.Errorf("%s: with the filter (-without +with):\n%s", name, d)
		}
		if n := ref.Stats().Dropped; n < uint64(bulk)*95/100 {
			t.Errorf("%s: got %d packets dropped of %d of bulk, want nearly all", name, n, bulk)
		}
		for _, s := range want {
			seen[strings.Fields(s)[1]] = true
		}
	}
	if !seen["no-load-after-ack"] {
		t.Error("got no finding of a load that never comes: the scenarios show nothing")
	}
}
