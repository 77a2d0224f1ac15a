package wire_test

import (
	"bytes"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

func TestDecodeIPv4(t *testing.T) {
	plain := wantEth(udpOver4(69, "rrq"))
	frame := eth(0x0800, udp4(69, "rrq"))
	stopped := func(why wire.Stop) wire.Frame { return wantEth(wire.Frame{EtherType: 0x0800, Stop: why}) }
	options := cat(hx(`46 00 0023 0000 0000 40 11 0000 // header of 24 bytes, total length 35
		c000020a c0000201
		94040000`), // router alert
		udp4(69, "rrq")[20:])
	jumbo := synth.UDP(client, server, 40000, 69, bytes.Repeat([]byte("x"), 8972))

	runDecode(t, []decodeCase{
		{name: "header fields", data: synth.IP{TTL: 3, TOS: 0xb8, ID: 0x1234, DF: true}.UDP(client, server, 40000, 69, []byte("rrq")),
			want: with(plain, func(f *wire.Frame) { f.TTL, f.TOS, f.IPID, f.DF = 3, 0xb8, 0x1234, true })},
		{name: "options", data: eth(0x0800, options), want: plain},
		{name: "cut inside the options", data: eth(0x0800, options), snap: 14 + 22, want: with(stopped(wire.StopIPShort), func(f *wire.Frame) {
			*f = wantEth(want4(wire.Frame{Proto: wire.ProtoUDP, Stop: wire.StopIPShort}))
		})},
		{name: "padding", data: cat(frame, make([]byte, 20)), want: plain},
		{name: "total length 0, segmentation offload", data: set(synth.TCP(client, server, 40000, 80, synth.Segment{Flags: wire.ACK, Payload: bytes.Repeat([]byte("x"), 4000)}), 16, 0, 0),
			snap: 1514, want: wantEth(with(want4(wire.Frame{Proto: wire.ProtoTCP, SrcPort: 40000, DstPort: 80}), func(f *wire.Frame) {
				f.TCP = wire.TCP{Flags: wire.ACK, Window: 64240}
				f.Payload, f.PayloadLen = bytes.Repeat([]byte("x"), 1460), 4000
			}))},
		{name: "total length beyond the capture", data: frame, snap: len(frame) - 2, want: with(plain, func(f *wire.Frame) { f.Payload = []byte("r") })},
		{name: "total length beyond the frame", data: set(frame[:len(frame)-2], 38, 0, 0), want: with(plain, func(f *wire.Frame) { f.Payload = []byte("r") })},
		{name: "longer than the MTU", data: jumbo, want: wantEth(udpOver4(69, string(bytes.Repeat([]byte("x"), 8972))))},
		{name: "cut to 96", data: jumbo, snap: 96, want: with(wantEth(udpOver4(69, string(bytes.Repeat([]byte("x"), 96-42)))), func(f *wire.Frame) { f.PayloadLen = 8972 })},
		{name: "version 5", data: set(frame, 14, 0x55), want: stopped(wire.StopIPHeader)},
		{name: "header length 16", data: set(frame, 14, 0x44), want: stopped(wire.StopIPHeader)},
		{name: "total length less than the header", data: set(frame, 16, 0, 19), want: stopped(wire.StopIPHeader)},
		{name: "cut inside the header", data: frame, snap: 33, want: stopped(wire.StopIPShort)},
		{name: "another protocol", data: eth(0x0800, ip4(89, []byte("ospf"))), want: wantEth(with(want4(wire.Frame{Proto: 89}), func(f *wire.Frame) {
			f.Stop, f.Payload, f.PayloadLen = wire.StopIPProto, []byte("ospf"), 4
		}))},
		{name: "ICMPv6 in IPv4", data: eth(0x0800, ip4(58, hx("80000000"))), want: wantEth(with(want4(wire.Frame{Proto: 58}), func(f *wire.Frame) {
			f.Stop, f.Payload, f.PayloadLen = wire.StopIPProto, hx("80000000"), 4
		}))},
		{name: "authentication header", data: eth(0x0800, ip4(51, cat(hx("11 04 0000 00000100 00000001 000000000000000000000000"), udp4(69, "rrq")[20:]))), want: plain},
		{name: "authentication header cut", data: eth(0x0800, ip4(51, hx("11 04 0000 00000100"))), want: wantEth(with(want4(wire.Frame{Proto: 51}), func(f *wire.Frame) {
			f.Stop, f.Payload, f.PayloadLen = wire.StopExtension, hx("11 04 0000 00000100"), 8
		}))},
	})
}

func TestDecodeIPv6(t *testing.T) {
	sol := udp6(547, "sol")[40:]
	plain := wantEth(udpOver6(547, "sol"))
	pad := hx("01 04 00000000")
	stopped := func(proto uint8, why wire.Stop, payload []byte) wire.Frame {
		f := wantEth(want6(wire.Frame{Proto: proto, Stop: why}))
		f.Payload, f.PayloadLen = payload, len(payload)
		return f
	}
	frame := func(next uint8, parts ...[]byte) []byte { return eth(0x86dd, ip6(next, cat(parts...))) }
	long := bytes.Repeat(cat([]byte{60, 0}, pad), 17)
	whole := frame(17, sol)

	runDecode(t, []decodeCase{
		{name: "traffic class and hop limit", data: set(whole, 14, 0x6b, 0x80, 0, 1, 0, byte(len(sol)), 17, 1), want: with(plain, func(f *wire.Frame) { f.TOS, f.TTL = 0xb8, 1 })},
		{name: "hop-by-hop, destination", data: frame(0, []byte{60, 0}, pad, []byte{17, 0}, pad, sol), want: plain},
		{name: "routing", data: frame(43, hx("11 02 00 01 00000000"), server6.IP.AsSlice(), sol), want: plain},
		{name: "mobility", data: frame(135, hx("11 00 0000 00000000"), sol), want: plain},
		{name: "authentication header", data: frame(51, hx("11 04 0000 00000100 00000001 000000000000000000000000"), sol), want: plain},
		{name: "atomic fragment", data: frame(44, hx("11 00 0000 01020304"), sol), want: with(plain, func(f *wire.Frame) { f.IPID = 0x01020304 })},
		{name: "no next header", data: frame(59, []byte("x")), want: stopped(59, wire.StopIPProto, []byte("x"))},
		{name: "too many headers", data: frame(60, long, sol), want: stopped(60, wire.StopExtension, cat(long[128:], sol))},
		{name: "header beyond the packet", data: frame(0, []byte{17, 9}, pad, sol), want: stopped(0, wire.StopExtension, cat([]byte{17, 9}, pad, sol))},
		{name: "header cut", data: frame(0, []byte{17}), want: stopped(0, wire.StopExtension, []byte{17})},
		{name: "payload length 0", data: set(whole, 18, 0, 0), want: plain},
		{name: "padding", data: cat(whole, make([]byte, 9)), want: plain},
		{name: "payload length beyond the capture", data: whole, snap: len(whole) - 1, want: with(plain, func(f *wire.Frame) { f.Payload = []byte("so") })},
		{name: "version 4", data: set(whole, 14, 0x40), want: wantEth(wire.Frame{EtherType: 0x86dd, Stop: wire.StopIPHeader})},
		{name: "cut inside the header", data: whole, snap: 14 + 39, want: wantEth(wire.Frame{EtherType: 0x86dd, Stop: wire.StopIPShort})},
		{name: "ICMP in IPv6", data: frame(1, hx("08000000")), want: stopped(1, wire.StopIPProto, hx("08000000"))},
	})
}

func TestDecodeUDPLengths(t *testing.T) {
	udp := func(length uint16, payload string) []byte {
		return eth(0x0800, ip4(17, cat(udpHeader(40000, 69, length), []byte(payload))))
	}
	short := func(proto uint8, payload []byte) wire.Frame {
		f := wantEth(want4(wire.Frame{Proto: proto, Stop: wire.StopUDPShort}))
		f.SrcPort, f.DstPort, f.Payload, f.PayloadLen = 40000, 69, payload, len(payload)
		return f
	}
	runDecode(t, []decodeCase{
		{name: "0", data: udp(0, "rrq"), want: wantEth(udpOver4(69, "rrq"))},
		{name: "more than IP carries", data: udp(100, "rrq"), want: wantEth(udpOver4(69, "rrq"))},
		{name: "less than IP carries", data: udp(9, "rrq"), want: wantEth(udpOver4(69, "r"))},
		{name: "no payload", data: udp(8, ""), want: wantEth(udpOver4(69, ""))},
		{name: "less than the header", data: udp(7, "rrq"), want: short(17, cat(udpHeader(40000, 69, 7), []byte("rrq")))},
		{name: "header cut after the ports", data: udp(11, "rrq"), snap: 14 + 20 + 4, want: with(short(17, hx("9c40 0045")), func(f *wire.Frame) { f.PayloadLen = 11 })},
		{name: "header cut inside the ports", data: udp(11, "rrq"), snap: 14 + 20 + 3, want: with(short(17, hx("9c40 00")), func(f *wire.Frame) { f.SrcPort, f.DstPort, f.PayloadLen = 0, 0, 11 })},
	})
}

func TestDecodeTCP(t *testing.T) {
	segment := func(off, flags byte, rest ...byte) []byte {
		return eth(0x0800, ip4(6, cat(hx("9c40 0050 01020304 05060708"), []byte{off << 4, flags}, hx("faf0 0000 0000"), rest)))
	}
	plain := func(flags byte, mss uint16, payload string) wire.Frame {
		f := wantEth(want4(wire.Frame{Proto: wire.ProtoTCP, SrcPort: 40000, DstPort: 80, Payload: []byte(payload), PayloadLen: len(payload)}))
		f.TCP = wire.TCP{Seq: 0x01020304, Ack: 0x05060708, Flags: flags, Window: 0xfaf0, MSS: mss}
		return f
	}
	short := func(flags byte, payload []byte) wire.Frame {
		f := plain(flags, 0, string(payload))
		f.Stop = wire.StopTCPShort
		return f
	}
	const synack = wire.SYN | wire.ACK
	data := segment(5, wire.ACK, 'G', 'E', 'T')

	runDecode(t, []decodeCase{
		{name: "data", data: data, want: plain(wire.ACK, 0, "GET")},
		{name: "all flags", data: segment(5, 0xff), want: plain(0xff, 0, "")},
		{name: "SYN with MSS", data: segment(6, wire.SYN, 2, 4, 0x05, 0xb4), want: plain(wire.SYN, 1460, "")},
		{name: "MSS behind other options", data: segment(8, synack, 1, 3, 3, 7, 4, 2, 2, 4, 0x05, 0x00, 0, 0), want: plain(synack, 1280, "")},
		{name: "MSS behind the end of options", data: segment(7, wire.SYN, 0, 0, 2, 4, 5, 0xb4, 0, 0), want: plain(wire.SYN, 0, "")},
		{name: "MSS without SYN", data: segment(6, wire.ACK, 2, 4, 0x05, 0xb4), want: plain(wire.ACK, 0, "")},
		{name: "option of length 0", data: segment(7, wire.SYN, 8, 0, 2, 4, 5, 0xb4, 0, 0), want: plain(wire.SYN, 0, "")},
		{name: "option beyond the header", data: segment(6, wire.SYN, 1, 1, 2, 4), want: plain(wire.SYN, 0, "")},
		{name: "data offset 4", data: segment(4, wire.ACK), want: short(wire.ACK, segment(4, wire.ACK)[34:])},
		{name: "data offset beyond the segment", data: segment(6, wire.ACK, 1, 1), want: short(wire.ACK, segment(6, wire.ACK, 1, 1)[34:])},
		{name: "options cut by the snap length", data: segment(6, wire.SYN, 2, 4, 5, 0xb4, 'x'), snap: 14 + 20 + 20, want: with(plain(wire.SYN, 0, ""), func(f *wire.Frame) { f.PayloadLen = 1 })},
		{name: "header cut", data: data, snap: 14 + 20 + 19, want: with(short(0, data[34:53]), func(f *wire.Frame) { f.TCP, f.PayloadLen = wire.TCP{}, 23 })},
	})
}

func TestUDPChecksum(t *testing.T) {
	routed := ip6(43, cat(hx("11 02 00 01 00000000"), server6.IP.AsSlice(), udp6(547, "sol")[40:]))
	v4, v6 := eth(0x0800, udp4(69, "rrq")), eth(0x86dd, udp6(547, "solicit, and more"))
	for _, c := range []struct {
		name string
		data []byte
		snap int
		want wire.Sum
	}{
		{name: "IPv4", data: v4, want: wire.SumGood},
		{name: "IPv4 with padding", data: cat(v4, make([]byte, 11)), want: wire.SumGood},
		{name: "IPv6", data: v6, want: wire.SumGood},
		{name: "bit flipped in the payload", data: set(v4, len(v4)-1, 'x'), want: wire.SumBad},
		{name: "bit flipped in an address", data: set(v6, 14+8, 0x21), want: wire.SumBad},
		{name: "none", data: set(v4, 40, 0, 0), want: wire.SumAbsent},
		{name: "cut", data: v4, snap: len(v4) - 1, want: wire.SumUnknown},
		{name: "UDP length more than IP carries", data: set(v4, 38, 0, 12), want: wire.SumUnknown},
		{name: "UDP length 0", data: set(v4, 38, 0, 0), want: wire.SumUnknown},
		{name: "routing header with segments left", data: eth(0x86dd, routed), want: wire.SumUnknown},
		{name: "TCP", data: synth.TCP(client, server, 1, 2, synth.Segment{}), want: wire.SumUnknown},
		{name: "ARP", data: synth.ARP(1, client, server), want: wire.SumUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := packet(capture.LinkEthernet, c.data)
			if c.snap > 0 {
				p.Data = p.Data[:c.snap]
			}
			var f wire.Frame
			wire.NewDecoder().Decode(p, &f)
			if got := f.UDPChecksum(); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// Payload lengths around the eight bytes that are summed at a time.
func TestUDPChecksumLengths(t *testing.T) {
	d := wire.NewDecoder()
	var f wire.Frame
	for n := range 40 {
		payload := bytes.Repeat([]byte{0xff, 0x7f, 0x01}, 20)[:n]
		for _, data := range [][]byte{synth.UDP(client, server, 1, 2, payload), synth.UDP(client6, server6, 1, 2, payload)} {
			d.Decode(packet(capture.LinkEthernet, data), &f)
			if got := f.UDPChecksum(); got != wire.SumGood {
				t.Errorf("IPv%d, %d bytes: got %v, want good", f.IPVersion, n, got)
			}
		}
	}
}
