package tcp_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tcp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
)

type did struct {
	Stage, Outcome, Reason, Detail string
	Tries                          int
	Bytes                          int64
	Complete                       bool
}

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

func TestRunning(t *testing.T) {
	c := blank()
	c.Dial(0, node, 40000, rack, 80).Open().Send(true, make([]byte, 200_000))
	r := tracktest.Run(t, tick(c, 70*s), nil, tcp.Spec)
	if len(r.Exchanges) < 2 || r.Exchanges[1].Bytes < 128<<10 || r.Exchanges[1].Bytes >= 200_000 {
		t.Errorf("got %+v, want the second word to have most of the bytes, before the capture ends", r.Exchanges)
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
