package tcp_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track/tcp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

var (
	node   = synth.NewHost("52:54:00:12:34:56", "10.0.0.57")
	rack   = synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	rack2  = synth.NewHost("52:54:00:00:00:03", "10.0.0.3")
	node6  = synth.NewHost("52:54:00:12:34:56", "2001:db8::57")
	rack6  = synth.NewHost("52:54:00:00:00:02", "2001:db8::2")
	router = synth.NewHost("52:54:00:00:00:01", "10.0.0.1")
)

const s = time.Second

// linux6 are the gaps between the SYNs of Linux 6.

var linux6 = []time.Duration{1030 * time.Millisecond, 1030 * time.Millisecond, 1020 * time.Millisecond}

func blank() *synth.Capture { return &synth.Capture{} }

// tick adds an unrelated frame, which only lets time pass.

func tick(c *synth.Capture, at time.Duration) *synth.Capture {
	return c.Add(at, synth.ARP(1, rack, router))
}

// syns is a client whose SYNs to a port nobody answers.

func syns(port uint16, gaps ...time.Duration) *synth.Capture {
	c := blank()
	c.Dial(0, node, 40000, rack, port).SYN(gaps...)
	return tick(c, 60*s)
}

// was is what a test compares of a finding.

type was struct {
	ID         string
	Severity   string
	Confidence string
	Subject    string
}

func findings(r *tracktest.Result) []was {
	var out []was
	for _, f := range r.Findings {
		out = append(out, was{f.Rule.ID, f.Severity.String(), f.Confidence.String(), f.Subject})
	}
	return out
}

func fact(f *finding.Finding, key string) any {
	for _, x := range f.Facts {
		if x.Key == key {
			return x.Value
		}
	}
	return nil
}

func TestSYNUnanswered(t *testing.T) {
	unanswered := func(port string) []was {
		return []was{{"tcp-syn-unanswered", "error", "certain", "10.0.0.2:" + port}}
	}
	retries := func() *synth.Capture { return syns(5248, s, 2*s, 4*s) }
	for _, tt := range []struct {
		name string
		c    *synth.Capture
		want []was
	}{
		{"doubling timer", retries(), unanswered("5248")},
		{"linear timer", syns(80, linux6...), unanswered("80")},
		{"new source ports", func() *synth.Capture {
			c := blank()
			for i := range 4 {
				c.Dial(time.Duration(i)*2*s, node, 40000+uint16(i), rack, 5240).SYN()
			}
			return tick(c, 60*s)
		}(), unanswered("5240")},
		{"started late", retries().From(500 * time.Millisecond), unanswered("5248")},
		{"mirrored twice", retries().Doubled(), unanswered("5248")},
		{"cut to 96 bytes", retries().Snapped(96), unanswered("5248")},
		{"cut to 54 bytes", retries().Snapped(54), unanswered("5248")},
		{"tagged", retries().Tagged(120), unanswered("5248")},
		{"the last SYN is pending when the capture ends", retries().Until(7 * s), unanswered("5248")},
		{"not of provisioning", syns(22, s, 2*s, 4*s), []was{{"tcp-syn-unanswered", "warning", "certain", "10.0.0.2:22"}}},

		{"two SYNs", syns(5248, s), nil},
		{"two SYNs, mirrored twice", syns(5248, s).Doubled(), nil},
		{"three SYNs in one second", syns(80, 200*time.Millisecond, 200*time.Millisecond).Until(900 * time.Millisecond), nil},
		{"ends before the deadline", retries().Until(3500 * time.Millisecond), nil},
		{"no known service", syns(9, s, 2*s, 4*s), nil},
		{"answered late, in grace", func() *synth.Capture {
			c := blank()
			c.Dial(0, node, 40000, rack, 80).SYN(s).Wait(s).SYNACK()
			return tick(c, 60*s)
		}(), nil},
		{"a session that began before and keeps alive", func() *synth.Capture {
			c := blank()
			v := c.Dial(0, rack, 40000, rack2, 5250)
			for range 10 {
				v.ACK(false).ACK(true).Wait(75 * s)
			}
			return c
		}(), nil},
		{"IPv6 first, IPv4 answers", func() *synth.Capture {
			c := blank()
			c.Dial(0, node6, 40000, rack6, 80).SYN(s, 2*s, 4*s)
			c.Dial(300*time.Millisecond, node, 40001, rack, 80).Open()
			return tick(c.Join(), 60*s)
		}(), nil},
		{"another server answers meanwhile", func() *synth.Capture {
			c := blank()
			c.Dial(0, node, 40000, rack, 5240).SYN(s, 2*s, 4*s)
			c.Dial(1500*time.Millisecond, node, 40001, rack2, 5240).Open()
			return tick(c.Join(), 60*s)
		}(), []was{{"tcp-syn-unanswered", "warning", "certain", "10.0.0.2:5240"}}},
		{"portmap, which is tried over UDP too", syns(111, s, 2*s, 4*s), nil},
		{"a scan", func() *synth.Capture {
			c := blank()
			for i, port := range []uint16{22, 80, 443, 111, 2049, 5240, 5248, 8080} {
				c.Dial(time.Duration(i)*10*time.Millisecond, node, 40000, rack, port).SYN(s, 2*s, 4*s)
			}
			return tick(c.Join(), 60*s)
		}(), nil},
		{"the server answers after all", func() *synth.Capture {
			c := blank()
			c.Dial(0, node, 40000, rack, 80).SYN(s, 2*s, 4*s, 8*s).SYNACK()
			return tick(c, 60*s)
		}(), []was{{"tcp-syn-unanswered", "note", "certain", "10.0.0.2:80"}}},
		{"the client goes on, its server is not captured", func() *synth.Capture {
			c := blank()
			c.Dial(0, node, 40000, rack, 80).SYN(300*time.Millisecond, s).SYNACK().Advance(false, 1).ACK(false).Send(false, []byte("GET / HTTP/1.1\r\n"))
			c.Dial(2*s, node, 40001, rack, 80).SYN(s).SYNACK().Advance(false, 1).ACK(false)
			return tick(c.OneWay(rack.MAC), 60*s)
		}(), nil},
		{"the server's data without its SYN, ACK", func() *synth.Capture {
			c := blank()
			c.Dial(0, node, 40000, rack, 80).SYN(s, 2*s).SYNACK().Advance(false, 1).ACK(true)
			c.Packets = slices.Delete(c.Packets, 3, 4)
			return tick(c, 60*s)
		}(), nil},
		{"a segment of an older connection from the same port", func() *synth.Capture {
			c := blank()
			v := c.Dial(0, node, 40000, rack, 80).SYN(s, 2*s)
			v.Advance(false, 1<<30).ACK(false)
			return tick(c, 60*s)
		}(), []was{{"tcp-syn-unanswered", "error", "certain", "10.0.0.2:80"}}},
		{"a firewall answers by ICMP", func() *synth.Capture {
			c := blank()
			v := c.Dial(0, node, 40000, rack, 80).SYN()
			c.Add(time.Millisecond, synth.ICMPError(router, node, 3, 13, 0, v.Last))
			v.Wait(s).SYN(2*s, 4*s)
			return tick(c, 60*s)
		}(), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, findings(tracktest.Run(t, tt.c, nil, tcp.Spec))); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
		})
	}
}

func TestSYNUnansweredEvidence(t *testing.T) {
	r := tracktest.Run(t, syns(5248, s, 2*s, 4*s), nil, tcp.Spec)
	f := r.Find("tcp-syn-unanswered")
	if f == nil {
		t.Fatal("no finding")
	}
	want := `4 SYNs to 10.0.0.2:5248 (MAAS HTTP boot) in 7.0 s, no answer and no ICMP: dropped, not refused`
	if f.Summary != want {
		t.Errorf("got %q, want %q", f.Summary, want)
	}
	if got, want := f.Node.MAC, wire.MAC(node.MAC); got != want {
		t.Errorf("node: got %s, want %s", got, want)
	}
	if len(f.Frames) != 4 {
		t.Errorf("got %d frames, want 4", len(f.Frames))
	}
	if got := fact(f, "syns"); got != 4 {
		t.Errorf("syns: got %v, want 4", got)
	}
}

func TestHalfOpen(t *testing.T) {
	// lost is a server whose SYN/ACKs do not arrive.
	lost := func(again bool) *synth.Capture {
		c := blank()
		v := c.Dial(0, node, 40000, rack, 80).SYN().SYNACK()
		for _, gap := range []time.Duration{s, 2 * s, 4 * s} {
			v.Wait(gap)
			if again {
				v.SYN()
			}
			v.SYNACK()
		}
		return tick(c, 60*s)
	}
	arrives := lost(true)
	v := arrives.Dial(7500*time.Millisecond, node, 40000, rack, 80)
	v.Seq[0]++
	v.Seq[1]++
	v.ACK(false)
	for _, tt := range []struct {
		name string
		c    *synth.Capture
		want []was
	}{
		{"the client repeats its SYN", lost(true), []was{{"tcp-syn-unanswered", "error", "likely", "10.0.0.2:80"}}},
		{"mirrored twice", lost(true).Doubled(), []was{{"tcp-syn-unanswered", "error", "likely", "10.0.0.2:80"}}},
		{"the client is silent: a forged address", lost(false), nil},
		{"the third SYN/ACK arrives", arrives.Join(), nil},
		{"ends early", lost(true).Until(2 * s), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, findings(tracktest.Run(t, tt.c, nil, tcp.Spec))); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
		})
	}
}

// did is what a test compares of an exchange.

// exchanges are the last word on each exchange.

// TestMidFlow: a download that began before the capture is an answered exchange

// of what was seen of it.

// TestRunning: a long transfer is told of while it runs.

// TestDataCopiesNotMarked: the engine does not look for copies of bulk data.
