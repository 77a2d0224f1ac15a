package wire_test

import (
	"reflect"
	"testing"
	"unsafe"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

// checkFrame asserts what holds for every frame, whatever the packet.
func checkFrame(t testing.TB, p *capture.Packet, f *wire.Frame) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("frame %d, link type %v: "+format, append([]any{p.ID.Number(), p.Link}, args...)...)
	}
	if f.Time != p.Time || f.ID != p.ID || f.Link != p.Link || f.Iface != p.Iface || f.CapLen != len(p.Data)+beside(p) || f.WireLen < f.CapLen {
		fail("got time %d, id %d, link %v, interface %d, lengths %d and %d, not those of the packet", f.Time, f.ID, f.Link, f.Iface, f.CapLen, f.WireLen)
	}
	if f.PayloadLen < len(f.Payload) {
		fail("PayloadLen %d is less than the %d bytes of Payload", f.PayloadLen, len(f.Payload))
	}
	if f.Fragment != wire.Reassembled && !within(f.Payload, p.Data) {
		fail("Payload lies outside the packet")
	}
	if len(f.ICMP.QuoteData) > 0 && !within(f.ICMP.QuoteData, f.Payload) {
		fail("QuoteData lies outside Payload")
	}
	if f.TagCount > wire.MaxTags || f.Stop >= wire.NumStops || f.Fragment > wire.Reassembled || f.Tunnel > wire.MPLS {
		fail("%d tags, stop %d, fragment %d, tunnel %d: out of range", f.TagCount, f.Stop, f.Fragment, f.Tunnel)
	}
	if (f.IPVersion == 4) != (f.Src.Is4() && f.Dst.Is4()) && f.IPVersion != 6 {
		fail("IP version %d with addresses %v and %v", f.IPVersion, f.Src, f.Dst)
	}
	if f.IPVersion == 0 && (f.Proto != 0 || f.SrcPort != 0 || f.DstPort != 0 || f.Fragment == wire.First || f.Fragment == wire.Later) {
		fail("protocol %d, ports %d and %d, fragment %d without IP", f.Proto, f.SrcPort, f.DstPort, f.Fragment)
	}
	if f.Fragment == wire.Later && (f.Stop != wire.StopFragment || f.SrcPort != 0 || f.DstPort != 0) {
		fail("later fragment with stop %d, ports %d and %d", f.Stop, f.SrcPort, f.DstPort)
	}
	if f.ARP.Op != 0 && (f.EtherType != wire.EtherARP || f.IPVersion != 0) {
		fail("ARP with type %#x, IP version %d", f.EtherType, f.IPVersion)
	}
	if s := f.UDPChecksum(); s != wire.SumUnknown && (f.Proto != wire.ProtoUDP || f.Cut() || f.Stop != wire.StopNone) {
		fail("checksum %d of protocol %d, cut %v, stop %d", s, f.Proto, f.Cut(), f.Stop)
	}
	f.VLAN()
	f.Flow()
}

// within reports whether part lies in whole.
func within(part, whole []byte) bool {
	if len(part) == 0 {
		return true
	}
	off := uintptr(unsafe.Pointer(&part[0])) - uintptr(unsafe.Pointer(unsafe.SliceData(whole)))
	return off <= uintptr(len(whole)) && off+uintptr(len(part)) <= uintptr(len(whole))
}

var fuzzLinks = []capture.LinkType{
	capture.LinkEthernet, capture.LinkNull, capture.LinkPPP, capture.LinkRawBSD, capture.LinkRawOpenBSD, capture.LinkPPPHDLC,
	capture.LinkPPPEther, capture.LinkRaw, capture.LinkLoop, capture.LinkSLL, capture.LinkIPv4, capture.LinkIPv6, capture.LinkSLL2, 127,
	capture.LinkNFLOG, capture.LinkPKTAP, capture.LinkUser2,
}

// FuzzDecode decodes two packets, a fragment before, and the first one again
// with the same Decoder: no panic, checkFrame holds, both ways of Decode agree,
// and the last Frame is that of a Decoder which has seen nothing else where no
// fragment is in play.
func FuzzDecode(f *testing.F) {
	inner := eth(0x0800, udp4(69, "rrq"))
	parts := split4(7, pattern(1, 2000), 1500)
	seeds := [][]byte{
		inner, eth(0x86dd, udp6(547, "sol")), synth.ARP(1, client, server),
		synth.IP{Tags: []uint16{1, 2, 3}}.TCP(client, server, 1, 2, synth.Segment{Flags: wire.SYN, MSS: 1460}),
		synth.ICMPError(server, client, 3, 4, 1500, inner), parts[0], parts[1],
		eth(0x86dd, ip6(58, cat(hx("02 00 0000 00000500"), udp6(547, "sol")))),
		eth(0x86dd, ip6(0, cat(hx("2b 00 01 04 00000000 2c 02 00 01 00000000"), server6.IP.AsSlice(), hx("11 00 0001 00000001"), udp6(547, "sol")[40:]))),
		fragment6(1, 60, 0, true, make([]byte, 64)), fragment6(1, 60, 64, false, make([]byte, 9)),
		synth.UDP(vtep1, vtep2, 1, 4789, cat(hx("08 000000 00002a 00"), inner)),
		synth.UDP(vtep1, vtep2, 1, 6081, cat(hx("02 00 6558 00002a 00 0102 80 01 00000000"), inner)),
		between(47, cat(hx("b000 6558 abcd0000 00000007 00000001"), inner)),
		between(47, cat(hx("1000 88be 00000001 1064 0033 00000000"), inner)),
		between(47, cat(hx("1000 22eb 00000001 2064 0033 00000000 0000 0001 0000000000000000"), inner)),
		between(4, between(41, udp6(547, "sol"))[14:]), between(137, cat(hx("00010140 00000000"), inner)),
		synth.Eth(vtep2.MAC, vtep1.MAC, 0x8847, cat(hx("00020040 00010140"), inner)),
		eth(0x8864, cat(hx("11 00 002a 0021 0021"), l3(inner))), eth(8+31, cat(hx("aaaa03 000000 0800"), l3(inner))),
	}
	for _, b := range seeds {
		f.Add(uint8(0), 0, uint16(0), b)
		f.Add(uint8(0), 20, uint16(0x2064), b)
	}
	for i := range fuzzLinks {
		f.Add(uint8(i), 0, uint16(0), l3(inner))
	}
	f.Add(uint8(1), 0, uint16(0), cat(hx("02000000"), l3(inner)))
	f.Add(uint8(2), 0, uint16(0), cat(hx("ff03 0021"), l3(inner)))
	f.Add(uint8(5), 0, uint16(0), cat(hx("0f00 0800"), l3(inner)))
	f.Add(uint8(6), 0, uint16(0), cat(hx("11 00 002a 0021 0021"), l3(inner)))
	f.Add(uint8(9), 0, uint16(0), cat(hx("0004 0001 0006 525400aabb01 0000 0800"), l3(inner)))
	f.Add(uint8(12), 0, uint16(0), cat(hx("0800 0000 00000007 0001 04 06 525400aabb01 0000"), l3(inner)))
	f.Add(uint8(14), 0, uint16(0), nflog(2, l3(inner)))
	f.Add(uint8(15), 0, uint16(0), cat(pktap(1, 2), inner))

	f.Fuzz(func(t *testing.T, link uint8, missing int, tci uint16, data []byte) {
		p := &capture.Packet{ID: 1, Time: synth.Start, Link: fuzzLinks[int(link)%len(fuzzLinks)], WireLen: len(data) + missing%70000, Data: data}
		p.VLAN = capture.VLAN{Present: tci != 0, TCI: tci, TPID: 0x8100}
		w := newTwoWays()
		first := *w.decode(t, p)
		checkFrame(t, p, &first)

		q := &capture.Packet{ID: 2, Time: synth.Start, Link: capture.LinkEthernet, WireLen: len(parts[1]), Data: parts[1]}
		checkFrame(t, q, w.decode(t, q))
		w.decode(t, packet(capture.LinkEthernet, inner)) // so that the frame is tidy
		again := *w.decode(t, p)
		checkFrame(t, p, &again)
		if first.Datagram != 0 || again.Datagram != 0 {
			return
		}
		if !reflect.DeepEqual(first, again) {
			t.Errorf("decoded again it differs:\n%+v\n%+v", first, again)
		}
	})
}
