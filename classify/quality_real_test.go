package classify

import (
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

// What real captures hold and a gate once took for a missing direction.
func TestNothingIsHidden(t *testing.T) {
	a, b := synth.NewHost("d4:ae:52:00:00:01", "10.0.0.11"), synth.NewHost("d4:ae:52:00:00:02", "10.0.0.12")
	server := synth.NewPlace().Rack
	ms := time.Millisecond
	for _, c := range []struct {
		name string
		fill func(*synth.Capture)
	}{
		{"two queues: the SYN, ACK stands before its SYN", func(c *synth.Capture) {
			c.Add(0, synth.TCP(b, a, 80, 4000, synth.Segment{Flags: wire.SYN | wire.ACK, Seq: 700, Ack: 101}))
			c.Add(0, synth.TCP(a, b, 4000, 80, synth.Segment{Flags: wire.SYN, Seq: 100}))
			c.Add(ms, synth.TCP(a, b, 4000, 80, synth.Segment{Flags: wire.ACK, Seq: 101, Ack: 701}))
		}},
		{"a DHCP server asks by ARP, hears nothing, and writes to chaddr", func(c *synth.Capture) {
			client := synth.Udhcpc("d4:ae:52:00:00:09")
			d := client.Discover(1, 0)
			offer := server.Offer(d, "10.0.0.77")
			q := client.Request(offer, 0)
			c.Add(0, d.Broadcast())
			c.Add(ms, synth.ARP(1, server.Host, synth.NewHost("00:00:00:00:00:00", "10.0.0.77")))
			c.Add(600*ms, server.Frame(offer))
			c.Add(700*ms, q.Broadcast())
			c.Add(701*ms, server.Frame(server.Ack(q, "10.0.0.77")))
		}},
		{"broadcast replies of a large network", func(c *synth.Capture) {
			for i := range 20 {
				client := synth.PXERom("d4:ae:52:00:00:09")
				d := client.Discover(uint32(i), 0)
				c.Add(time.Duration(i)*time.Second, synth.UDP(server.Host, synth.Everyone, 67, 68, server.Offer(d, "10.0.0.77").Bytes()))
			}
		}},
		{"a host that talks to itself", func(c *synth.Capture) {
			for i := range 20 {
				c.Add(time.Duration(i)*ms, synth.UDP(a, a, 123, 40000, make([]byte, 12)))
			}
		}},
	} {
		var s synth.Capture
		c.fill(&s)
		r := analyzed(t, &s, Options{})
		for _, q := range r.Quality {
			if q.Gate == "one-sided" || q.Gate == "asymmetric" {
				t.Errorf("%s: got %s: %s", c.name, q.Gate, q.Detail)
			}
		}
		if r.Inconclusive {
			t.Errorf("%s: got inconclusive", c.name)
		}
	}
}

func TestSpanOfAStep(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-24*time.Second - 15*time.Millisecond: "-24.015s", 10486*time.Hour + 41*time.Minute: "437 days", 3 * time.Hour: "3h0m0s",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

// What cannot be decoded is said with file, frame and reason; what the snap
// length cut is not broken.
func TestUnread(t *testing.T) {
	var c synth.Capture
	a, b := synth.NewHost("d4:ae:52:00:00:01", "10.0.0.11"), synth.NewHost("d4:ae:52:00:00:02", "10.0.0.12")
	broken := synth.UDP(a, b, 1, 2, nil)
	broken[14] = 0x41 // an IPv4 header of 4 bytes
	c.Add(0, broken)
	c.Packets = append(c.Packets, synth.Packet{At: 1, Data: []byte("abcd"), Link: 147})
	got := map[string]string{}
	for _, q := range analyzed(t, &c, Options{}).Quality {
		got[q.Gate] = q.Detail
	}
	if want := "test.pcap: frame 2: link type LINKTYPE_147 is not read (1 packet)"; got["link-type"] != want {
		t.Errorf("got %q, want %q", got["link-type"], want)
	}
	if want := "test.pcap: frame 1: ip-header (1 packet)"; got["undecoded"] != want {
		t.Errorf("got %q, want %q", got["undecoded"], want)
	}
	for _, q := range analyzed(t, synth.HealthyBoot().Snapped(20), Options{}).Quality {
		if q.Gate == "undecoded" || q.Gate == "link-type" {
			t.Errorf("cut by the snap length: got %s: %s", q.Gate, q.Detail)
		}
	}
}
