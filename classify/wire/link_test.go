package wire_test

import (
	"bytes"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

func TestDecodeEthernet(t *testing.T) {
	tagged := func(f wire.Frame, tags ...uint16) wire.Frame {
		f = wantEth(f)
		f.TagCount = uint8(copy(f.Tags[:], tags))
		return f
	}
	plain := udpOver4(69, "rrq")
	arp := wantEth(wire.Frame{EtherType: wire.EtherARP, ARP: wire.ARP{Op: 1, SenderMAC: clientMAC, Sender: clientAddr, Target: serverAddr}})
	arp.DstMAC = wire.Broadcast
	bpdu := hx(`42 42 03  // DSAP, SSAP, UI
		00 00 00 00 01`) // protocol, version, type, flags: topology change
	stopped := func(typ uint16, why wire.Stop, payload []byte) wire.Frame {
		return wantEth(wire.Frame{EtherType: typ, Stop: why, Payload: payload, PayloadLen: len(payload)})
	}
	padding := make([]byte, 40)

	runDecode(t, []decodeCase{
		{name: "UDP over IPv4", data: eth(0x0800, udp4(69, "rrq")), want: wantEth(plain)},
		{name: "UDP over IPv6", data: eth(0x86dd, udp6(547, "sol")), want: wantEth(udpOver6(547, "sol"))},
		{name: "one tag", data: synth.IP{Tags: []uint16{0x6064}}.UDP(client, server, 40000, 69, []byte("rrq")), want: tagged(plain, 100)},
		{name: "802.1ad over 802.1Q", data: eth(0x88a8, cat(hx("00c8 8100 0064 0800"), udp4(69, "rrq"))), want: tagged(plain, 200, 100)},
		{name: "QinQ of old switches", data: eth(0x9100, cat(hx("00c8 8100 0064 0800"), udp4(69, "rrq"))), want: tagged(plain, 200, 100)},
		{name: "priority tag", data: eth(0x8100, cat(hx("e000 0800"), udp4(69, "rrq"))), want: tagged(plain, 0)},
		{name: "tag from the kernel is the outermost", data: eth(0x8100, cat(hx("0064 0800"), udp4(69, "rrq"))),
			vlan: capture.VLAN{Present: true, TCI: 0x20c8, TPID: 0x88a8}, want: tagged(plain, 200, 100)},
		{name: "eight tags", data: eth(0x8100, cat(bytes.Repeat(hx("0001 8100"), 7), hx("0002 0800"), udp4(69, "rrq"))),
			want: tagged(plain, 1, 1, 1, 1, 1, 1, 1, 2)},
		{name: "nine tags", data: eth(0x8100, cat(bytes.Repeat(hx("0001 8100"), 9), hx("0002 0800"), udp4(69, "rrq"))),
			want: tagged(wire.Frame{EtherType: 0x8100, Stop: wire.StopTagDepth}, 1, 1, 1, 1, 1, 1, 1, 1)},
		{name: "cut inside a tag", data: eth(0x8100, hx("0064 08")), want: wantEth(wire.Frame{EtherType: 0x8100, Stop: wire.StopLinkShort})},
		{name: "cut inside the header", data: make([]byte, 13), want: wire.Frame{Stop: wire.StopLinkShort}},
		{name: "nothing captured", data: nil, want: wire.Frame{Stop: wire.StopLinkShort}},

		{name: "ARP request", data: synth.ARP(1, client, server), want: arp},
		{name: "ARP reply, tagged", data: synth.ARP(2, client, server, 7), want: tagged(wire.Frame{EtherType: wire.EtherARP,
			ARP: wire.ARP{Op: 2, SenderMAC: clientMAC, TargetMAC: serverMAC, Sender: clientAddr, Target: serverAddr}}, 7)},
		{name: "ARP cut", data: synth.ARP(1, client, server), snap: 41, want: with(arp, func(f *wire.Frame) { f.ARP, f.Stop = wire.ARP{}, wire.StopARPShort })},
		{name: "ARP cut in the fixed part", data: eth(0x0806, hx("0001 0800 06")), want: stopped(0x0806, wire.StopARPShort, nil)},
		{name: "ARP for InfiniBand", data: eth(0x0806, hx("0020 0800 14 04 0001 00000000")), want: stopped(0x0806, wire.StopEtherType, hx("0020 0800 14 04 0001 00000000"))},

		{name: "LLDP", data: eth(0x88cc, hx("0207 04 5254")), want: stopped(wire.EtherLLDP, wire.StopEtherType, hx("0207 04 5254"))},
		{name: "BPDU, padded", data: eth(8, cat(bpdu, padding)), want: stopped(0, wire.StopLLC, bpdu)},
		{name: "BPDU in a VLAN", data: eth(0x8100, cat(hx("0064 0008"), bpdu, padding)), want: tagged(stopped(0, wire.StopLLC, bpdu), 100)},
		{name: "CDP in SNAP", data: eth(10, cat(hx("aaaa03 00000c 2000 02b4"), padding)), want: stopped(0, wire.StopLLC, hx("aaaa03 00000c 2000 02b4"))},
		{name: "IPv4 in SNAP", data: eth(8+31, cat(hx("aaaa03 000000 0800"), udp4(69, "rrq"), padding)), want: wantEth(plain)},
		{name: "IPv4 in SNAP of a bridge tunnel", data: eth(8+31, cat(hx("aaaa03 0000f8 0800"), udp4(69, "rrq"))), want: wantEth(plain)},
		{name: "tag in SNAP", data: eth(12+31, cat(hx("aaaa03 000000 8100 0064 0800"), udp4(69, "rrq"))), want: tagged(plain, 100)},
		{name: "IPv4 in LLC", data: eth(3+31, cat(hx("060603"), udp4(69, "rrq"))), want: wantEth(plain)},
		{name: "Novell 802.3", data: eth(4, hx("ffff 0004")), want: stopped(0, wire.StopLLC, hx("ffff 0004"))},
		{name: "802.3 length beyond the frame", data: eth(100, bpdu), want: with(stopped(0, wire.StopLLC, bpdu), func(f *wire.Frame) { f.PayloadLen = 100 })},
		{name: "type between length and Ethernet II", data: eth(1501, bpdu), want: stopped(1501, wire.StopEtherType, bpdu)},
	})
}

func TestDecodePPP(t *testing.T) {
	ip := udp4(69, "rrq")
	plain := udpOver4(69, "rrq")
	lcp := hx("c021 01 01 0004")
	stopped := wire.Frame{Stop: wire.StopEtherType, Payload: lcp[2:], PayloadLen: 4}
	session := hx("11 00 002a 0021") // version and type, code, session, length 33

	runDecode(t, []decodeCase{
		{name: "PPPoE session", data: eth(0x8864, cat(session, hx("0021"), ip, make([]byte, 9))), want: wantEth(plain)},
		{name: "PPPoE session, IPv6", data: eth(0x8864, cat(hx("11 00 002a 0035"), hx("0057"), udp6(547, "sol"))), want: wantEth(udpOver6(547, "sol"))},
		{name: "PPPoE LCP", data: eth(0x8864, cat(hx("11 00 002a 0006"), lcp)), want: wantEth(stopped)},
		{name: "PPPoE cut", data: eth(0x8864, hx("11 00 002a")), want: wantEth(wire.Frame{EtherType: 0x8864, Stop: wire.StopLinkShort})},
		{name: "PPPoE of another version", data: eth(0x8864, hx("21 00 002a 0002 0021")), want: wantEth(wire.Frame{EtherType: 0x8864,
			Stop: wire.StopEtherType, Payload: hx("21 00 002a 0002 0021"), PayloadLen: 8})},
		{name: "PPPoE discovery", data: eth(0x8863, hx("11 09 0000 0000")), want: wantEth(wire.Frame{EtherType: 0x8863,
			Stop: wire.StopEtherType, Payload: hx("11 09 0000 0000"), PayloadLen: 6})},
		{name: "link type PPP_ETHER", link: capture.LinkPPPEther, data: cat(session, hx("0021"), ip), want: plain},
		{name: "PPP without framing", link: capture.LinkPPP, data: cat(hx("0021"), ip), want: plain},
		{name: "PPP with HDLC framing", link: capture.LinkPPP, data: cat(hx("ff03 0021"), ip), want: plain},
		{name: "PPP with compressed protocol", link: capture.LinkPPP, data: cat(hx("21"), ip), want: plain},
		{name: "PPP LCP", link: capture.LinkPPP, data: lcp, want: stopped},
		{name: "PPP with MPLS", link: capture.LinkPPP, data: cat(hx("0281 00010140"), ip), want: with(plain, func(f *wire.Frame) { f.Tunnel, f.VNI = wire.MPLS, 16 })},
		{name: "PPP cut", link: capture.LinkPPP, data: hx("ff03 00"), want: wire.Frame{Stop: wire.StopLinkShort}},
		{name: "HDLC PPP", link: capture.LinkPPPHDLC, data: cat(hx("ff03 0021"), ip), want: plain},
		{name: "Cisco HDLC", link: capture.LinkPPPHDLC, data: cat(hx("0f00 0800"), ip), want: plain},
		{name: "Cisco HDLC multicast", link: capture.LinkPPPHDLC, data: cat(hx("8f00 86dd"), udp6(547, "sol")), want: udpOver6(547, "sol")},
		{name: "Cisco keepalive", link: capture.LinkPPPHDLC, data: hx("8f00 8035 00000002"), want: wire.Frame{EtherType: 0x8035, Stop: wire.StopEtherType, Payload: hx("00000002"), PayloadLen: 4}},
		{name: "Cisco HDLC with a SAP", link: capture.LinkPPPHDLC, data: hx("0f00 00fe 00"), want: wire.Frame{Stop: wire.StopEtherType, Payload: hx("00"), PayloadLen: 1}},
		{name: "HDLC empty", link: capture.LinkPPPHDLC, data: nil, want: wire.Frame{Stop: wire.StopLinkShort}},
		{name: "HDLC cut", link: capture.LinkPPPHDLC, data: hx("0f00 08"), want: wire.Frame{Stop: wire.StopLinkShort}},
	})
}

func TestDecodeCooked(t *testing.T) {
	ip := udp4(69, "rrq")
	plain := udpOver4(69, "rrq")
	from := func(f wire.Frame) wire.Frame { f.SrcMAC = clientMAC; return f }
	out := func(f wire.Frame) wire.Frame { f.Outgoing = true; return f }
	sll := func(packetType, arphrd, proto uint16, body []byte) []byte {
		return cat([]byte{0, byte(packetType), byte(arphrd >> 8), byte(arphrd), 0, 6},
			client.MAC[:], []byte{0, 0, byte(proto >> 8), byte(proto)}, body)
	}
	arp := from(wire.Frame{EtherType: wire.EtherARP, ARP: wire.ARP{Op: 1, SenderMAC: clientMAC, Sender: clientAddr, Target: serverAddr}})
	sll2 := cat(hx(`0800 0000      // protocol, reserved
		00000007               // interface index
		0001 04 06`), // ARPHRD_ETHER, outgoing, address length
		client.MAC[:], hx("0000"))

	runDecode(t, []decodeCase{
		{name: "SLL received", link: capture.LinkSLL, data: sll(0, 1, 0x0800, ip), want: from(plain)},
		{name: "SLL sent", link: capture.LinkSLL, data: sll(4, 1, 0x0800, ip), want: out(from(plain))},
		{name: "SLL of loopback", link: capture.LinkSLL, data: sll(0, 772, 0x86dd, udp6(547, "sol")), want: from(udpOver6(547, "sol"))},
		{name: "SLL without address", link: capture.LinkSLL, data: set(sll(0, 65534, 0x0800, ip), 5, 0), want: plain},
		{name: "SLL tagged", link: capture.LinkSLL, data: sll(0, 1, 0x8100, cat(hx("0064 0800"), ip)), want: with(from(plain), func(f *wire.Frame) { f.TagCount, f.Tags[0] = 1, 100 })},
		{name: "SLL with ARP", link: capture.LinkSLL, data: sll(1, 1, 0x0806, synth.ARP(1, client, server)[14:]), want: arp},
		{name: "SLL with LLC", link: capture.LinkSLL, data: sll(2, 1, 4, hx("424203 0000")), want: from(wire.Frame{Stop: wire.StopLLC, Payload: hx("424203 0000"), PayloadLen: 5})},
		{name: "SLL with Novell 802.3", link: capture.LinkSLL, data: sll(2, 1, 1, hx("ffff 0004")), want: from(wire.Frame{Stop: wire.StopLLC, Payload: hx("ffff 0004"), PayloadLen: 4})},
		{name: "SLL of a GRE device with Ethernet", link: capture.LinkSLL, data: sll(0, 778, 0x6558, eth(0x0800, ip)), want: wantEth(plain)},
		{name: "SLL of netlink", link: capture.LinkSLL, data: sll(4, 824, 0, hx("14000000")), want: out(from(wire.Frame{Stop: wire.StopEtherType, Payload: hx("14000000"), PayloadLen: 4}))},
		{name: "SLL of wireless", link: capture.LinkSLL, data: sll(0, 803, 0, hx("0000")), want: from(wire.Frame{Stop: wire.StopLinkType, Payload: hx("0000"), PayloadLen: 2})},
		{name: "SLL with CAN", link: capture.LinkSLL, data: sll(0, 280, 12, hx("0000")), want: from(wire.Frame{EtherType: 12, Stop: wire.StopEtherType, Payload: hx("0000"), PayloadLen: 2})},
		{name: "SLL cut", link: capture.LinkSLL, data: sll(0, 1, 0x0800, ip), snap: 15, want: wire.Frame{Stop: wire.StopLinkShort}},
		{name: "SLL2 sent", link: capture.LinkSLL2, data: cat(sll2, ip), want: with(out(from(plain)), func(f *wire.Frame) { f.IfIndex = 7 })},
		{name: "SLL2 with ARP", link: capture.LinkSLL2, data: cat(set(sll2, 0, 8, 6), synth.ARP(1, client, server)[14:]), want: with(out(arp), func(f *wire.Frame) { f.IfIndex = 7 })},
		{name: "SLL2 cut", link: capture.LinkSLL2, data: sll2[:19], want: wire.Frame{Stop: wire.StopLinkShort}},
	})
}

func TestDecodeRawAndLoopback(t *testing.T) {
	ip := udp4(69, "rrq")
	v4, v6 := udpOver4(69, "rrq"), udpOver6(547, "sol")
	cases := []decodeCase{
		{name: "NULL, little-endian", null: true, data: cat(hx("02000000"), ip), want: v4},
		{name: "NULL, big-endian", null: true, data: cat(hx("00000002"), ip), want: v4},
		{name: "NULL of another family", null: true, data: hx("07000000 01"), want: wire.Frame{Stop: wire.StopEtherType, Payload: hx("01"), PayloadLen: 1}},
		{name: "NULL cut", null: true, data: hx("020000"), want: wire.Frame{Stop: wire.StopLinkShort}},
		{name: "LOOP", link: capture.LinkLoop, data: cat(hx("00000002"), ip), want: v4},
		{name: "raw, bad version", link: capture.LinkRaw, data: hx("10"), want: wire.Frame{Stop: wire.StopIPHeader}},
		{name: "raw, empty", link: capture.LinkRaw, data: nil, want: wire.Frame{Stop: wire.StopIPShort}},
		{name: "802.11", link: 127, data: cat(ip, ip), want: wire.Frame{Stop: wire.StopLinkType}},
	}
	for _, family := range []byte{10, 23, 24, 26, 28, 30} {
		cases = append(cases,
			decodeCase{name: "NULL with AF_INET6", null: true, data: cat([]byte{family, 0, 0, 0}, udp6(547, "sol")), want: v6},
			decodeCase{name: "LOOP with AF_INET6", link: capture.LinkLoop, data: cat([]byte{0, 0, 0, family}, udp6(547, "sol")), want: v6})
	}
	for _, link := range []capture.LinkType{capture.LinkRawBSD, capture.LinkRawOpenBSD, capture.LinkRaw, capture.LinkIPv4, capture.LinkIPv6} {
		cases = append(cases,
			decodeCase{name: "IPv4 in " + link.String(), link: link, data: ip, want: v4},
			decodeCase{name: "IPv6 in " + link.String(), link: link, data: udp6(547, "sol"), want: v6})
	}
	runDecode(t, cases)
}
