package tcp_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
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
	want := `4 connection attempts to 10.0.0.2:5248 (MAAS HTTP boot) in 7.0 s, no answer and no ICMP: dropped, not refused`
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

func TestRefused(t *testing.T) {
	refuse := func(port uint16, at ...time.Duration) *synth.Capture {
		c := blank()
		for i, at := range at {
			c.Dial(at, node, 40000+uint16(i), rack, port).Refused()
		}
		return tick(c, 120*s)
	}
	refused := func(confidence string) []was {
		return []was{{"tcp-refused", "error", confidence, "10.0.0.2:80"}}
	}
	for _, tt := range []struct {
		name string
		c    *synth.Capture
		want []was
	}{
		{"twice in ten seconds", refuse(80, 0, 5*s), refused("certain")},
		{"twice, mirrored twice", refuse(80, 0, 5*s).Doubled(), refused("certain")},
		{"twice, cut to 96 bytes", refuse(80, 0, 5*s).Snapped(96), refused("certain")},
		{"once, then the client gives up", refuse(80, 0), refused("likely")},
		{"once, mirrored twice", refuse(80, 0).Doubled(), refused("likely")},
		{"by ICMP of the server itself", func() *synth.Capture {
			c := blank()
			for i := range 2 {
				v := c.Dial(time.Duration(i)*s, node, 40000, rack, 80).SYN()
				v.Capture.Add(v.Now, synth.ICMPError(rack, node, 3, 3, 0, v.Last))
			}
			return tick(c, 60*s)
		}(), refused("certain")},

		{"once, and the capture ends", refuse(80, 0).Until(5 * s), nil},
		{"started after the SYN", refuse(80, 0).From(100 * time.Microsecond), nil},
		{"once, not of provisioning", refuse(22, 0), nil},
		{"no known service", refuse(9, 0, s), nil},
		{"the service restarts", func() *synth.Capture {
			c := refuse(80, 0, 2*s, 4*s)
			c.Dial(6*s, node, 41000, rack, 80).Open()
			return c.Join()
		}(), nil},
		{"the service is back after a minute", func() *synth.Capture {
			c := refuse(80, 0, 5*s)
			c.Dial(60*s, node, 41000, rack, 80).Open()
			return c.Join()
		}(), []was{{"tcp-refused", "note", "certain", "10.0.0.2:80"}}},
		{"another server accepts", func() *synth.Capture {
			c := refuse(80, 0)
			c.Dial(s, node, 41000, rack2, 80).Open()
			return c.Join()
		}(), nil},
		{"an inventory scan", func() *synth.Capture {
			c := blank()
			for i, port := range []uint16{22, 80, 443, 111, 2049, 5240, 5248, 8080, 623} {
				c.Dial(time.Duration(i)*10*time.Millisecond, node, 40000, rack, port).Refused()
			}
			return tick(c, 60*s)
		}(), nil},
		{"an inventory scan that tries twice", func() *synth.Capture {
			c := blank()
			for i, port := range []uint16{22, 80, 443, 111, 2049, 5240, 5248, 8080, 623} {
				at := time.Duration(i) * 10 * time.Millisecond
				c.Dial(at, node, 40000, rack, port).Refused()
				c.Dial(at+2*s, node, 40001, rack, port).Refused()
			}
			return tick(c.Join(), 60*s)
		}(), nil},
		{"a RST ends an established connection", func() *synth.Capture {
			c := blank()
			for i := range 3 {
				c.Dial(time.Duration(i)*s, node, 40000+uint16(i), rack, 80).Open().Reset(true)
			}
			return tick(c, 60*s)
		}(), nil},
		{"a RST that acknowledges another SYN", func() *synth.Capture {
			c := blank()
			for i := range 3 {
				v := c.Dial(time.Duration(i)*s, node, 40000+uint16(i), rack, 80).SYN()
				v.Seq[0] += 77
				v.Refuse()
				v.Seq[0] -= 77
				v.SYNACK()
			}
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

func TestPathMTU(t *testing.T) {
	big, small := make([]byte, 1460), []byte("GET /images/initrd HTTP/1.1\r\n\r\n")
	// hole is a server whose full-size segments vanish. Of the client's
	// acknowledgments only those of small segments are seen.
	hole := func(evidence func(*synth.Conversation)) *synth.Capture {
		c := blank()
		v := c.Dial(0, node, 40000, rack, 80).Open().Send(false, small)
		evidence(v)
		for _, gap := range []time.Duration{0, 300 * time.Millisecond, 600 * time.Millisecond, 1200 * time.Millisecond} {
			v.Wait(gap).Transmit(true, big)
		}
		return c
	}
	nothing := func(*synth.Conversation) {}
	smallReply := func(v *synth.Conversation) { v.Send(true, []byte("HTTP/1.1 200 OK\r\n\r\n")) }
	pathMTU := func(severity, confidence string) []was {
		return []was{{"path-mtu-black-hole", severity, confidence, "10.0.0.2:80"}}
	}
	tooBig := func(mtu uint32) func(v *synth.Conversation) {
		return func(v *synth.Conversation) {
			v.Transmit(true, big)
			v.Capture.Add(v.Now, synth.ICMPError(router, rack, 3, 4, mtu, v.Last))
		}
	}
	for _, tt := range []struct {
		name string
		c    *synth.Capture
		want []was
	}{
		{"small segments are acknowledged", hole(smallReply), pathMTU("error", "likely")},
		{"mirrored twice", hole(smallReply).Doubled(), pathMTU("error", "likely")},
		{"cut to 96 bytes", hole(smallReply).Snapped(96), pathMTU("error", "likely")},
		{"started late, then duplicate acknowledgments", func() *synth.Capture {
			c := hole(nothing)
			v := c.Dial(0, node, 40000, rack, 80)
			v.Now, v.Seq = 700*time.Millisecond, [2]uint32{40000001 + uint32(len(small)), 7040001}
			v.ACK(false)
			return c.Join().From(time.Millisecond)
		}(), pathMTU("error", "likely")},
		{"the receiver is silent", hole(nothing), pathMTU("warning", "possible")},
		{"a router said so, and the sender goes on", hole(tooBig(1400)), pathMTU("error", "certain")},

		{"two retransmissions", hole(smallReply).Until(1200 * time.Millisecond), nil},
		{"started late, the receiver is silent: it may be off", hole(nothing).From(time.Millisecond), nil},
		{"the node resets in the middle of a transfer", hole(func(v *synth.Conversation) {
			v.Send(true, make([]byte, 100*1460))
		}), nil},
		{"the segment arrives in the end", func() *synth.Capture {
			c := hole(smallReply)
			v := c.Dial(3*s, node, 40000, rack, 80)
			v.Seq = [2]uint32{40000001 + uint32(len(small)), 7040001 + 19 + 1460}
			v.ACK(false)
			return c
		}(), nil},
		{"small segments are lost too", hole(func(v *synth.Conversation) {
			for range 3 {
				v.Transmit(true, []byte("HTTP/1.1 200 OK\r\n\r\n")).Wait(300 * time.Millisecond)
			}
		}), nil},
		{"small segments are lost in between", func() *synth.Capture {
			c := blank()
			v := c.Dial(0, node, 40000, rack, 80).Open().Send(false, small)
			smallReply(v)
			v.Transmit(true, big).Wait(300 * time.Millisecond).Transmit(true, big).Wait(300 * time.Millisecond)
			for range 4 {
				v.Transmit(true, big[:200]).Wait(300 * time.Millisecond)
				v.Transmit(true, big).Wait(300 * time.Millisecond)
			}
			return c
		}(), nil},
		{"copies, 30 ms apart", func() *synth.Capture {
			c := blank()
			v := c.Dial(0, node, 40000, rack, 80).Open().Send(false, small)
			smallReply(v)
			for range 5 {
				v.Transmit(true, big).Wait(30 * time.Millisecond)
			}
			return c
		}(), nil},
		{"segmentation offload", func() *synth.Capture {
			c := blank()
			v := c.Dial(0, node, 40000, rack, 80).Open().Send(false, small)
			smallReply(v)
			for range 4 {
				v.Transmit(true, make([]byte, 8*1460)).Wait(300 * time.Millisecond)
			}
			return c
		}(), nil},
		{"the receiver's window is shut", func() *synth.Capture {
			c := blank()
			v := c.Dial(0, node, 40000, rack, 80).Open().Send(false, small)
			smallReply(v)
			for range 4 {
				v.Transmit(true, big).ACK(false)
				copy(v.Last[14+20+14:], []byte{0, 0}) // the window
				v.Wait(300 * time.Millisecond)
			}
			return c
		}(), nil},
		{"a router said so, and the sender heeds it", func() *synth.Capture {
			c := blank()
			v := c.Dial(0, node, 40000, rack, 80).Open().Send(false, small)
			tooBig(1400)(v)
			for range 4 {
				v.Send(true, big[:1360])
			}
			return c
		}(), nil},
		{"no known service", func() *synth.Capture {
			c := blank()
			v := c.Dial(0, node, 40000, rack, 9).Open().Send(false, small)
			smallReply(v)
			for range 4 {
				v.Transmit(true, big).Wait(300 * time.Millisecond)
			}
			return c
		}(), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tracktest.Run(t, tt.c, nil, tcp.Spec)
			if d := cmp.Diff(tt.want, findings(r)); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
			for _, f := range r.Findings {
				if got, want := f.Node.MAC, wire.MAC(node.MAC); got != want {
					t.Errorf("node: got %s, want %s", got, want)
				}
			}
		})
	}
}

// did is what a test compares of an exchange.
type did struct {
	Stage, Outcome, Reason, Detail string
	Tries                          int
	Bytes                          int64
	Complete                       bool
}

// exchanges are the last word on each exchange.
func exchanges(r *tracktest.Result) []did {
	type key struct {
		subject string
		first   int64
	}
	var out []did
	at := map[key]int{}
	for _, x := range r.Exchanges {
		d := did{x.Stage.String(), x.Outcome.String(), x.Reason, x.Detail, x.Tries, x.Bytes, x.Complete}
		k := key{x.Client.Addr.String() + x.Subject, int64(x.First)}
		if i, ok := at[k]; ok {
			out[i] = d
			continue
		}
		at[k] = len(out)
		out = append(out, d)
	}
	return out
}

func TestExchanges(t *testing.T) {
	for _, tt := range []struct {
		name string
		c    *synth.Capture
		want []did
	}{
		{"a download", func() *synth.Capture {
			c := blank()
			c.Dial(0, node, 40000, rack, 5248).Open().Send(false, make([]byte, 100)).Send(true, make([]byte, 200_000)).Close(true)
			return tick(c, 120*s)
		}(), []did{{Stage: "http", Outcome: "answered", Tries: 1, Bytes: 200_000, Complete: true}}},
		{"three files in a row are one exchange", func() *synth.Capture {
			c := blank()
			for i := range 3 {
				c.Dial(time.Duration(i)*s, node, 40000+uint16(i), rack, 80).Open().Send(true, make([]byte, 1000)).Close(true)
			}
			return tick(c, 120*s)
		}(), []did{{Stage: "http", Outcome: "answered", Tries: 3, Bytes: 3000, Complete: true}}},
		{"after a pause it is another one", func() *synth.Capture {
			c := blank()
			for i := range 2 {
				c.Dial(time.Duration(i)*90*s, node, 40000+uint16(i), rack, 80).Open().Send(true, make([]byte, 1000)).Close(true)
			}
			return tick(c, 180*s)
		}(), []did{
			{Stage: "http", Outcome: "answered", Tries: 1, Bytes: 1000, Complete: true},
			{Stage: "http", Outcome: "answered", Tries: 1, Bytes: 1000, Complete: true},
		}},
		{"the capture ends in the middle", func() *synth.Capture {
			c := blank()
			c.Dial(0, node, 40000, rack, 80).Open().Send(true, make([]byte, 5000))
			return c
		}(), []did{{Stage: "http", Outcome: "answered", Tries: 1, Bytes: 5000}}},
		{"copies of a SPAN port count once", func() *synth.Capture {
			c := blank()
			c.Dial(0, node, 40000, rack, 80).Open().Send(true, make([]byte, 5000)).Close(true)
			return c.Doubled()
		}(), []did{{Stage: "http", Outcome: "answered", Tries: 1, Bytes: 5000, Complete: true}}},
		{"unanswered", syns(5240, s, 2*s, 4*s), []did{{Stage: "metadata", Outcome: "unanswered", Tries: 4}}},
		{"one SYN, unanswered", syns(2049), []did{{Stage: "nfs", Outcome: "unanswered", Tries: 1}}},
		{"open at the end", syns(111, s).Until(2 * s), []did{{Stage: "mount", Outcome: "open", Tries: 2}}},
		{"refused", func() *synth.Capture {
			c := blank()
			c.Dial(0, node, 40000, rack, 22).Refused()
			return tick(c, 60*s)
		}(), []did{{Stage: "unknown", Outcome: "refused", Reason: "RST", Tries: 1}}},
		{"answered after four attempts", func() *synth.Capture {
			c := blank()
			c.Dial(0, node, 40000, rack, 80).SYN(s, 2*s, 4*s).SYNACK()
			return tick(c, 10*s)
		}(), []did{{Stage: "http", Outcome: "answered", Tries: 4, Detail: "after 4 attempts"}}},
		{"no known service", func() *synth.Capture {
			c := blank()
			c.Dial(0, node, 40000, rack, 9).Open().Send(true, make([]byte, 5000)).Close(true)
			return c
		}(), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := tracktest.Run(t, tt.c, nil, tcp.Spec)
			if d := cmp.Diff(tt.want, exchanges(r)); d != "" {
				t.Errorf("exchanges (-want +got):\n%s", d)
			}
		})
	}
}

// TestMidFlow: a download that began before the capture is an answered exchange
// of what was seen of it.
func TestMidFlow(t *testing.T) {
	c := blank()
	c.Dial(0, node, 40000, rack, 80).Open().Send(true, make([]byte, 146_000)).Close(true)
	r := tracktest.Run(t, c.From(20*time.Millisecond), nil, tcp.Spec)
	got := exchanges(r)
	if len(got) != 1 || got[0].Bytes < 60_000 || got[0].Bytes > 146_000 {
		t.Fatalf("got %+v, want one exchange of the later part of 146000 bytes", got)
	}
	got[0].Bytes = 0
	want := []did{{Stage: "http", Outcome: "answered", Detail: "already running", Complete: true}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("exchanges (-want +got):\n%s", d)
	}
	if len(r.Findings) != 0 {
		t.Errorf("got %v, want no finding", findings(r))
	}
}

// TestRunning: a long transfer is told of while it runs.
func TestRunning(t *testing.T) {
	c := blank()
	c.Dial(0, node, 40000, rack, 80).Open().Send(true, make([]byte, 200_000))
	r := tracktest.Run(t, tick(c, 70*s), nil, tcp.Spec)
	if len(r.Exchanges) < 2 || r.Exchanges[1].Bytes < 128<<10 || r.Exchanges[1].Bytes >= 200_000 {
		t.Errorf("got %+v, want the second word to have most of the bytes, before the capture ends", r.Exchanges)
	}
}

// TestDataCopiesNotMarked: the engine does not look for copies of bulk data.
func TestDataCopiesNotMarked(t *testing.T) {
	c := blank()
	v := c.Dial(0, node, 40000, rack, 80).Open().Send(false, make([]byte, 30)).Send(true, make([]byte, 30))
	for range 4 {
		v.Transmit(true, make([]byte, 1460)).Wait(300 * time.Millisecond)
	}
	r := &tracktest.Result{}
	d := track.NewDispatcher([]track.Spec{tcp.Spec}, tracktest.Config(), r)
	var dec wire.Decoder
	var p capture.Packet
	var f wire.Frame
	for src := c.Doubled().Source("x"); src.Next(&p) == nil; {
		dec.Decode(&p, &f)
		d.Frame(&f)
	}
	d.Finish(f.Time)
	if d := cmp.Diff([]was{{"path-mtu-black-hole", "error", "likely", "10.0.0.2:80"}}, findings(r)); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	if got := r.Exchanges[len(r.Exchanges)-1].Bytes; got != 30+1460 {
		t.Errorf("got %d bytes, want 1490", got)
	}
}

func TestCounts(t *testing.T) {
	c := blank()
	c.Dial(0, node, 40000, rack, 80).Open().Close(false)
	c.Dial(s, node, 40001, rack, 9).SYN(s, 2*s) // no known service: counted, not judged
	c.Dial(2*s, node, 40002, rack, 22).Refused()
	c.Dial(3*s, node, 40003, rack, 80).SYNACK().SYN() // swapped by the capture
	c.Dial(4*s, node, 40000, rack, 80).Open()         // the same ports again
	want := track.TCPCounts{Connections: 4, SYNUnanswered: 1, Refused: 1}
	for _, tt := range []struct {
		name string
		c    *synth.Capture
	}{{"plain", c.Join()}, {"doubled", c.Doubled()}} {
		if got := tracktest.Run(t, tt.c, nil, tcp.Spec).Counts.TCP; got != want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, want)
		}
	}
}

func TestLearntPort(t *testing.T) {
	c := blank()
	c.Dial(s, node, 700, rack, 33333).SYN(s, 2*s, 4*s)
	tick(c, 60*s)
	learns := track.Spec{Name: "teacher", TCP: []uint16{33333}, New: func(*track.Config) track.Tracker { return teacher{} }}
	r := tracktest.Run(t, c, nil, learns, tcp.Spec)
	want := []was{{"tcp-syn-unanswered", "error", "certain", "10.0.0.2:33333"}}
	if d := cmp.Diff(want, findings(r)); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
	if r := tracktest.Run(t, c, nil, tcp.Spec); len(r.Findings) != 0 {
		t.Errorf("not learnt: got %v, want nothing", findings(r))
	}
}
