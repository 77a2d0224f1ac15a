package follow

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
)

// A step is a frame, when it comes, and whether it passes.
type step struct {
	frame []byte
	at    time.Duration
	want  bool
}

type crafted struct {
	name  string
	steps []step
}

var (
	node  = synth.NewHost("52:54:00:00:00:01", "10.0.0.1")
	rack  = synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	other = synth.NewHost("52:54:00:00:00:03", "10.0.0.3")
	node6 = node.At("fd00::1")
	rack6 = rack.At("fd00::2")
)

// run is a conversation between two ports, of which the first packet passes as
// a sample, as often as it takes to see whether it is open.
func bulk(src, dst synth.Host, sport, dport uint16, at time.Duration, open bool) []step {
	f := synth.UDP(src, dst, sport, dport, make([]byte, 600))
	first := step{f, at, true}
	second := step{f, at + time.Millisecond, open}
	return []step{first, second}
}

func craftedSteps() []crafted {
	pass := func(frames ...[]byte) (s []step) {
		for _, f := range frames {
			s = append(s, step{f, 0, true})
		}
		return s
	}
	drop := func(frames ...[]byte) (s []step) {
		for _, f := range frames {
			s = append(s, step{f, 0, false})
		}
		return s
	}
	later := func(d time.Duration, s []step) []step {
		s = slices.Clone(s)
		for i := range s {
			s[i].at += d
		}
		return s
	}
	cat := func(parts ...[]step) []step { return slices.Concat(parts...) }
	eth := func(typ uint16, b []byte) []byte { return synth.Eth(rack.MAC, node.MAC, typ, b) }
	set := func(f []byte, at int, b ...byte) []byte { f = slices.Clone(f); copy(f[at:], b); return f }
	udp := func(sport, dport uint16) []byte { return synth.UDP(node, rack, sport, dport, make([]byte, 40)) }
	data := func(src, dst synth.Host, sport, dport uint16, b []byte) []byte {
		return synth.TCP(src, dst, sport, dport, synth.Segment{Flags: 0x10, Payload: b})
	}
	tags := func(n int, f []byte) []byte {
		for range n {
			f = slices.Insert(slices.Clone(f), 12, 0x81, 0, 0, 5)
		}
		return f
	}
	rrq := synth.UDP(node, rack, 2070, 69, synth.TFTPRead("pxelinux.0", "octet", "blksize", "1408"))
	rrq6 := synth.UDP(node6, rack6, 2070, 69, synth.TFTPRead("pxelinux.0", "octet"))
	getport := func(vers, proc uint32, args []byte) synth.RPCCall {
		return synth.RPCCall{XID: 7, Prog: synth.RPCPortmap, Vers: vers, Proc: proc, Args: args, Machine: "node-with-a-name"}
	}
	ask := func(c synth.RPCCall) []byte { return synth.UDP(node, rack, 700, 111, c.Bytes()) }
	tell := func(results ...[]byte) []byte {
		return synth.UDP(rack, node, 111, 700, synth.RPCReply(7, results...))
	}
	v2 := func(proto uint32) synth.RPCCall {
		return getport(2, 3, synth.Words(synth.RPCMount, 3, proto, 0))
	}
	v4 := func(netid string) synth.RPCCall {
		return getport(4, 3, slices.Concat(synth.Words(synth.RPCMount, 3), synth.Opaque(netid), synth.Opaque(""), synth.Opaque("")))
	}
	udpTo := func(port uint16, open bool) []step {
		return cat(bulk(node, rack, 800, port, 0, open), bulk(rack, node, port, 800, 0, open))
	}
	tcpTo := func(port uint16, open bool) []step {
		s := drop
		if open {
			s = pass
		}
		return s(data(node, rack, 800, port, make([]byte, 100)), data(rack, node, port, 800, make([]byte, 1400)))
	}
	mount := synth.RPCCall{XID: 9, Prog: synth.RPCMount, Vers: 3, Proc: 1, Args: synth.Opaque("/srv")}.Bytes()
	id := func(f []byte, n uint16) []byte { f = slices.Clone(f); binary.BigEndian.PutUint16(f[18:], n); return f }
	fragments := func(n uint16, sport, dport uint16) [][]byte {
		return synth.Fragments(id(synth.UDP(node, rack, sport, dport, make([]byte, 4000)), n), 1500)
	}
	frag6 := func(off uint16, more byte, b []byte) []byte {
		h := binary.BigEndian.AppendUint16([]byte{17, 0}, off|uint16(more))
		return synth.IP{}.Datagram(node6, rack6, 44, slices.Concat(h, []byte{0, 0, 0, 9}, b))
	}
	ports := func(sport, dport uint16, n int) []byte {
		b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, sport), dport)
		return append(binary.BigEndian.AppendUint16(b, uint16(8+n)), make([]byte, 2+n)...)
	}
	return []crafted{
		{"ports of the phase", pass(udp(68, 67), udp(67, 68), udp(40000, 53), udp(53, 40000), data(node, rack, 40000, 80, []byte("GET")), data(rack, node, 80, 40000, make([]byte, 1448)))},
		{"bulk", cat(drop(data(node, rack, 40000, 40001, make([]byte, 1448)), data(node, rack, 22, 40001, make([]byte, 1448))), bulk(node, rack, 40000, 40001, 0, false))},
		{"SYN, RST and no other", cat(pass(synth.TCP(node, rack, 40000, 40009, synth.Segment{Flags: 2}), synth.TCP(rack, node, 40009, 40000, synth.Segment{Flags: 0x12}),
			synth.TCP(rack, node, 40009, 40000, synth.Segment{Flags: 4})), drop(data(node, rack, 40000, 40009, nil), synth.TCP(node, rack, 40000, 40009, synth.Segment{Flags: 0x11})))},
		{"samples", cat(bulk(node, rack, 40000, 40001, 0, false), bulk(node, rack, 40000, 40001, 1100*time.Millisecond, false), bulk(node6, rack6, 40000, 40001, 0, false))},
		{"link control", pass(eth(0x88cc, make([]byte, 46)), eth(0x888e, make([]byte, 46)), eth(0x8809, make([]byte, 46)), eth(38, append([]byte{0x42, 0x42, 3}, make([]byte, 43)...)),
			synth.ARP(1, node, rack), eth(0x1234, make([]byte, 46)))},
		{"bulk of other types", drop(eth(0x8915, make([]byte, 46)), eth(0x8906, make([]byte, 46)), tags(1, eth(0x88e5, make([]byte, 46))))},
		{"IP control", pass(synth.IP{}.Datagram(node, rack, 1, make([]byte, 8)), synth.IP{}.Datagram(node6, rack6, 58, make([]byte, 8)), synth.IP{}.Datagram(node, rack, 2, make([]byte, 8)))},
		{"IP bulk", drop(synth.IP{}.Datagram(node, rack, 50, make([]byte, 100)), synth.IP{}.Datagram(node6, rack6, 50, make([]byte, 100)), synth.IP{}.Datagram(node, rack, 132, make([]byte, 100)))},
		{"tunnels", pass(udp(40000, 4789), udp(40000, 8472), udp(40000, 6081), synth.IP{}.Datagram(node, rack, 4, udp(1, 2)[14:]), synth.IP{}.Datagram(node, rack, 47, make([]byte, 40)),
			eth(0x8847, make([]byte, 46)), eth(0x8864, make([]byte, 46)))},
		{"broken", pass(make([]byte, 13), eth(0x0800, make([]byte, 10)), eth(0x0800, make([]byte, 46)), eth(0x86dd, make([]byte, 46)), set(udp(40000, 40001), 14, 0x44),
			set(udp(40000, 40001), 16, 0, 19), udp(40000, 40001)[:37], set(udp(40000, 40001), 38, 0, 7), set(data(node, rack, 40000, 40001, nil), 46, 0x40),
			set(data(node, rack, 40000, 40001, nil), 46, 0xf0), data(node, rack, 40000, 40001, nil)[:53], tags(2, udp(1, 2))[:20])},
		{"tags", cat(pass(tags(1, rrq), tags(2, udp(67, 68)), tags(4, udp(67, 68)), tags(5, udp(40000, 40001))), drop(tags(2, data(node, rack, 40000, 40001, make([]byte, 99)))))},
		{"a read request opens the client's port", cat(udpTo(2071, false), pass(rrq), bulk(rack, node, 50000, 2070, 0, true), bulk(node, rack, 2070, 50000, 0, true),
			bulk(other, node, 50001, 2070, 0, true), bulk(rack, other, 50000, 2070, 0, false), drop(data(rack, node, 50000, 2070, make([]byte, 99))))},
		{"a write request too, tagged, IPv6", cat(pass(tags(2, synth.UDP(other, rack, 2070, 69, synth.TFTPWrite("x", "octet"))), rrq6), bulk(rack, other, 50000, 2070, 0, true),
			bulk(rack6, node6, 50000, 2070, 0, true), bulk(rack, node, 50000, 2070, 0, false))},
		{"for two minutes", cat(pass(rrq), later(119*time.Second, bulk(rack, node, 5, 2070, 0, true)), later(238*time.Second, bulk(rack, node, 5, 2070, 0, true)),
			later(360*time.Second, bulk(rack, node, 5, 2070, 0, false)), later(361*time.Second, pass(rrq)), later(363*time.Second, bulk(rack, node, 5, 2070, 0, true)))},
		{"GETPORT over UDP", cat(udpTo(635, false), pass(ask(v2(17)), tell(synth.Words(635))), later(2*time.Second, udpTo(635, true)), tcpTo(635, false), udpTo(636, false))},
		{"GETPORT of a TCP port", cat(tcpTo(635, false), pass(ask(v2(6)), tell(synth.Words(635))), tcpTo(635, true), udpTo(635, false))},
		{"GETPORT over TCP", cat(pass(data(node, rack, 700, 111, synth.RPCRecord(v2(6).Bytes())), data(rack, node, 111, 700, synth.RPCRecord(synth.RPCReply(7, synth.Words(635))))), tcpTo(635, true))},
		{"no question", cat(pass(tell(synth.Words(635))), udpTo(635, false))},
		{"another xid", cat(pass(ask(v2(17)), synth.UDP(rack, node, 111, 700, synth.RPCReply(8, synth.Words(635)))), udpTo(635, false))},
		{"not registered, refused, denied", cat(pass(ask(v2(17)), tell(synth.Words(0)), synth.UDP(rack, node, 111, 700, synth.RPCUnaccepted(7, 1)), synth.UDP(rack, node, 111, 700, synth.RPCDenied(7, 5))), udpTo(635, false))},
		{"another address answers", cat(pass(ask(v2(17)), synth.UDP(other, node, 111, 700, synth.RPCReply(7, synth.Words(635)))), udpTo(635, true), bulk(node, other, 800, 635, 0, true))},
		{"GETADDR", cat(pass(ask(v4("tcp")), tell(synth.Opaque("10.0.0.2.2.123"))), tcpTo(635, true), udpTo(635, false), later(time.Second, pass(ask(v4("udp")), tell(synth.Opaque("10.0.0.2.255.255")))),
			later(3*time.Second, udpTo(65535, true)))},
		{"GETADDR, IPv6", cat(pass(synth.UDP(node6, rack6, 700, 111, v4("udp6").Bytes()), synth.UDP(rack6, node6, 111, 700, synth.RPCReply(7, synth.Opaque("::.0.7")))),
			bulk(node6, rack6, 800, 7, 0, true), bulk(rack6, node6, 7, 800, 0, true))},
		{"GETADDR, nonsense", cat(pass(ask(v4("tcp")), tell(synth.Opaque("10.0.0.2.256.1")), tell(synth.Opaque("")), tell(synth.Opaque("no.numbers.here")), tell(synth.Opaque("1.1234")), tell(synth.Opaque("10.0.0.2..7"))),
			tcpTo(7, false))},
		{"another transport", cat(pass(ask(v4("ticotsord")), tell(synth.Opaque("10.0.0.2.2.123")), ask(v2(132)), tell(synth.Words(635))), tcpTo(635, false), udpTo(635, false))},
		{"a call opens the port it goes to", cat(pass(synth.UDP(node, rack, 800, 4001, mount)), later(2*time.Second, udpTo(4001, true)),
			pass(data(node, rack, 800, 4002, synth.RPCRecord(mount))), tcpTo(4002, true), drop(data(node, rack, 800, 4003, make([]byte, 60))))},
		{"fragments of the phase", pass(append(fragments(1, 2049, 800), fragments(2, 40000, 69)...)...)},
		{"fragments of TFTP data", cat(pass(rrq), pass(fragments(9, 50000, 40001)...), drop(fragments(3, 50000, 40001)...), pass(synth.Fragments(id(synth.UDP(rack, node, 50000, 2070, make([]byte, 8000)), 3), 1500)...))},
		{"fragments of bulk", cat(bulk(node, rack, 40000, 40001, 0, false), drop(fragments(4, 40000, 40001)...))},
		{"a later fragment first", cat(pass(fragments(5, 2049, 800)[2], fragments(5, 2049, 800)[0], fragments(5, 2049, 800)[1]), bulk(node, rack, 40000, 40001, 0, false),
			pass(fragments(6, 40000, 40001)[1]), drop(fragments(6, 40000, 40001)[0], fragments(6, 40000, 40001)[2]), later(time.Second, pass(fragments(6, 40000, 40001)[1])))},
		{"IPv6 fragments", cat(pass(frag6(0, 1, ports(2049, 800, 1000)), frag6(1008, 0, make([]byte, 100))), bulk(node6, rack6, 40000, 40001, 0, false),
			pass(frag6(0, 1, []byte{1, 2})), pass(frag6(1008, 0, make([]byte, 100))))},
		{"IPv6 headers", cat(pass(synth.IP{}.Datagram(node6, rack6, 0, append([]byte{60, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0}, ports(40000, 53, 10)...)),
			synth.IP{}.Datagram(node6, rack6, 0, []byte{17, 9, 0, 0, 0, 0, 0, 0})), drop(synth.IP{}.Datagram(node6, rack6, 60, append([]byte{50, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 40)...))))},
		{"authentication header", cat(pass(synth.IP{}.Datagram(node, rack, 51, append([]byte{17, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, ports(40000, 53, 10)...))),
			drop(synth.IP{}.Datagram(node, rack, 51, append([]byte{50, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 40)...))))},
	}
}

// Frames of each kind pass as they should, in the kernel and in Go.
func TestCrafted(t *testing.T) {
	c := Config{Phase: "provisioning"}
	r := newRunner(t, c)
	begin := capture.Time(1_700_000_000e9)
	for _, x := range craftedSteps() {
		r.forget()
		ref, err := NewReference(c)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range x.steps {
			now := begin.Add(s.at)
			if got := ref.Passes(s.frame, now); got != s.want {
				t.Errorf("%s, step %d, Go: got %v, want %v", x.name, i, got, s.want)
			}
			if len(s.frame) == 0 {
				continue
			}
			if got := r.passes(s.frame, now); got != s.want {
				t.Errorf("%s, step %d, kernel: got %v, want %v", x.name, i, got, s.want)
			}
		}
		begin = begin.Add(time.Hour)
	}
}
