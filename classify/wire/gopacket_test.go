package wire_test

import (
	"bytes"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/wire"
)

// facts are what Decode and gopacket, an independent decoder, must agree on.
type facts struct {
	Tags             string
	Src, Dst         netip.Addr
	Proto            string
	SrcPort, DstPort uint16
	Seq              uint32
	Flags, Window    uint16
	Payload          string
}

func factsOf(f *wire.Frame) facts {
	x := facts{Src: f.Src.Netip(), Dst: f.Dst.Netip(), SrcPort: f.SrcPort, DstPort: f.DstPort}
	for _, v := range f.Tags[:f.TagCount] {
		x.Tags += string(rune(v)) + " "
	}
	switch {
	case f.ARP.Op != 0:
		x.Proto = "arp"
		x.Src, x.Dst = f.ARP.Sender.Netip(), f.ARP.Target.Netip()
		x.Flags = f.ARP.Op
	case f.Proto == wire.ProtoUDP:
		x.Proto, x.Payload = "udp", string(f.Payload)
	case f.Proto == wire.ProtoTCP:
		x.Proto, x.Payload = "tcp", string(f.Payload)
		x.Seq, x.Flags, x.Window = f.TCP.Seq, uint16(f.TCP.Flags), f.TCP.Window
	case f.Proto == wire.ProtoICMP:
		x.Proto, x.Payload = "icmp", string(f.Payload)
		x.Flags = uint16(f.ICMP.Type)<<8 | uint16(f.ICMP.Code)
	case f.Proto == wire.ProtoICMPv6:
		x.Proto = "icmp6"
		x.Flags = uint16(f.ICMP.Type)<<8 | uint16(f.ICMP.Code)
	}
	return x
}

// factsOfLayers reads the layers of gopacket up to the first transport layer;
// ok is false where it met something that it or Decode reads differently by
// design: fragments, errors, ARP for other links or of operation 0.
func factsOfLayers(p gopacket.Packet) (x facts, ok bool) {
	if p.ErrorLayer() != nil {
		return x, false
	}
	addr := func(b []byte) netip.Addr { a, _ := netip.AddrFromSlice(b); return a }
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.Dot1Q:
			x.Tags += string(rune(l.VLANIdentifier)) + " "
		case *layers.IPv4:
			x.Src, x.Dst = addr(l.SrcIP), addr(l.DstIP)
		case *layers.IPv6:
			x.Src, x.Dst = addr(l.SrcIP), addr(l.DstIP)
			if l.Length == 0 {
				return x, false
			}
		case *layers.IPv6Fragment, *gopacket.Fragment:
			return x, false
		case *layers.ARP:
			x.Proto, x.Src, x.Dst, x.Flags = "arp", addr(l.SourceProtAddress), addr(l.DstProtAddress), l.Operation
			return x, l.Operation != 0 && l.AddrType == layers.LinkTypeEthernet && l.Protocol == layers.EthernetTypeIPv4 && l.HwAddressSize == 6 && l.ProtAddressSize == 4
		case *layers.UDP:
			x.Proto, x.SrcPort, x.DstPort, x.Payload = "udp", uint16(l.SrcPort), uint16(l.DstPort), string(l.Payload)
			return x, true
		case *layers.TCP:
			x.Proto, x.SrcPort, x.DstPort, x.Payload = "tcp", uint16(l.SrcPort), uint16(l.DstPort), string(l.Payload)
			x.Seq, x.Flags, x.Window = l.Seq, uint16(l.Contents[13]), l.Window
			return x, true
		case *layers.ICMPv4:
			x.Proto, x.Flags, x.Payload = "icmp", uint16(l.TypeCode), string(l.Payload)
			return x, true
		case *layers.ICMPv6:
			x.Proto, x.Flags = "icmp6", uint16(l.TypeCode)
			return x, true
		}
	}
	return x, false
}

// compareWithGopacket reports whether the two could be compared.
func compareWithGopacket(t *testing.T, where string, first gopacket.Decoder, p *capture.Packet, f *wire.Frame) bool {
	t.Helper()
	if f.Tunnel != wire.NoTunnel || f.Fragment != wire.Whole || f.Stop != wire.StopNone {
		return false
	}
	want, ok := factsOfLayers(gopacket.NewPacket(bytes.Clone(p.Data), first, gopacket.Default))
	if !ok {
		return false
	}
	got := factsOf(f)
	if !want.Src.IsValid() || want.Src.IsUnspecified() && want.Src.Is6() {
		got.Src = want.Src // :: and no address are one in a Frame
	}
	if !want.Dst.IsValid() || want.Dst.IsUnspecified() && want.Dst.Is6() {
		got.Dst = want.Dst
	}
	if got != want {
		t.Errorf("%s: frame %d:\ngot  %+v\nwant %+v", where, p.ID.Number(), got, want)
	}
	return true
}

// gopacketReads are the link types of the corpus that gopacket reads well.
var gopacketReads = map[capture.LinkType]gopacket.Decoder{
	capture.LinkEthernet: layers.LinkTypeEthernet,
	capture.LinkSLL:      layers.LinkTypeLinuxSLL,
	capture.LinkRaw:      layers.LinkTypeRaw,
	capture.LinkNull:     layers.LinkTypeNull,
	capture.LinkIPv4:     layers.LinkTypeIPv4,
	capture.LinkIPv6:     layers.LinkTypeIPv6,
}

func TestGopacketCorpus(t *testing.T) {
	dir := corpusDir(t)
	compared := 0
	for _, name := range corpusFiles(t, dir) {
		decodeFile(t, filepath.Join(dir, name), func(p *capture.Packet, f *wire.Frame) {
			if first := gopacketReads[p.Link]; first != nil && compareWithGopacket(t, name, first, p, f) {
				compared++
			}
		})
	}
	t.Logf("%d frames agree or are reported above", compared)
	if compared < 60000 {
		t.Errorf("got %d frames to compare, want most of the corpus", compared)
	}
}

func TestGopacketSynthesized(t *testing.T) {
	var frames [][]byte
	for _, n := range []int{0, 1, 7, 100, 1400} {
		payload := pattern(n, n)
		for _, tags := range [][]uint16{nil, {1}, {100, 200}, {0, 4094, 3}} {
			o := synth.IP{Tags: tags, TTL: 1, ID: uint16(n)}
			frames = append(frames,
				o.UDP(client, server, 30000, 30001, payload), o.UDP(client6, server6, 30000, 30001, payload),
				o.TCP(client, server, 30000, 30001, synth.Segment{Flags: wire.SYN | wire.ACK, Seq: 1, MSS: 1400, Payload: payload}),
				o.TCP(client6, server6, 30000, 30001, synth.Segment{Flags: wire.PSH, Window: 1, Payload: payload}),
				o.Datagram(client, server, 1, cat(hx("08 00 0000 0007 0001"), payload)),
				o.Datagram(client6, server6, 58, cat(hx("80 00 0000 0007 0001"), payload)))
		}
	}
	frames = append(frames, synth.ARP(1, client, server), synth.ARP(2, client, server, 5),
		synth.ICMPError(server, client, 3, 4, 1400, frames[0]), eth(0x86dd, ip6(0, cat(hx("11 00 01 04 00000000"), udp6(30001, "x")[40:]))))
	for i, b := range slices.Clone(frames) {
		if i%3 == 0 {
			frames = append(frames, cat(b, make([]byte, 18))) // padding
		}
	}
	d := wire.NewDecoder()
	var f wire.Frame
	for i, b := range frames {
		p := packet(capture.LinkEthernet, b)
		p.ID = capture.NewFrameID(0, uint64(i+1))
		d.Decode(p, &f)
		if !compareWithGopacket(t, "synthesized", layers.LinkTypeEthernet, p, &f) {
			t.Errorf("frame %d, stop %q, could not be compared", i+1, f.Stop)
		}
	}
}
