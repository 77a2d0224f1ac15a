package boot_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/classify/boot"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

func behind(m wire.MAC, addr string) finding.Endpoint {
	return finding.Endpoint{MAC: m, Addr: wire.MustAddr(addr)}
}

func reads(from finding.Endpoint, s float64) track.Exchange {
	x := loaded("x", s, s+1)
	x.Client = from
	return x
}

// Who is one machine and who are two.
func TestIdentity(t *testing.T) {
	leased := func(w *world, e finding.Endpoint, s float64) *world {
		l := lease(pxe, "x")
		l.Addr = e.Addr
		x := acked(pxe, s, l)
		x.Client = e
		return w.do(x)
	}
	for _, c := range []struct {
		name string
		w    *world
		want []string // "MAC or address: addresses", sorted
	}{
		{"a lease and its user", leased(newWorld(), nodeA, 0).do(reads(nodeA, 2)), []string{"d4:ae:52:00:00:0a: 10.0.0.10"}},
		{"a lease, used behind a router", leased(newWorld(), nodeA, 0).do(reads(behind(router, "10.0.0.10"), 2)), []string{"d4:ae:52:00:00:0a: 10.0.0.10"}},
		{"a lease, used in another VLAN behind a router", leased(newWorld(), nodeA, 0).do(func() track.Exchange { x := reads(behind(router, "10.0.0.10"), 2); x.VLAN = 7; return x }()), []string{"d4:ae:52:00:00:0a: 10.0.0.10"}},
		{"two leases behind one router", leased(leased(newWorld(), nodeA, 0), nodeB, 0).do(reads(behind(router, "10.0.0.10"), 2)).do(reads(behind(router, "10.0.0.11"), 3)),
			[]string{"d4:ae:52:00:00:0a: 10.0.0.10", "d4:ae:52:00:00:0b: 10.0.0.11"}},
		{"nodes behind a router, their leases not captured", newWorld().do(reads(behind(router, "10.1.0.1"), 0)).do(reads(behind(router, "10.1.0.2"), 2)).do(reads(behind(router, "10.1.0.3"), 4)),
			[]string{"10.1.0.1: 10.1.0.1", "10.1.0.2: 10.1.0.2", "10.1.0.3: 10.1.0.3"}},
		{"one node on the wire, its lease not captured", newWorld().do(reads(nodeA, 0)).do(reads(nodeA, 9)), []string{"d4:ae:52:00:00:0a: 10.0.0.10"}},
		{"an address that changes: rogue, then rack", leased(leased(newWorld(), behind(nodeA.MAC, "192.168.122.87"), 0), nodeA, 9).do(reads(nodeA, 12)), []string{"d4:ae:52:00:00:0a: 192.168.122.87 10.0.0.10"}},
		{"an address that another machine gets later", leased(leased(leased(newWorld(), nodeA, 0), behind(nodeA.MAC, "10.0.0.80"), 9), behind(nodeB.MAC, "10.0.0.10"), 20).
			do(reads(behind(nodeB.MAC, "10.0.0.10"), 22)).do(reads(behind(nodeA.MAC, "10.0.0.80"), 24)), []string{"d4:ae:52:00:00:0a: 10.0.0.10 10.0.0.80", "d4:ae:52:00:00:0b: 10.0.0.10"}},
		{"two cards of one machine are two nodes", leased(leased(newWorld(), nodeA, 0), nodeB, 0), []string{"d4:ae:52:00:00:0a: 10.0.0.10", "d4:ae:52:00:00:0b: 10.0.0.11"}},
		{"a probe for servers", newWorld().do(func() track.Exchange { x := discover(track.ClientProbe, track.Unanswered, 0, 5, 1); return x }()), []string{}},
		{"a server that is a client too", leased(newWorld(), nodeA, 0).do(reads(nodeA, 2)).do(track.Exchange{Service: "nfs", Stage: track.StageNFS, Op: "NFS", Outcome: track.Answered,
			Client: rack, Server: behind(wire.MAC{2}, "10.0.0.200"), First: at(5), Last: at(6)}), []string{"d4:ae:52:00:00:0a: 10.0.0.10"}},
		{"a web client is no node", newWorld().do(func() track.Exchange { x := http(0, 1); x.Client = nodeB; return x }()), []string{}},
	} {
		got := []string{}
		c.w.Each(func(v *boot.Node) {
			var addrs []string
			for _, a := range v.Addrs {
				addrs = append(addrs, a.String())
			}
			name := v.MAC.String()
			if name == "" {
				name = v.Addr.String()
			}
			got = append(got, name+": "+strings.Join(addrs, " "))
		})
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// A flood of machines that are never answered pushes out only its own kind,
// whatever protocol it speaks.
func TestStrangers(t *testing.T) {
	for name, x := range map[string]track.Exchange{
		"DHCP": discover(pxe, track.Unanswered, 10, 15, 1),
		"4011": {Stage: track.StageProxyDHCP, Op: "BINL", Outcome: track.Unanswered, First: at(10), Last: at(15), Lease: lease(pxe, "")},
		"TFTP": {Stage: track.StageTFTP, Op: "RRQ", Subject: "x", Outcome: track.Unanswered, Server: rack, First: at(10), Last: at(15)},
	} {
		w := newWorld().firmware(0, pxe, "x").do(loaded("x", 2, 3))
		for i := range 20_000 {
			x.Client = finding.Endpoint{MAC: wire.MAC{2, 1, 0, byte(i >> 16), byte(i >> 8), byte(i)}}
			if x.Stage == track.StageTFTP {
				x.Client.Addr = wire.Addr4([4]byte{172, byte(i >> 16), byte(i >> 8), byte(i)})
			}
			w.do(x)
		}
		if n := w.count(); n > 2049 {
			t.Errorf("%s: got %d nodes, want at most 2049", name, n)
		}
		if w.Evicted() < 17_000 {
			t.Errorf("%s: got %d evicted, want what the table could not hold", name, w.Evicted())
		}
		if got := w.node(t, nodeA); len(got.Boots) != 1 {
			t.Errorf("%s: the node that was served is gone", name)
		}
	}
}

// Steps are told once, whatever their trackers report again, and are bounded.
func TestTimeline(t *testing.T) {
	w := newWorld().firmware(0, pxe, "x")
	for i := range 30 {
		w.do(loaded(strings.Repeat("x", i+1), float64(10+i), float64(10+i)))
		w.do(http(5, float64(10+i))) // one download that goes on
	}
	n := 0
	for _, s := range w.node(t, nodeA).Steps {
		if s.Op == "CONNECT" {
			n++
			if s.Last != at(39) {
				t.Errorf("got the state of %v, want the last one", s.Last)
			}
		}
	}
	if n != 1 {
		t.Errorf("got %d steps for one download, want 1", n)
	}
	for i := range 2000 {
		w.do(track.Exchange{Stage: track.StageTFTP, Op: "RRQ", Subject: string(rune('a' + i%7)), Outcome: track.Refused, Server: rack, First: at(float64(100 + i)), Last: at(float64(100 + i))})
	}
	v := w.node(t, nodeA)
	if len(v.Steps) > 256 || v.Dropped == 0 || v.Steps[0].Op != "DISCOVER" || v.Steps[len(v.Steps)-1].First != at(2099) {
		t.Errorf("got %d steps, %d dropped, want the first and the last ones of at most 256", len(v.Steps), v.Dropped)
	}
}

// A frame of a node whose load is awaited tells that it loads, on any port; a
// frame of anybody else costs two look-ups and changes nothing.
func TestHeard(t *testing.T) {
	frame := func(change func(*wire.Frame)) *wire.Frame {
		f := &wire.Frame{SrcMAC: nodeA.MAC, DstMAC: rack.MAC, HasDstMAC: true, IPVersion: 4, Src: nodeA.Addr, Dst: rack.Addr, Proto: wire.ProtoTCP, SrcPort: 40000, DstPort: 9090}
		f.TCP.Flags = wire.SYN
		change(f)
		return f
	}
	for _, c := range []struct {
		name  string
		f     *wire.Frame
		loads bool
	}{
		{"TCP to a port of no service", frame(func(*wire.Frame) {}), true},
		{"behind a router", frame(func(f *wire.Frame) { f.SrcMAC = router }), true},
		{"by IPv6", frame(func(f *wire.Frame) {
			f.IPVersion, f.Src, f.Dst = 6, wire.MustAddr("fe80::1"), wire.MustAddr("fe80::2")
		}), true},
		{"UDP to a port of its own", frame(func(f *wire.Frame) { f.Proto = wire.ProtoUDP }), true},
		{"DNS", frame(func(f *wire.Frame) { f.Proto, f.DstPort = wire.ProtoUDP, 53 }), false},
		{"DHCP", frame(func(f *wire.Frame) { f.Proto, f.DstPort = wire.ProtoUDP, 67 }), false},
		{"multicast", frame(func(f *wire.Frame) { f.Proto, f.Dst = wire.ProtoUDP, wire.MustAddr("239.1.2.3") }), false},
		{"a ping's answer", frame(func(f *wire.Frame) { f.Proto = wire.ProtoICMP }), false},
		{"a reset", frame(func(f *wire.Frame) { f.TCP.Flags = wire.RST | wire.ACK }), false},
		{"another machine", frame(func(f *wire.Frame) { f.SrcMAC, f.Src = nodeB.MAC, nodeB.Addr }), false},
		{"another machine whose MAC ends alike", frame(func(f *wire.Frame) { f.SrcMAC[0], f.Src = 2, wire.MustAddr("10.7.7.10") }), false},
	} {
		w := newWorld().firmware(0, pxe, "x")
		var out track.Out
		w.Heard(c.f, &out)
		if got := len(w.finish(60).findings()) == 0; got != c.loads {
			t.Errorf("%s: loads %v, want %v", c.name, got, c.loads)
		}
	}
	w := newWorld().firmware(0, pxe, "x")
	var out track.Out
	f := frame(func(f *wire.Frame) { f.SrcMAC[5], f.Src[15] = 99, 99 })
	if got := testing.AllocsPerRun(100, func() { w.Heard(f, &out) }); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}
