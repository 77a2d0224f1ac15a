package tcp_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tcp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

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

		{"two retransmissions, mirrored twice", hole(smallReply).Until(1200 * time.Millisecond).Doubled(), nil},
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
			v.Transmit(true, big).Wait(300*time.Millisecond).Transmit(true, big).Wait(300 * time.Millisecond)
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
