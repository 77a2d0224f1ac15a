//go:build linux

package counter

import (
	"slices"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
)

// A crafted sequence of frames with what each is counted as.
type crafted struct {
	name   string
	frames [][]byte
	want   []string // as Layout.describe, one per frame
}

func craftedFrames() []crafted {
	node, rack := synth.NewHost("52:54:00:00:00:01", "10.0.0.1"), synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	node6, rack6 := node.At("fd00::1"), rack.At("fd00::2")
	udp := func(sport, dport uint16) []byte { return synth.UDP(node, rack, sport, dport, make([]byte, 40)) }
	tcp := func(sport, dport uint16) []byte { return synth.TCP(node, rack, sport, dport, synth.Segment{}) }
	eth := func(typ uint16, b []byte) []byte { return synth.Eth(rack.MAC, node.MAC, typ, b) }
	set := func(f []byte, at int, b ...byte) []byte { f = slices.Clone(f); copy(f[at:], b); return f }
	cut := func(f []byte, n int) []byte { return slices.Clip(f[:n]) }
	tags := func(n int) []byte { return synth.IP{Tags: make([]uint16, n)}.UDP(node, rack, 40000, 69, nil) }
	options := func(words int, f []byte) []byte {
		f = slices.Insert(slices.Clone(f), 34, make([]byte, 4*words)...)
		f[14], f[17] = 0x45+byte(words), f[17]+byte(4*words)
		return f
	}
	snap := func(oui2 byte, typ uint16, b []byte) []byte {
		p := append([]byte{0xaa, 0xaa, 3, 0, 0, oui2, byte(typ >> 8), byte(typ)}, b...)
		return eth(uint16(len(p)), p)
	}
	fragments := fragments4(9, node, rack, 69)
	headless := fragments4(10, node, rack, 69)[1:]
	split := []byte{0x00, 0x45, 0x9c, 0x40, 0, 8, 0, 0}
	return []crafted{
		{"both ways", [][]byte{udp(40000, 53), udp(53, 40000), tcp(40000, 80), tcp(80, 40000), udp(40000, 40001)},
			[]string{"dns to udp/53", "dns from udp/53", "http to tcp/80", "http from tcp/80", "other"}},
		{"rank", [][]byte{udp(68, 67), udp(67, 68), tcp(782, 2049), tcp(2049, 782)},
			[]string{"dhcp to udp/67", "dhcp from udp/67", "nfs to tcp/2049", "nfs from tcp/2049"}},
		{"split", [][]byte{tcp(1023, 514), tcp(1024, 514), tcp(514, 1023), tcp(514, 1024)},
			[]string{"rsh to tcp/514", "syslog to tcp/514", "rsh from tcp/514", "syslog from tcp/514"}},
		{"tags", [][]byte{tags(1), tags(2), tags(8), tags(9)},
			[]string{"tftp to udp/69", "tftp to udp/69", "tftp to udp/69", "undecodable"}},
		{"service tag", [][]byte{set(tags(2), 12, 0x88, 0xa8), set(tags(2), 12, 0x91, 0x00)}, []string{"tftp to udp/69", "tftp to udp/69"}},
		{"cut tag", [][]byte{cut(tags(1), 16)}, []string{"undecodable"}},
		{"IPv4 options", [][]byte{options(1, udp(40000, 69)), options(10, udp(40000, 69)), cut(options(10, udp(40000, 69)), 60)},
			[]string{"tftp to udp/69", "tftp to udp/69", "undecodable"}},
		{"IPv4 header", [][]byte{
			set(udp(40000, 69), 14, 0x44), set(udp(40000, 69), 14, 0x55), set(udp(40000, 69), 16, 0, 19), set(udp(40000, 69), 16, 0, 23),
			set(udp(40000, 69), 16, 0, 24), set(udp(40000, 69), 16, 0, 0),
		}, []string{"undecodable", "undecodable", "undecodable", "undecodable", "tftp to udp/69", "tftp to udp/69"}},
		{"IPv4 fragments", fragments, []string{"tftp to udp/69", "tftp to udp/69", "tftp to udp/69"}},
		{"IPv6 fragments", fragments6(9, node6, rack6, 69), []string{"tftp to udp/69", "tftp to udp/69", "tftp to udp/69"}},
		{"fragments without the first", headless, []string{"fragments", "fragments"}},
		{"fragments out of order", [][]byte{fragments4(11, node, rack, 69)[2], fragments4(11, node, rack, 69)[0], fragments4(11, node, rack, 69)[1]},
			[]string{"fragments", "tftp to udp/69", "tftp to udp/69"}},
		{"two datagrams mixed", [][]byte{
			fragments4(12, node, rack, 69)[0], fragments4(13, node, rack, 53)[0], fragments4(12, node, rack, 69)[1], fragments4(13, node, rack, 53)[1],
		}, []string{"tftp to udp/69", "dns to udp/53", "tftp to udp/69", "dns to udp/53"}},
		{"tiny first fragment", [][]byte{set(synth.IP{ID: 14}.Datagram(node, rack, 17, split[:2]), 20, 0x20, 0)}, []string{"fragments"}},
		{"atomic fragment", [][]byte{synth.IP{}.Datagram(node6, rack6, 44, append([]byte{17, 0, 0, 0, 0, 0, 0, 1}, split...))}, []string{"tftp from udp/69"}},
		{"extension headers", [][]byte{extended(node6, rack6)}, []string{"dns to udp/53"}},
		{"extension beyond the packet", [][]byte{synth.IP{}.Datagram(node6, rack6, 0, []byte{17, 9, 0, 0, 0, 0, 0, 0})}, []string{"undecodable"}},
		{"authentication header in IPv4", [][]byte{synth.IP{}.Datagram(node, rack, 51, append([]byte{17, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, split...))},
			[]string{"tftp from udp/69"}},
		{"ARP", [][]byte{eth(0x0806, []byte{0, 1, 8, 0, 6, 4, 0, 1, 27: 0}), eth(0x0806, []byte{0, 1, 8, 0, 6, 4, 0, 1}), eth(0x0806, []byte{0, 32, 8, 0, 6, 4, 0, 1})},
			[]string{"arp", "undecodable", "arp"}},
		{"link services", [][]byte{eth(0x88cc, make([]byte, 46)), eth(0x888e, make([]byte, 46)), eth(0x8809, make([]byte, 46)), eth(38, append([]byte{0x42, 0x42, 3}, make([]byte, 43)...))},
			[]string{"lldp", "eapol", "lacp", "stp"}},
		{"LLC and SNAP", [][]byte{
			snap(0, 0x0800, udp(40000, 69)[14:]), snap(0xf8, 0x0800, udp(40000, 69)[14:]), snap(9, 0x0800, udp(40000, 69)[14:]), snap(0, 0x0100, make([]byte, 40)),
		}, []string{"tftp to udp/69", "tftp to udp/69", "other", "other"}},
		{"ICMP", [][]byte{
			synth.IP{}.Datagram(node, rack, 1, make([]byte, 8)), synth.IP{}.Datagram(node6, rack6, 58, append([]byte{134}, make([]byte, 15)...)),
			synth.IP{}.Datagram(node6, rack6, 58, append([]byte{128}, make([]byte, 7)...)), synth.IP{}.Datagram(node, rack, 1, make([]byte, 7)),
			synth.IP{}.Datagram(node, rack, 58, make([]byte, 8)),
		}, []string{"icmp", "icmpv6-ra", "icmpv6", "undecodable", "other"}},
		{"tunnels are what carries them", [][]byte{synth.IP{}.Datagram(node, rack, 4, udp(40000, 69)[14:]), udp(40000, 4789), eth(0x8847, make([]byte, 40)), eth(0x8864, make([]byte, 40))},
			[]string{"other", "other", "other", "other"}},
		{"other protocols", [][]byte{synth.IP{}.Datagram(node, rack, 132, make([]byte, 12)), eth(0x1234, make([]byte, 46))}, []string{"other", "other"}},
	}
}

// Frames of each kind are counted as they should be, in the kernel on every
// hook and in Go.
func TestCrafted(t *testing.T) {
	l := testLayout(t)
	for _, c := range testPrograms {
		t.Run(c.name, func(t *testing.T) {
			r := newRunner(t, l, c.hook, c.xdpFrags)
			for _, x := range craftedFrames() {
				if err := r.m.forget(); err != nil {
					t.Fatal(err)
				}
				ref := NewReference(l)
				for i, f := range x.frames {
					want := x.want[i]
					if got := l.describe(ref.Cell(&capture.Packet{ID: capture.NewFrameID(0, uint64(i+1)), Link: capture.LinkEthernet, WireLen: len(f), Data: f})); got != want {
						t.Errorf("%s, frame %d, Go: got %s, want %s", x.name, i, got, want)
					}
					cell, ok := r.cell(f)
					if got := l.describe(cell); ok && got != want {
						t.Errorf("%s, frame %d, kernel: got %s, want %s", x.name, i, got, want)
					}
				}
			}
			// What the program returned is what it counted.
			counts, err := r.m.read()
			if err != nil {
				t.Fatal(err)
			}
			if n := l.totals(c.hook, []string{"run"}, counts).Packets; n == 0 {
				t.Error("got no packets counted")
			}
		})
	}
}
