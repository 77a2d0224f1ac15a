package tcp_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/track/tcp"
	"github.com/pxescope/pxescope/classify/track/tracktest"
)

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
	// sweep is a machine that tries a port of many machines, is refused by all,
	// and is refused once more two minutes later.
	sweep := func(n int, port uint16) *synth.Capture {
		c := blank()
		for i := range n {
			host := synth.NewHost("52:54:00:00:01:00", fmt.Sprintf("10.0.1.%d", i+1))
			c.Dial(time.Duration(i)*10*time.Millisecond, node, 40000, host, port).Refused()
		}
		c.Dial(120*s, node, 41000, rack, 80).Refused()
		return tick(c.Join(), 180*s)
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
		{"an inventory sweep, and a browser two minutes later", sweep(80, 443), nil},
		{"a sweep of ports of no known service, and a browser two minutes later", sweep(80, 9), nil},
		{"six ports refused, and a boot two minutes later", sweep(6, 443), refused("likely")},
		{"portmap, which is tried over UDP too", refuse(111, 0, s, 2*s), nil},
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
