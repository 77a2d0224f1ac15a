package wire

import (
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
)

var (
	client  = synth.NewHost("52:54:00:aa:bb:01", "192.0.2.10")
	server  = synth.NewHost("52:54:00:aa:bb:02", "192.0.2.1")
	client6 = synth.NewHost("52:54:00:aa:bb:01", "2001:db8::10")
	server6 = synth.NewHost("52:54:00:aa:bb:02", "2001:db8::1")
)

func BenchmarkDecode(b *testing.B) {
	data := make([]byte, 512)
	for _, c := range []struct {
		name  string
		frame []byte
	}{
		{"udp4", synth.UDP(client, server, 40000, 69, data)},
		{"tcp4", synth.TCP(client, server, 40000, 80, synth.Segment{Flags: ACK, Payload: data})},
		{"udp6", synth.UDP(client6, server6, 40000, 69, data)},
		{"tagged", synth.IP{Tags: []uint16{100}}.UDP(client, server, 40000, 69, data)},
		{"arp", synth.ARP(1, client, server)},
		{"icmp-echo", synth.Echo(client, server, false, 1, 1)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			d := NewDecoder()
			var f Frame
			p := capture.Packet{ID: 1, Link: capture.LinkEthernet, WireLen: len(c.frame), Data: c.frame}
			for b.Loop() {
				d.Decode(&p, &f)
			}
		})
	}
}
