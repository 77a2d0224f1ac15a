package wire_test

import (
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

func BenchmarkDecode(b *testing.B) {
	data := make([]byte, 512)
	for _, c := range []struct {
		name  string
		frame []byte
	}{
		{"udp4", synth.UDP(client, server, 40000, 69, data)},
		{"tcp4", synth.TCP(client, server, 40000, 80, synth.Segment{Flags: wire.ACK, Payload: data})},
		{"udp6", synth.UDP(client6, server6, 40000, 69, data)},
		{"tagged", synth.IP{Tags: []uint16{100}}.UDP(client, server, 40000, 69, data)},
		{"arp", synth.ARP(1, client, server)},
		{"icmp-echo", synth.Echo(client, server, false, 1, 1)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			d := wire.NewDecoder()
			var f wire.Frame
			p := capture.Packet{ID: 1, Link: capture.LinkEthernet, WireLen: len(c.frame), Data: c.frame}
			for b.Loop() {
				d.Decode(&p, &f)
			}
		})
	}
}
