package wire_test

import (
	"testing"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

func TestDecodeICMP(t *testing.T) {
	router := synth.NewHost("52:54:00:aa:bb:fe", "192.0.2.254")
	rrq := synth.UDP(client, server, 40000, 69, []byte("rrq"))
	quoted := wire.Flow{Src: clientAddr, Dst: serverAddr, SrcPort: 40000, DstPort: 69, Proto: wire.ProtoUDP}
	// icmp is an ICMP message from router to client; hdr is its first 8 bytes.
	message := func(hdr string, quote []byte) []byte {
		return synth.IP{}.Datagram(router, client, wire.ProtoICMP, cat(hx(hdr), quote))
	}
	want := func(c wire.ICMP, payload []byte) wire.Frame {
		f := want4(wire.Frame{Proto: wire.ProtoICMP, ICMP: c, Payload: payload, PayloadLen: len(payload)})
		f.Src, f.Dst = wire.MustAddr("192.0.2.254"), clientAddr
		f.SrcMAC, f.DstMAC, f.HasDstMAC = router.MAC, client.MAC, true
		return f
	}
	quoteLen := uint16(len(rrq) - 14)
	head := l3(rrq)[:28] // IP header and 8 bytes
	tcp := l3(synth.TCP(client, server, 40000, 80, synth.Segment{Flags: wire.SYN}))
	options := cat(hx("46 00 0023 0000 0000 40 11 0000 c000020a c0000201 94040000"), l3(rrq)[20:])
	echo := l3(synth.Echo(client, server, false, 7, 1))
	later := set(head, 6, 0x00, 0x10)
	tooBig := message("03 04 0000 0000 05dc", tcp)

	runDecode(t, []decodeCase{
		{name: "echo request", data: synth.Echo(router, client, false, 0x1234, 2), want: want(wire.ICMP{Type: 8, Rest: 0x12340002}, nil)},
		{name: "echo reply with data", data: message("00 00 0000 0007 0001", []byte("ping")), want: want(wire.ICMP{Rest: 0x70001}, []byte("ping"))},
		{name: "port unreachable, all quoted", data: message("03 03 0000 00000000", l3(rrq)),
			want: want(wire.ICMP{Type: 3, Code: 3, HasQuote: true, Quote: quoted, QuoteLen: quoteLen, QuoteData: []byte("rrq")}, l3(rrq))},
		{name: "host unreachable, 8 bytes quoted", data: synth.ICMPError(router, client, 3, 1, 0, rrq),
			want: want(wire.ICMP{Type: 3, Code: 1, HasQuote: true, Quote: quoted, QuoteLen: quoteLen}, head)},
		{name: "tagged", data: synth.Eth(client.MAC, router.MAC, 0x8100, cat(hx("0064 0800"), l3(synth.ICMPError(router, client, 3, 1, 0, rrq)))),
			want: with(want(wire.ICMP{Type: 3, Code: 1, HasQuote: true, Quote: quoted, QuoteLen: quoteLen}, head), func(f *wire.Frame) { f.TagCount, f.Tags[0] = 1, 100 })},
		{name: "only the ports quoted", data: message("0b 00 0000 00000000", head[:24]),
			want: want(wire.ICMP{Type: 11, HasQuote: true, Quote: quoted, QuoteLen: quoteLen}, head[:24])},
		{name: "less than the ports quoted", data: message("0b 00 0000 00000000", head[:23]),
			want: want(wire.ICMP{Type: 11, HasQuote: true, Quote: wire.Flow{Src: clientAddr, Dst: serverAddr, Proto: 17}, QuoteLen: quoteLen}, head[:23])},
		{name: "fragmentation needed", data: tooBig, want: want(wire.ICMP{Type: 3, Code: 4, MTU: 1500, Rest: 1500, HasQuote: true,
			Quote: wire.Flow{Src: clientAddr, Dst: serverAddr, SrcPort: 40000, DstPort: 80, Proto: wire.ProtoTCP}, QuoteLen: 40, QuoteData: tcp[28:]}, tcp)},
		{name: "options in the quote", data: message("03 0d 0000 00000000", options),
			want: want(wire.ICMP{Type: 3, Code: 13, HasQuote: true, Quote: quoted, QuoteLen: 35, QuoteData: []byte("rrq")}, options)},
		{name: "quote cut inside its options", data: message("03 0d 0000 00000000", options[:22]),
			want: want(wire.ICMP{Type: 3, Code: 13, HasQuote: true, Quote: wire.Flow{Src: clientAddr, Dst: serverAddr, Proto: 17}, QuoteLen: 35}, options[:22])},
		{name: "echo quoted", data: message("03 01 0000 00000000", echo),
			want: want(wire.ICMP{Type: 3, Code: 1, HasQuote: true, Quote: wire.Flow{Src: clientAddr, Dst: serverAddr, Proto: wire.ProtoICMP}, QuoteLen: 28}, echo)},
		{name: "later fragment quoted", data: message("0b 01 0000 00000000", later),
			want: want(wire.ICMP{Type: 11, Code: 1, HasQuote: true, Quote: wire.Flow{Src: clientAddr, Dst: serverAddr, Proto: 17}, QuoteLen: quoteLen}, later)},
		{name: "quote is no IPv4", data: message("03 01 0000 00000000", set(head, 0, 0x65)), want: want(wire.ICMP{Type: 3, Code: 1}, set(head, 0, 0x65))},
		{name: "quote with a header of 16 bytes", data: message("03 01 0000 00000000", set(head, 0, 0x44)), want: want(wire.ICMP{Type: 3, Code: 1}, set(head, 0, 0x44))},
		{name: "quote shorter than a header", data: message("03 01 0000 00000000", head[:19]), want: want(wire.ICMP{Type: 3, Code: 1}, head[:19])},
		{name: "redirect", data: message("05 01 0000 c00002fd", head),
			want: want(wire.ICMP{Type: 5, Code: 1, Rest: 0xc00002fd, HasQuote: true, Quote: quoted, QuoteLen: quoteLen}, head)},
		{name: "cut by the snap length", data: tooBig, snap: 14 + 20 + 8 + 24, want: with(want(wire.ICMP{Type: 3, Code: 4, MTU: 1500, Rest: 1500, HasQuote: true,
			Quote: wire.Flow{Src: clientAddr, Dst: serverAddr, SrcPort: 40000, DstPort: 80, Proto: wire.ProtoTCP}, QuoteLen: 40}, tcp[:24]), func(f *wire.Frame) { f.PayloadLen = 40 })},
		{name: "short", data: message("03 01 0000 0000", nil), want: with(want(wire.ICMP{Type: 3, Code: 1}, hx("03 01 0000 0000")), func(f *wire.Frame) { f.Stop = wire.StopICMPShort })},
	})
}

func TestDecodeICMPv6(t *testing.T) {
	quote := udp6(547, "sol")
	hop := ip6(0, cat(hx("11 00 01 04 00000000"), udp6(547, "sol")[40:]))
	ah := ip6(51, cat(hx("11 01 0000 00000100 00000001"), udp6(547, "sol")[40:]))
	firstFragment := ip6(44, cat(hx("11 00 0001 00000001"), udp6(547, "sol")[40:]))
	laterFragment := ip6(44, cat(hx("11 00 0009 00000001"), udp6(547, "sol")[40:]))
	quoted := wire.Flow{Src: client6Addr, Dst: server6Addr, SrcPort: 40000, DstPort: 547, Proto: wire.ProtoUDP}
	bare := wire.Flow{Src: client6Addr, Dst: server6Addr, Proto: wire.ProtoUDP}
	message := func(hdr string, b []byte) []byte { return eth(0x86dd, ip6(58, cat(hx(hdr), b))) }
	want := func(c wire.ICMP, payload []byte) wire.Frame {
		return wantEth(want6(wire.Frame{Proto: 58, ICMP: c, Payload: payload, PayloadLen: len(payload)}))
	}

	runDecode(t, []decodeCase{
		{name: "port unreachable", data: message("01 04 0000 00000000", quote),
			want: want(wire.ICMP{Type: 1, Code: 4, HasQuote: true, Quote: quoted, QuoteLen: 51, QuoteData: []byte("sol")}, quote)},
		{name: "packet too big", data: message("02 00 0000 00000500", quote[:44]),
			want: want(wire.ICMP{Type: 2, MTU: 1280, Rest: 1280, HasQuote: true, Quote: quoted, QuoteLen: 51}, quote[:44])},
		{name: "MTU of a jumbogram", data: message("02 00 0000 00100000", quote[:39]), want: want(wire.ICMP{Type: 2, MTU: 65535, Rest: 0x100000}, quote[:39])},
		{name: "extension header in the quote", data: message("03 00 0000 00000000", hop),
			want: want(wire.ICMP{Type: 3, HasQuote: true, Quote: quoted, QuoteLen: 59, QuoteData: []byte("sol")}, hop)},
		{name: "authentication header in the quote", data: message("03 00 0000 00000000", ah),
			want: want(wire.ICMP{Type: 3, HasQuote: true, Quote: quoted, QuoteLen: 63, QuoteData: []byte("sol")}, ah)},
		{name: "first fragment quoted", data: message("03 01 0000 00000000", firstFragment),
			want: want(wire.ICMP{Type: 3, Code: 1, HasQuote: true, Quote: quoted, QuoteLen: 59, QuoteData: []byte("sol")}, firstFragment)},
		{name: "later fragment quoted", data: message("03 01 0000 00000000", laterFragment),
			want: want(wire.ICMP{Type: 3, Code: 1, HasQuote: true, Quote: bare, QuoteLen: 59}, laterFragment)},
		{name: "quote cut inside an extension header", data: message("03 00 0000 00000000", hop[:44]),
			want: want(wire.ICMP{Type: 3, HasQuote: true, Quote: wire.Flow{Src: client6Addr, Dst: server6Addr}, QuoteLen: 59}, hop[:44])},
		{name: "neighbor solicitation", data: message("87 00 0000 00000000", server6.IP.AsSlice()), want: want(wire.ICMP{Type: 135}, server6.IP.AsSlice())},
		{name: "short", data: message("80 00 0000", nil), want: with(want(wire.ICMP{Type: 128}, hx("80 00 0000")), func(f *wire.Frame) { f.Stop = wire.StopICMPShort })},
	})
}
