package wire_test

import (
	"fmt"
	"testing"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

// in is f found in a tunnel between vtep1 and vtep2 that carries no Ethernet:
// the link layer is the outer one.
func in(t wire.Tunnel, vni uint32, f wire.Frame) wire.Frame {
	f.Tunnel, f.VNI = t, vni
	f.SrcMAC, f.DstMAC, f.HasDstMAC = vtep1.MAC, vtep2.MAC, true
	return f
}

// inEth is f found in a tunnel that carries Ethernet.
func inEth(t wire.Tunnel, vni uint32, f wire.Frame) wire.Frame {
	f.Tunnel, f.VNI = t, vni
	return wantEth(f)
}

// outerUDP is what stays of a UDP tunnel that is not entered.
func outerUDP(dport uint16, payload []byte) wire.Frame {
	f := wantUDP(want4(wire.Frame{}), dport, string(payload))
	f.Src, f.Dst = wire.AddrFrom(vtep1.IP), wire.AddrFrom(vtep2.IP)
	f.SrcMAC, f.DstMAC, f.HasDstMAC = vtep1.MAC, vtep2.MAC, true
	return f
}

// outerIP is what stays of an IP packet whose protocol is not entered.
func outerIP(proto uint8, why wire.Stop, payload []byte) wire.Frame {
	f := outerUDP(0, payload)
	f.Proto, f.SrcPort, f.Stop = proto, 0, why
	return f
}

func TestDecodeUDPTunnels(t *testing.T) {
	inner := eth(0x0800, udp4(69, "rrq"))
	plain := udpOver4(69, "rrq")
	udp := func(dport uint16, parts ...[]byte) []byte {
		return synth.UDP(vtep1, vtep2, 40000, dport, cat(parts...))
	}
	vxlan := hx("08 000000 00002a 00") // I, reserved, VNI 42, reserved
	bad := set(inner, 14, 0x55)        // IP version 5
	tagged := synth.IP{Tags: []uint16{100}}.UDP(client, server, 40000, 69, []byte("rrq"))
	noEther := []byte("no tunnel at all")
	geneve := hx("02 00 6558 00002a 00 0102 80 01 00000000") // two words of options

	runDecode(t, []decodeCase{
		{name: "VXLAN", data: udp(4789, vxlan, inner), want: inEth(wire.VXLAN, 42, plain)},
		{name: "VXLAN on Linux's port", data: udp(8472, vxlan, inner), want: inEth(wire.VXLAN, 42, plain)},
		{name: "VXLAN with group policy", data: udp(4789, hx("88 400123 00002a 00"), inner), want: inEth(wire.VXLAN, 42, plain)},
		{name: "VXLAN, tagged inside and outside", data: synth.IP{Tags: []uint16{7}}.UDP(vtep1, vtep2, 40000, 4789, cat(vxlan, tagged)),
			want: with(inEth(wire.VXLAN, 42, plain), func(f *wire.Frame) { f.TagCount, f.Tags[0] = 1, 100 })},
		{name: "VXLAN with ARP", data: udp(4789, vxlan, synth.ARP(2, client, server)), want: inEth(wire.VXLAN, 42, wire.Frame{EtherType: wire.EtherARP,
			ARP: wire.ARP{Op: 2, SenderMAC: clientMAC, TargetMAC: serverMAC, Sender: clientAddr, Target: serverAddr}})},
		{name: "VXLAN with LLDP", data: udp(4789, vxlan, eth(0x88cc, hx("0207"))), want: inEth(wire.VXLAN, 42, wire.Frame{EtherType: wire.EtherLLDP,
			Stop: wire.StopEtherType, Payload: hx("0207"), PayloadLen: 2})},
		{name: "VXLAN over IPv6", data: synth.UDP(client6, server6, 40000, 4789, cat(vxlan, inner)), want: inEth(wire.VXLAN, 42, plain)},
		{name: "VXLAN cut by the snap length", data: udp(4789, vxlan, inner), snap: 14 + 20 + 8 + 8 + 14 + 10, want: inEth(wire.VXLAN, 42, wire.Frame{EtherType: 0x0800, Stop: wire.StopIPShort})},
		{name: "VXLAN without the I flag", data: udp(4789, set(vxlan, 0, 0), inner), want: outerUDP(4789, cat(set(vxlan, 0, 0), inner))},
		{name: "VXLAN with reserved bits", data: udp(4789, set(vxlan, 7, 1), inner), want: outerUDP(4789, cat(set(vxlan, 7, 1), inner))},
		{name: "VXLAN port with something else", data: udp(4789, noEther), want: outerUDP(4789, noEther)},
		{name: "VXLAN port with less than a header", data: udp(4789, vxlan[:7]), want: outerUDP(4789, vxlan[:7])},
		{name: "VXLAN with a damaged inner packet", data: udp(4789, vxlan, bad), want: outerUDP(4789, cat(vxlan, bad))},
		{name: "VXLAN with half an Ethernet header", data: udp(4789, vxlan, inner[:9]), want: outerUDP(4789, cat(vxlan, inner[:9]))},
		{name: "VXLAN-GPE with Ethernet", data: udp(4790, hx("0c 000003 00002a 00"), inner), want: inEth(wire.VXLAN, 42, plain)},
		{name: "VXLAN-GPE with IPv4", data: udp(4790, hx("0c 000001 00002a 00"), l3(inner)), want: in(wire.VXLAN, 42, plain)},
		{name: "VXLAN-GPE with IPv6", data: udp(4790, hx("0c 000002 00002a 00"), udp6(547, "sol")), want: in(wire.VXLAN, 42, udpOver6(547, "sol"))},
		{name: "VXLAN-GPE with NSH", data: udp(4790, hx("0c 000004 00002a 00"), noEther), want: outerUDP(4790, cat(hx("0c 000004 00002a 00"), noEther))},
		{name: "VXLAN-GPE without the P flag", data: udp(4790, hx("08 000003 00002a 00"), inner), want: outerUDP(4790, cat(hx("08 000003 00002a 00"), inner))},
		{name: "Geneve", data: udp(6081, hx("00 00 6558 00002a 00"), inner), want: inEth(wire.Geneve, 42, plain)},
		{name: "Geneve with options", data: udp(6081, geneve, inner), want: inEth(wire.Geneve, 42, plain)},
		{name: "Geneve with IPv4", data: udp(6081, hx("00 00 0800 00002a 00"), l3(inner)), want: in(wire.Geneve, 42, plain)},
		{name: "Geneve with IPv6", data: udp(6081, hx("00 00 86dd 00002a 00"), udp6(547, "sol")), want: in(wire.Geneve, 42, udpOver6(547, "sol"))},
		{name: "Geneve of another version", data: udp(6081, set(geneve, 0, 0x42), inner), want: outerUDP(6081, cat(set(geneve, 0, 0x42), inner))},
		{name: "Geneve with another type", data: udp(6081, set(geneve, 2, 0x88, 0xcc), inner), want: outerUDP(6081, cat(set(geneve, 2, 0x88, 0xcc), inner))},
		{name: "Geneve with options beyond the datagram", data: udp(6081, set(geneve, 0, 0x3f), inner), want: outerUDP(6081, cat(set(geneve, 0, 0x3f), inner))},
	})
}

func TestDecodeIPTunnels(t *testing.T) {
	inner := eth(0x0800, udp4(69, "rrq"))
	v4, v6 := udpOver4(69, "rrq"), udpOver6(547, "sol")
	arp := wire.Frame{EtherType: wire.EtherARP, ARP: wire.ARP{Op: 2, SenderMAC: clientMAC, TargetMAC: serverMAC, Sender: clientAddr, Target: serverAddr}}
	gre := func(header string, body []byte) []byte { return between(47, cat(hx(header), body)) }
	ospf := eth(0x0800, ip4(89, []byte("ospf")))
	wrap := func(n int, b []byte) []byte {
		for range n {
			b = between(4, l3(b))
		}
		return b
	}
	nested := func(n int) []byte { return wrap(n, between(4, l3(inner))) }
	inFour := func(proto uint8, b []byte) []byte { return wrap(4, between(proto, b)) }
	type3 := `1000 22eb 00000001 // sequence number
		2064 0033  00000000 0000` // version 2, VLAN 100; session 51; timestamp, group tag

	runDecode(t, []decodeCase{
		{name: "IP in IP", data: between(4, l3(inner)), want: in(wire.IPIP, 0, v4)},
		{name: "6in4", data: between(41, udp6(547, "sol")), want: in(wire.IPIP, 0, v6)},
		{name: "4in6", data: eth(0x86dd, ip6(4, l3(inner))), want: with(wantEth(v4), func(f *wire.Frame) { f.Tunnel = wire.IPIP })},
		{name: "IP in IP, another protocol inside", data: between(4, l3(ospf)), want: with(in(wire.IPIP, 0, want4(wire.Frame{Proto: 89})), func(f *wire.Frame) {
			f.Stop, f.Payload, f.PayloadLen = wire.StopIPProto, []byte("ospf"), 4
		})},
		{name: "IP in IP, empty", data: between(4, nil), want: outerIP(4, wire.StopTunnelShort, nil)},
		{name: "IP in IP, damaged", data: between(4, hx("55")), want: in(wire.IPIP, 0, wire.Frame{EtherType: 0x0800, Stop: wire.StopIPShort})},
		{name: "four tunnels", data: nested(3), want: in(wire.IPIP, 0, v4)},
		{name: "five tunnels", data: nested(4), want: in(wire.IPIP, 0, outerIP(4, wire.StopTunnelDepth, l3(inner)))},
		{name: "VXLAN in four tunnels", data: inFour(17, cat(udpHeader(40000, 4789, uint16(16+len(inner))), hx("08 000000 00002a 00"), inner)),
			want: in(wire.IPIP, 0, with(outerUDP(4789, cat(hx("08 000000 00002a 00"), inner)), func(f *wire.Frame) { f.Stop = wire.StopTunnelDepth }))},
		{name: "GRE in four tunnels", data: inFour(47, cat(hx("0000 0800"), l3(inner))), want: in(wire.IPIP, 0, outerIP(47, wire.StopTunnelDepth, cat(hx("0000 0800"), l3(inner))))},
		{name: "ERSPAN in four tunnels", data: inFour(47, cat(hx("0000 88be"), inner)), want: in(wire.IPIP, 0, outerIP(47, wire.StopTunnelDepth, inner))},
		{name: "MPLS in four tunnels", data: inFour(137, cat(hx("00010140"), l3(inner))), want: in(wire.IPIP, 0, outerIP(137, wire.StopTunnelDepth, l3(inner)))},

		{name: "GRE with IPv4", data: gre("0000 0800", l3(inner)), want: in(wire.GRE, 0, v4)},
		{name: "GRE with IPv6", data: gre("0000 86dd", udp6(547, "sol")), want: in(wire.GRE, 0, v6)},
		{name: "GRE with checksum, key and sequence", data: gre("b000 0800 abcd0000 00000007 00000001", l3(inner)), want: in(wire.GRE, 7, v4)},
		{name: "GRE with key", data: gre("2000 6558 00000007", inner), want: inEth(wire.GRE, 7, v4)},
		{name: "GRE with Ethernet", data: gre("0000 6558", synth.ARP(2, client, server)), want: inEth(wire.GRE, 0, arp)},
		{name: "GRE with MPLS", data: gre("0000 8847 00010140", l3(inner)), want: in(wire.MPLS, 16, v4)},
		{name: "GRE keepalive", data: gre("0000 0000", nil), want: outerIP(47, wire.StopIPProto, hx("0000 0000"))},
		{name: "GRE with routing", data: gre("4000 0800", l3(inner)), want: outerIP(47, wire.StopIPProto, cat(hx("4000 0800"), l3(inner)))},
		{name: "GRE of PPTP, an acknowledgement alone", data: gre("2081 880b 00000001 00000009", nil), want: outerIP(47, wire.StopIPProto, hx("2081 880b 00000001 00000009"))},
		{name: "GRE of PPTP with IPv4", data: gre("3001 880b "+hex16(4+len(l3(inner)))+" 0007 00000001", cat(hx("ff03 0021"), l3(inner))), want: in(wire.GRE, 7, v4)},
		{name: "GRE of PPTP with IPv4 and an acknowledgement", data: gre("3081 880b "+hex16(2+len(l3(inner)))+" 0007 00000001 00000002", cat(hx("0021"), l3(inner))), want: in(wire.GRE, 7, v4)},
		{name: "GRE of PPTP cut", data: between(47, hx("3001 880b 0004 0001")), want: outerIP(47, wire.StopTunnelShort, hx("3001 880b 0004 0001"))},
		{name: "GRE cut", data: between(47, hx("0000")), want: outerIP(47, wire.StopTunnelShort, hx("0000"))},
		{name: "GRE cut inside the key", data: between(47, hx("2000 0800 0000")), want: outerIP(47, wire.StopTunnelShort, hx("2000 0800 0000"))},

		{name: "ERSPAN I", data: gre("0000 88be", inner), want: inEth(wire.ERSPAN, 0, v4)},
		{name: "ERSPAN II", data: gre("1000 88be 00000001 1064 0033 00000000", inner), want: inEth(wire.ERSPAN, 51, v4)},
		{name: "ERSPAN III", data: gre(type3+" 0000", inner), want: inEth(wire.ERSPAN, 51, v4)},
		{name: "ERSPAN III with platform subheader", data: gre(type3+" 0001 0000000000000000", inner), want: inEth(wire.ERSPAN, 51, v4)},
		{name: "ERSPAN III with an IP packet", data: gre(type3+" 0800", l3(inner)), want: in(wire.ERSPAN, 51, v4)},
		{name: "ERSPAN II, version of III", data: gre("1000 88be 00000001 2064 0033 00000000", inner),
			want: outerIP(47, wire.StopIPProto, cat(hx("2064 0033 00000000"), inner))},
		{name: "ERSPAN II cut", data: gre("1000 88be 00000001 1064", nil), want: outerIP(47, wire.StopTunnelShort, hx("1064"))},
		{name: "ERSPAN III cut inside the subheader", data: gre(type3+" 0001 0000", nil), want: outerIP(47, wire.StopTunnelShort, hx("2064 0033 00000000 0000 0001 0000"))},
	})
}

func TestDecodeMPLS(t *testing.T) {
	inner := eth(0x0800, udp4(69, "rrq"))
	v4, v6 := udpOver4(69, "rrq"), udpOver6(547, "sol")
	outer := func(label uint32, f wire.Frame) wire.Frame { return in(wire.MPLS, label, f) }
	mpls := func(b ...[]byte) []byte { return synth.Eth(vtep2.MAC, vtep1.MAC, 0x8847, cat(b...)) }
	bottom := hx("00010140") // label 16, bottom of stack, TTL 64
	// Ethernet frames to addresses whose first nibble is that of an IP version.
	to4, to6 := set(inner, 0, 0x45), set(inner, 0, 0x60)
	toMAC := func(first byte) wire.Frame {
		f := inEth(wire.MPLS, 16, v4)
		f.DstMAC[0] = first
		return f
	}
	stop := func(payload []byte) wire.Frame {
		return in(wire.NoTunnel, 0, wire.Frame{EtherType: 0x8847, Stop: wire.StopTunnelShort, Payload: payload, PayloadLen: len(payload)})
	}

	runDecode(t, []decodeCase{
		{name: "IPv4", data: mpls(bottom, l3(inner)), want: outer(16, v4)},
		{name: "IPv4, multicast type", data: synth.Eth(vtep2.MAC, vtep1.MAC, 0x8848, cat(bottom, l3(inner))), want: outer(16, v4)},
		{name: "IPv6", data: mpls(bottom, udp6(547, "sol")), want: outer(16, v6)},
		{name: "three labels", data: mpls(hx("00020040 00030040 00fff140"), l3(inner)), want: outer(0xfff, v4)},
		{name: "pseudowire with control word", data: mpls(bottom, hx("00000000"), inner), want: inEth(wire.MPLS, 16, v4)},
		{name: "pseudowire without", data: mpls(bottom, inner), want: inEth(wire.MPLS, 16, v4)},
		{name: "pseudowire to an address like IPv4", data: mpls(bottom, to4), want: toMAC(0x45)},
		{name: "pseudowire to an address like IPv6", data: mpls(bottom, to6), want: toMAC(0x60)},
		{name: "pseudowire without, address like a control word", data: mpls(bottom, set(inner, 0, 0x00)), want: toMAC(0x00)},
		{name: "pseudowire with control word and another type", data: mpls(bottom, hx("00000000"), eth(0x88cc, hx("0207"))),
			want: inEth(wire.MPLS, 16, wire.Frame{EtherType: wire.EtherLLDP, Stop: wire.StopEtherType, Payload: hx("0207"), PayloadLen: 2})},
		{name: "over IP", data: between(137, cat(bottom, l3(inner))), want: outer(16, v4)},
		{name: "no bottom", data: mpls(hx("00010040 00020040")), want: stop(hx("00010040 00020040"))},
		{name: "nothing above", data: mpls(bottom), want: stop(nil)},
	})
}

// The checksum of a datagram in a tunnel is over the inner addresses.
func TestUDPChecksumInTunnel(t *testing.T) {
	for _, data := range [][]byte{
		between(4, udp4(69, "rrq")),
		between(41, udp6(547, "sol")),
		synth.UDP(vtep1, vtep2, 1, 4789, cat(hx("08 000000 00002a 00"), eth(0x0800, udp4(69, "rrq")))),
	} {
		var f wire.Frame
		wire.NewDecoder().Decode(packet(1, data), &f)
		if got := f.UDPChecksum(); f.Tunnel == wire.NoTunnel || got != wire.SumGood {
			t.Errorf("tunnel %d: got checksum %v, want good", f.Tunnel, got)
		}
	}
}

// hex16 is n as the builders take it.
func hex16(n int) string { return fmt.Sprintf("%04x", n) }
