package wire_test

import (
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

func BenchmarkDecode(b *testing.B) {
	data := pattern(1, 512)
	plain := synth.UDP(client, server, 40000, 69, data)
	for _, c := range []struct {
		name string
		link capture.LinkType
		data []byte
	}{
		{"udp4", capture.LinkEthernet, plain},
		{"tcp4", capture.LinkEthernet, synth.TCP(client, server, 40000, 80, synth.Segment{Flags: wire.ACK, Payload: data})},
		{"udp6", capture.LinkEthernet, synth.UDP(client6, server6, 40000, 69, data)},
		{"tagged", capture.LinkEthernet, synth.IP{Tags: []uint16{100}}.UDP(client, server, 40000, 69, data)},
		{"qinq", capture.LinkEthernet, synth.IP{Tags: []uint16{200, 100}}.UDP(client, server, 40000, 69, data)},
		{"sll", capture.LinkSLL, cat(hx("0004 0001 0006 525400aabb01 0000 0800"), l3(plain))},
		{"arp", capture.LinkEthernet, synth.ARP(1, client, server)},
		{"icmp-echo", capture.LinkEthernet, synth.Echo(client, server, false, 1, 1)},
		{"icmp-error", capture.LinkEthernet, synth.ICMPError(server, client, 3, 3, 0, plain)},
		{"ip6-extensions", capture.LinkEthernet, eth(0x86dd, ip6(0, cat(hx("3c 00 01 04 00000000 11 00 01 04 00000000"), l3(synth.UDP(client6, server6, 40000, 69, data))[40:])))},
		{"vxlan", capture.LinkEthernet, synth.UDP(vtep1, vtep2, 40000, 4789, cat(hx("08 000000 00002a 00"), plain))},
		{"gre", capture.LinkEthernet, between(47, cat(hx("0000 0800"), l3(plain)))},
		{"mpls", capture.LinkEthernet, eth(0x8847, cat(hx("00010140"), l3(plain)))},
		{"lldp", capture.LinkEthernet, eth(0x88cc, data)},
		{"stp", capture.LinkEthernet, eth(38, data)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			d := wire.NewDecoder()
			var f wire.Frame
			p := packet(c.link, c.data)
			for b.Loop() {
				d.Decode(p, &f)
			}
		})
	}
}

// BenchmarkFragments is one fragment of 1480 bytes of a 32 KiB datagram.
func BenchmarkFragments(b *testing.B) {
	b.ReportAllocs()
	d := wire.NewDecoder()
	var f wire.Frame
	parts := split4(0, pattern(1, 32<<10), 1500)
	at := time.Duration(0)
	for i := 0; b.Loop(); i++ {
		at += 100 * time.Microsecond
		part := parts[i%len(parts)]
		part[18], part[19] = byte(i/len(parts)>>8), byte(i/len(parts))
		p := capture.Packet{ID: 1, Time: synth.Start.Add(at), Link: capture.LinkEthernet, WireLen: len(part), Data: part}
		d.Decode(&p, &f)
	}
}

func BenchmarkUDPChecksum(b *testing.B) {
	d := wire.NewDecoder()
	var f wire.Frame
	d.Decode(packet(capture.LinkEthernet, synth.UDP(client, server, 40000, 69, pattern(1, 512))), &f)
	for b.Loop() {
		if f.UDPChecksum() != wire.SumGood {
			b.Fatal("bad checksum")
		}
	}
}
