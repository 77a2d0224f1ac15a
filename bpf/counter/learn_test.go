//go:build linux

package counter

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/catalog"
)

// portmapTraffic is what a node and rpcbind say: GETPORT over UDP, behind a
// tag and over TCP, GETADDR over IPv6; the ports of mountd, lockd and statd. A
// reply without a call, a reply "not registered" and one for NFS on its own
// port teach nothing.
func portmapTraffic() [][]byte {
	node, rack := synth.NewHost("52:54:00:00:00:01", "10.0.0.1"), synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	node6, rack6 := node.At("fd00::1"), rack.At("fd00::2")
	var f [][]byte
	ask := func(o synth.IP, a, b synth.Host, sport uint16, call, reply []byte) {
		f = append(f, o.UDP(a, b, sport, 111, call), o.UDP(b, a, 111, sport, reply))
	}
	ask(synth.IP{}, node, rack, 800, synth.PortmapGetport(1, synth.RPCMount, 3, 17), synth.RPCReply(1, synth.Words(40123)))
	ask(synth.IP{Tags: []uint16{120}}, node, rack, 801, synth.PortmapGetport(2, synth.RPCNLM, 4, 6), synth.RPCReply(2, synth.Words(40124)))
	ask(synth.IP{}, node6, rack6, 802, synth.RPCBGetaddr(3, 4, synth.RPCNSM, 1, "udp6"),
		synth.RPCReply(3, synth.Opaque(synth.UniversalAddr(netip.MustParseAddr("fd00::2"), 40125))))
	ask(synth.IP{}, node, rack, 803, synth.PortmapGetport(4, synth.RPCNSM, 1, 6), synth.RPCReply(4, synth.Words(0)))
	ask(synth.IP{}, node, rack, 804, synth.PortmapGetport(5, synth.RPCNFS, 3, 6), synth.RPCReply(5, synth.Words(2049)))
	f = append(f, synth.UDP(rack, node, 111, 805, synth.RPCReply(99, synth.Words(40999))))
	var c synth.Capture
	x := c.Dial(0, node, 806, rack, 111)
	x.Open()
	x.Send(false, synth.RPCRecord(synth.PortmapGetport(6, synth.RPCMount, 3, 6)))
	x.Send(true, synth.RPCRecord(synth.RPCReply(6, synth.Words(40126))))
	for _, p := range c.Packets {
		f = append(f, p.Data)
	}
	return f
}

var wantLearnt = []LearntPort{
	{"udp", 40123, "rpc-mount", "10.0.0.2"}, {"tcp", 40124, "nlm", "10.0.0.2"},
	{"udp", 40125, "nsm", "fd00::2"}, {"tcp", 40126, "rpc-mount", "10.0.0.2"},
}

// Ports of portmap's replies are counted from then on, on every hook, tags and
// TCP included; a pinned counter tells them to a later run.
func TestLearn(t *testing.T) {
	node, rack := synth.NewHost("52:54:00:00:00:01", "10.0.0.1"), synth.NewHost("52:54:00:00:00:02", "10.0.0.2")
	// A client of mountd binds a reserved port, which others have for services.
	mount := [][]byte{
		synth.UDP(node, rack, 873, 40123, make([]byte, 40)), synth.UDP(rack, node, 40123, 873, make([]byte, 40)),
		synth.TCP(node, rack, 900, 40126, synth.Segment{}), synth.TCP(node, rack, 900, 40124, synth.Segment{}),
		synth.UDP(node, rack, 900, 40999, nil),
	}
	for _, hook := range Hooks() {
		t.Run(string(hook), func(t *testing.T) {
			l := newLab(t)
			var c *Counter
			l.in(l.Near, func() (err error) {
				c, err = Open(Config{Hook: hook, Interfaces: []string{"veth0"}, Learn: true})
				return err
			})
			defer c.Close()
			l.send(l.Far, portmapTraffic())
			got := waitFor(t, c, func(x *Totals) bool { return len(x.Learnt) >= len(wantLearnt) })
			if d := gocmp.Diff(wantLearnt, got.Learnt); d != "" {
				t.Errorf("learnt ports differ, -want +got:\n%s", d)
			}
			before := got.Packets
			l.send(l.Far, mount)
			got = waitFor(t, c, func(x *Totals) bool { return x.Packets >= before+uint64(len(mount)) })
			for service, want := range map[string][2]uint64{"rpc-mount": {2, 1}, "nlm": {1, 0}} {
				var s ServiceCount
				for _, x := range got.Services {
					if x.ID == service {
						s = x
					}
				}
				if s.To != want[0] || s.From != want[1] {
					t.Errorf("%s: got %d packets to and %d from the server, want %d and %d", service, s.To, s.From, want[0], want[1])
				}
			}
			if got.Other.Packets != 1 {
				t.Errorf("got %d packets of no service, want 1", got.Other.Packets)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// waitFor reads until enough came, or 5 seconds have passed.
func waitFor(t *testing.T, c *Counter, enough func(*Totals) bool) *Totals {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got, err := c.Read()
		if err != nil {
			t.Fatal(err)
		}
		if enough(got) || time.Now().After(end) {
			return got
		}
	}
}

// A learner says each port once per reply, whatever the rest of the traffic is.
func TestLearner(t *testing.T) {
	l := newLearner(catalog.Default())
	var got []string
	for i, f := range portmapTraffic() {
		p := capture.Packet{ID: capture.NewFrameID(0, uint64(i+1)), Time: capture.Time(i), Link: capture.LinkEthernet, WireLen: len(f), Data: f}
		for _, e := range l.packet(&p) {
			got = append(got, fmt.Sprint(e.Service, " ", e.Proto, " ", e.Port))
		}
	}
	want := []string{"rpc-mount 17 40123", "nlm 6 40124", "nsm 17 40125", "nfs 6 2049", "rpc-mount 6 40126"}
	if d := gocmp.Diff(want, got); d != "" {
		t.Errorf("told ports differ, -want +got:\n%s", d)
	}
}

// What may be learnt is bounded, and a port of the catalog stays what it is.
func TestLearnBounds(t *testing.T) {
	l := testLayout(t)
	l.reserve()
	if len(l.slots) > maxSlots {
		t.Fatalf("got %d slots, want %d at most", len(l.slots), maxSlots)
	}
	for _, x := range []struct {
		port    uint16
		service string
	}{{2049, "rpc-mount"}, {873, "rpc-mount"}, {40000, "no-such-service"}} {
		if l.learn(catalog.TCP, x.port, x.service) {
			t.Errorf("%d was learnt for %s", x.port, x.service)
		}
	}
	n := 0
	for port := 40000; port < 41000; port++ {
		if l.learn(catalog.TCP, uint16(port), "rpc-mount") {
			n++
		}
	}
	if n != MaxLearnt {
		t.Errorf("got %d ports learnt, want %d", n, MaxLearnt)
	}
	if l.learn(catalog.TCP, 40000, "rpc-mount") {
		t.Error("a port was learnt twice")
	}
}
