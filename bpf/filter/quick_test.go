package filter

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/catalog"
)

var quickLinks = []capture.LinkType{capture.LinkEthernet, capture.LinkSLL, capture.LinkSLL2, capture.LinkRaw, capture.LinkIPv4, capture.LinkIPv6, capture.LinkNull}

// What was worked out for the forms of frames agrees with the program on every
// one of them, cut anywhere.
func TestQuick(t *testing.T) {
	count := fromEnv(t, "FILTER_QUICK_EXPRESSIONS", 400)
	r := maker{rand.New(rand.NewPCG(uint64(fromEnv(t, "FILTER_TRUTH_SEED", 1)), 12))}
	pool := make(map[capture.LinkType][]frame)
	for _, l := range quickLinks {
		pool[l] = frames(t, 12, l, fromEnv(t, "FILTER_QUICK_FRAMES", 1500))
	}
	texts := []string{
		must(Build(&Request{Phase: catalog.Provisioning})).Text, must(Build(&Request{Phase: catalog.Provisioning, Complete: true})).Text,
		must(Build(&Request{Names: []string{"tftp", "http"}, Complete: true, VLAN: VLANAny})).Text,
		"tcp[(tcp[12] >> 4 << 2) + 8:4] = 0 or tcp[tcp[12] >> 2:2] & 0xf0 = 0x40", "ip[(ip[0] & 15) << 2:2] > 1000", "tcp[13] / (tcp[12] - 80) > 0 or udp",
		"ip[8] % 7 = 3 or ip[1] + ip[1] > 300", "udp[0:4] = 0x430044 or udp[0:4] = 5 or udp[0:4] = 0x450000",
		"port 1 or 3 or 5 or 7 and host 10.0.0.1 or port 53 and net 10.1.0.0/16", "mpls and port 69", "pppoes and udp port 69", "len > 100 and less 80", "ip[0] & 0xf != 5",
		"vlan and vlan and vlan and port 53", "udp[65530] = 1 or tcp[tcp[12] << 26:4] = 1",
	}
	written := len(texts)
	for range count {
		texts = append(texts, r.expression())
	}
	verdicts, matched, quickly := 0, 0, 0
	for i, text := range texts {
		e, err := Parse(text)
		if err != nil && i < written {
			t.Fatalf("%s: %v", text, err)
		}
		if err != nil {
			continue
		}
		link := quickLinks[0]
		if i >= written && i%3 == 0 {
			link = quickLinks[i/3%len(quickLinks)]
		}
		m, err := NewMatcher(e, link)
		if err != nil {
			continue
		}
		root := must(decide([]Clause{{Expr: e}}, Target{Link: link}))
		p := must(emit(root))
		for k, f := range pool[link] {
			if m.quick != nil && m.quick.shape(f.data) != noShape {
				quickly++
			}
			data := f.data
			if k%4 == 0 {
				data = data[:r.IntN(len(data)+1)]
			}
			verdicts++
			got, want := m.Match(data, f.wireLen), execute(p, data, f.wireLen, beside{}) != 0
			if got != want || m.walk(0, 0, data, f.wireLen) != want {
				t.Fatalf("%s: %s: got %v, want %v, the graph %v on %d of %d bytes: % x", link, text, got, want, !got, len(data), len(f.data), f.data)
			}
			if got {
				matched++
			}
		}
	}
	t.Logf("%d expressions, %d verdicts, %d matches; %d frames had a shape", len(texts), verdicts, matched, quickly)
	if quickly < verdicts/2 || matched < verdicts/20 {
		t.Errorf("%d of %d frames had a shape, %d matched: this proves nothing", quickly, verdicts, matched)
	}
}

// quickFrames are one frame of each kind that the benchmark names.
func quickFrames() []sampleFrame {
	node, rack := synth.NewHost("52:54:00:12:34:56", "10.0.0.57"), synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	node6, rack6 := synth.NewHost("52:54:00:12:34:56", "2001:db8::57"), synth.NewHost("52:54:00:00:00:02", "2001:db8::2")
	last := func(port uint16) []byte {
		var c synth.Capture
		c.Dial(0, node, 49300, rack, port).Open().Send(true, make([]byte, 1400))
		return c.Packets[len(c.Packets)-1].Data
	}
	tag := func(b []byte) []byte { return tagged([]sampleFrame{{"", b}}, 30)[0].data }
	tftp := synth.UDP(rack, node, 49200, 2070, synth.TFTPData(7, make([]byte, 512)))
	return []sampleFrame{
		{"DHCP", dhcpFrame()}, {"TFTP data", tftp}, {"HTTP bulk", last(80)}, {"unrelated TCP", last(22)},
		{"unrelated UDP", synth.UDP(node, rack, 40000, 40001, slices.Repeat([]byte{0x55}, 300))},
		{"ARP", synth.ARP(1, node, rack)}, {"DNS on IPv6", synth.UDP(node6, rack6, 40000, 53, make([]byte, 40))},
		{"unrelated UDP on IPv6", synth.UDP(node6, rack6, 40000, 40001, slices.Repeat([]byte{0x55}, 300))},
		{"tagged DHCP", dhcpFrame(30)}, {"tagged unrelated TCP", tag(last(22))}, {"tagged TFTP data", tag(tftp)},
		{"other type", append(slices.Repeat([]byte{0x52}, 12), slices.Concat([]byte{0x88, 0xb5}, make([]byte, 50))...)},
	}
}

// On every port and type the predicate of all provisioning services agrees with
// the program.
func TestQuickPorts(t *testing.T) {
	f := must(Build(&Request{Phase: catalog.Provisioning, Complete: true}))
	m, p := must(NewMatcher(f.Expr, capture.LinkEthernet)), must(Compile(f.Expr, Ethernet))
	for _, s := range quickFrames() {
		kept := 0
		for _, at := range []int{12, 16, 34, 36, 42} { // types, ports, TFTP's opcode
			frame := append(append([]byte(nil), s.data...), make([]byte, 20)...)
			for v := range 65536 {
				binary.BigEndian.PutUint16(frame[at:], uint16(v))
				got, want := m.Match(frame, len(frame)), execute(p, frame, len(frame), beside{}) != 0
				if got != want {
					t.Fatalf("%s: %d at byte %d: got %v, want %v", s.label, v, at, got, want)
				}
				if got {
					kept++
				}
			}
		}
		if kept < 4 || kept == 5*65536 {
			t.Errorf("%s: kept %d, the sample proves nothing", s.label, kept)
		}
	}
}

// The predicate of all provisioning services, by what a frame is. The first one
// is what it costs to find the form of a frame, for comparison.
func BenchmarkMatchProvisioning(b *testing.B) {
	f := must(Build(&Request{Phase: catalog.Provisioning, Complete: true}))
	m := must(NewMatcher(f.Expr, capture.LinkEthernet))
	all := quickFrames()
	b.Run("decode only", func(b *testing.B) {
		n := 0
		for b.Loop() {
			n += m.quick.shape(all[0].data)
		}
		if n != shapeUDP4 {
			b.Errorf("got %d, want plain UDP every time", n)
		}
	})
	for _, s := range all {
		b.Run(s.label, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.Match(s.data, len(s.data))
			}
		})
	}
	b.Run("all in turn", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			s := &all[i%len(all)]
			m.Match(s.data, len(s.data))
		}
	})
}

func BenchmarkNewMatcher(b *testing.B) {
	f := must(Build(&Request{Phase: catalog.Provisioning, Complete: true}))
	for b.Loop() {
		if _, err := NewMatcher(f.Expr, capture.LinkEthernet); err != nil {
			b.Fatal(err)
		}
	}
}
