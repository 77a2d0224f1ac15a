package dhcp

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/track/tracktest"
	"github.com/pxescope/pxescope/classify/wire"
)

// bpdu is a BPDU of a switch port: version 2 with flags, or a classic one.
func bpdu(version, flags byte) []byte {
	typ := byte(2)
	if version == 0 {
		typ = 0
	}
	b := append([]byte{0x42, 0x42, 3, 0, 0, version, typ, flags}, make([]byte, 31)...)
	return synth.Eth(synth.MAC("01:80:c2:00:00:00"), synth.MAC("00:1c:0e:87:85:04"), uint16(len(b)), b)
}

const (
	discarding = 0x0c        // designated port
	forwards   = 0x0c | 0x30 // learning and forwarding
)

func TestPortNotForwardingAtServer(t *testing.T) {
	s := time.Second
	early := synth.Udhcpc("00:25:90:00:00:aa").Discover(99, 0).Broadcast() // the capture ran before
	late := func(mac string, at time.Duration, secs uint16) *synth.Capture {
		return (&synth.Capture{}).Add(at, synth.IPXE(mac, 7).Discover(uint32(at), secs).Broadcast())
	}
	for _, tt := range []struct {
		name string
		c    *synth.Capture
		want []string
	}{
		{"two nodes, iPXE's third and fourth", (&synth.Capture{}).Add(0, early).Join(late(physical, 60*s, 12), late(second, 90*s, 16)), []string{physical, second}},
		{"two ROMs, plain seconds", (&synth.Capture{}).Add(0, early).
			Add(60*s, synth.PXERom(physical).Discover(1, 12).Broadcast()).Add(70*s, synth.PXERom(second).Discover(2, 28).Broadcast()), []string{physical, second}},
		{"swapped bytes", (&synth.Capture{}).Add(0, early).
			Add(60*s, synth.PXERom(physical).Discover(1, 12<<8).Broadcast()).Add(70*s, synth.PXERom(second).Discover(2, 28<<8).Broadcast()), []string{physical, second}},
		{"trap: one node", (&synth.Capture{}).Add(0, early).Join(late(physical, 60*s, 12), late(physical, 120*s, 12)), nil},
		{"trap: the capture began late", late(physical, 0, 12).Join(late(second, 2*s, 16)), nil},
		{"trap: began within the specification's pace", (&synth.Capture{}).Add(0, early).Join(late(physical, 10*s, 12), late(second, 20*s, 16)), nil},
		{"trap: first sends", (&synth.Capture{}).Add(0, early).Join(late(physical, 60*s, 4), late(second, 90*s, 4)), nil},
		{"trap: it holds an offer", (&synth.Capture{}).Add(0, early).Join(late(physical, 60*s, 10), late(second, 90*s, 14)), nil},
		{"trap: an operating system that has waited", (&synth.Capture{}).Add(0, early).
			Add(60*s, synth.Networkd(physical).Discover(1, 33).Broadcast()).Add(70*s, synth.Networkd(second).Discover(2, 20).Broadcast()), nil},
		{"trap: through a relay with a secs threshold", func() *synth.Capture {
			c := (&synth.Capture{}).Add(0, early)
			for i, mac := range []string{physical, second} {
				d := synth.PXERom(mac).Discover(uint32(i), 12)
				c.Add(time.Duration(60+i)*s, d.Relayed(synth.NewHost("00:00:5e:00:01:01", "10.1.0.1"), good().Host, "10.1.0.1"))
			}
			return c
		}(), nil},
		{"trap: two VLANs", (&synth.Capture{}).Add(0, early).Join(late(physical, 60*s, 12), late(second, 90*s, 16).Tagged(30)), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for gate, c := range map[string]*synth.Capture{"": tt.c, "doubled": tt.c.Doubled()} {
				r := watch(t, c, nil)
				if got := nodes(r, "l2-port-not-forwarding"); !cmp.Equal(got, tt.want) {
					t.Errorf("%s: found %v, want %v", gate, got, tt.want)
				}
			}
			if r := watch(t, tt.c.Snapped(96), nil); len(r.Findings) != 0 {
				t.Errorf("cut to 96 bytes: found %v", r.IDs())
			}
		})
	}
}

func TestPortNotForwardingAtClient(t *testing.T) {
	s := time.Second
	rom := synth.PXERom(physical)
	// silence of n DISCOVERs at the ROM's pace, then an answer after delay.
	quiet := func(delay time.Duration, at ...time.Duration) *synth.Capture {
		c := &synth.Capture{}
		for i, x := range at {
			c.Add(x, rom.Discover(7, uint16(x/s)).Broadcast())
			if i == len(at)-1 {
				c.Add(x+delay, good().Frame(good().Offer(rom.Discover(7, 0), "10.0.0.57")))
			}
		}
		return c
	}
	served := func(at time.Duration) *synth.Capture {
		c := &synth.Capture{}
		dora(c, at, synth.UEFI(second, 7), 3, good(), "10.0.0.58")
		return c
	}
	waiting := (&synth.Capture{}).Add(5*s, synth.UEFI(second, 7).Discover(3, 0).Broadcast())
	pace := []time.Duration{0, 4 * s, 12 * s, 28 * s}
	for _, tt := range []struct {
		name string
		c    *synth.Capture
		want []string
		conf finding.Confidence
	}{
		{"answered at once after 28 s, others were served", quiet(5*ms, pace...).Join(served(10 * s)), []string{physical}, finding.Likely},
		{"answered at once after 28 s, nothing else seen", quiet(5*ms, pace...), []string{physical}, finding.Possible},
		{"trap: nobody was answered before: the server started", quiet(5*ms, pace...).Join(waiting), nil, 0},
		{"trap: the server started, and answered another one first", quiet(5*ms, pace...).Join((&synth.Capture{}).
			Add(5*s, synth.Udhcpc(second).Discover(3, 0).Broadcast()).Add(8*s, synth.Udhcpc(second).Discover(3, 0).Broadcast()), served(27*s)), nil, 0},
		{"trap: ping check", quiet(3*s, 0), nil, 0},
		{"trap: a slow answer", quiet(2*s, pace...), nil, 0},
		{"trap: one repetition", quiet(5*ms, 0, 4*s), nil, 0},
		{"trap: too long for spanning tree", quiet(5*ms, 0, 4*s, 12*s, 28*s, 60*s), nil, 0},
		{"trap: a proxy answered all the time", func() *synth.Capture {
			c := quiet(5*ms, pace...)
			c.Add(2*ms, good().Frame(good().ProxyOffer(rom.Discover(7, 0))))
			return c.Join()
		}(), nil, 0},
		{"gate: started late, the silence was not seen", quiet(5*ms, pace...).From(20 * s), nil, 0},
		{"gate: ended before the answer", quiet(5*ms, pace...).Until(28 * s), nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for gate, c := range map[string]*synth.Capture{"": tt.c, "doubled": tt.c.Doubled()} {
				r := watch(t, c, nil)
				if got := nodes(r, "l2-port-not-forwarding"); !cmp.Equal(got, tt.want) {
					t.Fatalf("%s: found %v, want %v", gate, got, tt.want)
				}
				if f := r.Find("l2-port-not-forwarding"); f != nil && (f.Confidence != tt.conf || f.Severity != finding.Warning) {
					t.Errorf("%s: %v %v, want warning %v", gate, f.Severity, f.Confidence, tt.conf)
				}
			}
		})
	}
}

func TestPortNotForwardingBPDU(t *testing.T) {
	s := time.Second
	build := func(version, before, after byte) *synth.Capture {
		c := &synth.Capture{}
		for at := time.Duration(0); at < 30*s; at += 2 * s {
			fl := before
			if at >= 8*s {
				fl = after
			}
			c.Add(at, bpdu(version, fl))
		}
		x := synth.IPXE(physical, 7)
		for i, at := range []time.Duration{1 * s, 2 * s, 4 * s, 9 * s} {
			c.Add(at, x.Discover(7, uint16(4*i+4)).Broadcast())
		}
		c.Add(9*s+ms, good().Frame(good().Offer(x.Discover(7, 4), "10.0.0.57")))
		return c.Join()
	}
	for _, tt := range []struct {
		name string
		c    *synth.Capture
		want []string
	}{
		{"discarding, then forwarding", build(2, discarding, forwards), []string{physical}},
		{"multiple spanning tree", build(3, discarding, forwards), []string{physical}},
		{"trap: forwarding all the time", build(2, forwards, forwards), nil},
		{"trap: classic BPDUs do not tell", build(0, 0, 0), nil},
		{"trap: root port", build(2, 0x08, 0x08), nil},
	} {
		r := watch(t, tt.c, nil)
		if got := nodes(r, "l2-port-not-forwarding"); !cmp.Equal(got, tt.want) {
			t.Errorf("%s: found %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestNoOffer plays what the tracker of exchanges tells of silence.
func TestNoOffer(t *testing.T) {
	at := func(d time.Duration) capture.Time { return synth.Start.Add(d) }
	mac := func(s string) wire.MAC { return wire.MAC(synth.MAC(s)) }
	s := time.Second
	third := "3c:ec:ef:01:02:05"
	play := func(c *synth.Capture, silent map[string]time.Duration) *tracktest.Result {
		r := watch(t, c, nil)
		// Again by hand, with the calls in their place.
		*r = tracktest.Result{}
		w := watchSpec.New(tracktest.Config()).(*watcher)
		dec := wire.NewDecoder()
		src := c.Source("x")
		var p capture.Packet
		var f wire.Frame
		var out track.Out
		for src.Next(&p) == nil {
			dec.Decode(&p, &f)
			for m, d := range silent {
				if at(d) <= f.Time {
					w.s.NoOffer(mac(m), f.VLAN(), at(d), &out)
					delete(silent, m)
				}
			}
			w.Frame(&f, &out)
			r.Take(&out)
			out.Reset()
		}
		for m, d := range silent {
			w.s.NoOffer(mac(m), 0, at(d), &out)
		}
		w.Finish(f.Time, &out)
		r.Take(&out)
		return r
	}
	served := func(d time.Duration, macs ...string) *synth.Capture {
		c := &synth.Capture{}
		c.Add(0, synth.UEFI(physical, 7).Discover(1, 0).Broadcast()).Add(ms, synth.UEFI(second, 7).Discover(2, 0).Broadcast())
		for i, m := range macs {
			dora(c, d+time.Duration(i)*s, synth.UEFI(m, 7), uint32(10+i), good(), fmt.Sprintf("10.0.0.%d", 60+i))
		}
		return c.Join()
	}
	for _, tt := range []struct {
		name   string
		c      *synth.Capture
		silent map[string]time.Duration
		want   []string
	}{
		{"two in vain, one served", served(20*s, third), map[string]time.Duration{physical: 15 * s, second: 16 * s}, []string{"dhcp-pool-exhausted"}},
		{"served first", served(5*s, third), map[string]time.Duration{physical: 15 * s, second: 16 * s}, []string{"dhcp-pool-exhausted"}},
		{"trap: one in vain", served(20*s, third), map[string]time.Duration{physical: 15 * s}, nil},
		{"trap: nobody served", served(20 * s), map[string]time.Duration{physical: 15 * s, second: 16 * s}, nil},
		{"trap: served long after", served(100*s, third), map[string]time.Duration{physical: 15 * s, second: 16 * s}, nil},
		{"withdrawn: they got addresses after all", served(20*s, third, physical), map[string]time.Duration{physical: 15 * s, second: 16 * s}, nil},
	} {
		if got := play(tt.c, tt.silent).IDs(); !cmp.Equal(got, append([]string{}, tt.want...)) {
			t.Errorf("%s: found %v, want %v", tt.name, got, tt.want)
		}
	}
	// Behind a port that is not forwarding the silence is the port's.
	blocked := served(time.Hour)
	for i := range 8 {
		blocked.Add(time.Duration(2*i)*s, bpdu(2, discarding))
	}
	f := play(blocked.Join(), map[string]time.Duration{physical: 14 * s}).Find("l2-port-not-forwarding")
	if f == nil || f.Severity != finding.Error || f.Node.MAC != mac(physical) {
		t.Errorf("not forwarding: found %+v, want an error of %s", f, physical)
	}
}

func TestStarvation(t *testing.T) {
	station := synth.NewHost("00:0c:29:00:00:66", "")
	build := func(clients int, again int, giaddr string) *synth.Capture {
		c := &synth.Capture{}
		for i := range clients * again {
			x := synth.Udhcpc(physical)
			x.MAC[5] = byte(i % clients)
			d := x.Discover(uint32(i), 0)
			d.GIAddr = giaddr
			c.Add(time.Duration(i)*30*ms, d.Unicast(station, synth.Everyone, 68, 67))
		}
		return c
	}
	for _, tt := range []struct {
		name string
		c    *synth.Capture
		want []string
	}{
		{"16 clients of one station", build(16, 1, ""), []string{"dhcp-starvation"}},
		{"doubled", build(40, 1, "").Doubled(), []string{"dhcp-starvation"}},
		{"17 clients, each of another made-up station", func() *synth.Capture {
			c := build(17, 1, "")
			for i, p := range c.Packets {
				p.Data[10] = byte(i)
			}
			return c
		}(), []string{"dhcp-starvation"}},
		{"trap: 15 clients again and again behind a wireless bridge", build(15, 10, ""), []string{}},
		{"trap: a relay", build(40, 1, "10.1.0.1"), []string{}},
	} {
		if got := watch(t, tt.c, nil).IDs(); !cmp.Equal(got, tt.want) {
			t.Errorf("%s: found %v, want %v", tt.name, got, tt.want)
		}
	}
}
