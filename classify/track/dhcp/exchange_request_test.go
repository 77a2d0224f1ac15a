package dhcp_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/classify/wire"
)

// selecting adds DISCOVER, OFFER, and REQUESTs at times.
func (s *scene) selecting(c synth.DHCPClient, v synth.DHCPServer, xid uint32, start float64, times ...float64) *scene {
	d := c.Discover(xid, coded(c, 1, false))
	o := v.Offer(d, nodeAddr)
	s.add(start, d.Broadcast()).add(start+0.001, v.Frame(o))
	for i, t := range times {
		s.add(t, c.Request(o, coded(c, i+2, true)).Broadcast())
	}
	return s
}

func request(c synth.DHCPClient, v synth.DHCPServer, xid uint32) synth.DHCP {
	return c.Request(v.Offer(c.Discover(xid, 0), nodeAddr), 0)
}

func TestRequestUnanswered(t *testing.T) {
	node := synth.NewHost(nodeMAC, nodeAddr)
	renews := func(times ...float64) *scene {
		s := new(scene)
		for _, x := range times {
			s.add(x, udhcpc.Renew(5, nodeAddr).Unicast(node, bare.Host, 68, 67))
		}
		return s
	}
	rebind := func(s *scene, x float64) *scene {
		return s.add(x, udhcpc.Renew(5, nodeAddr).Unicast(node, synth.Everyone, 68, 67))
	}
	constantXID := func(answered bool) *scene { // routers of one maker never change it
		s := new(scene).dora(0, udhcpc, bare, 5, 0.01)
		for i, to := range []synth.Host{bare.Host, bare.Host, bare.Host, synth.Everyone} {
			x := float64(60 * (i + 1))
			s.add(x, udhcpc.Renew(5, nodeAddr).Unicast(node, to, 68, 67))
			if answered {
				s.add(x+0.01, bare.Frame(bare.Ack(udhcpc.Renew(5, nodeAddr), nodeAddr)))
			}
		}
		return s
	}
	closed := func() *scene {
		f := udhcpc.Renew(5, nodeAddr).Unicast(node, bare.Host, 68, 67)
		return new(scene).add(0, f).add(0.001, synth.ICMPError(bare.Host, node, 3, 3, 0, f)).later(30)
	}
	runAll(t, []ruleTest{
		{name: "two REQUESTs", scene: new(scene).selecting(udhcpc, bare, 1, 0, 0.01, 3).later(30), want: []string{"error dhcp-request-unanswered"}, until: 6.99},
		{name: "iPXE repeats quickly", scene: new(scene).selecting(ipxe, server, 1, 0, 2.5, 2.75, 3.25, 4.25, 6.25).later(30),
			want: []string{"error dhcp-request-unanswered"}, until: 6.7},
		{name: "one REQUEST", scene: new(scene).selecting(udhcpc, bare, 1, 0, 0.01).later(30)},
		{name: "answered to the second", scene: new(scene).selecting(udhcpc, bare, 1, 0, 0.01, 3).
			add(3.01, bare.Frame(bare.Ack(request(udhcpc, bare, 1), nodeAddr))).later(30)},
		{name: "answered late: taken back", scene: new(scene).selecting(udhcpc, bare, 1, 0, 0.01, 3, 6).
			add(8, bare.Frame(bare.Ack(request(udhcpc, bare, 1), nodeAddr))).later(30)},
		{name: "the server that was not chosen stays silent", scene: new(scene).
			add(0, udhcpc.Discover(1, 0).Broadcast()).
			add(0.001, server.Frame(server.Offer(udhcpc.Discover(1, 0), "10.0.0.58"))).
			add(0.002, bare.Frame(bare.Offer(udhcpc.Discover(1, 0), nodeAddr))).
			add(0.01, request(udhcpc, bare, 1).Broadcast()).
			add(0.02, bare.Frame(bare.Ack(request(udhcpc, bare, 1), nodeAddr))).later(30)},
		{name: "INIT-REBOOT may stay unanswered", scene: new(scene).add(0, udhcpc.Reboot(4, nodeAddr).Broadcast()).
			add(3, udhcpc.Reboot(4, nodeAddr).Broadcast()).dora(10, udhcpc, bare, 5, 0.01).later(30)},
		{name: "REBINDING may stay unanswered", scene: rebind(rebind(new(scene), 0), 60).later(90)},
		{name: "renewals fail until T2", scene: rebind(renews(0, 60, 120), 180).later(200), want: []string{"warning dhcp-request-unanswered"}, until: 179},
		{name: "renewals with the transaction id of the first exchange", scene: constantXID(true).later(300), want: []string{"ok renew-by-running-node"}},
		{name: "renewals with the transaction id of the first exchange, not answered", scene: constantXID(false).later(300), want: []string{"warning dhcp-request-unanswered"}},
		{name: "a renewal is answered at last", scene: renews(0, 60).add(60.01, bare.Frame(bare.Ack(udhcpc.Renew(5, nodeAddr), nodeAddr))).later(200),
			want: []string{"ok renew-by-running-node"}},
		{name: "ICMP: nobody listens", scene: closed(), want: []string{"warning dhcp-request-unanswered"}},
	})
}

func TestRequestSeenBeforeAndBehindRelay(t *testing.T) {
	r := request(udhcpc, bare, 1)
	s := new(scene).selecting(udhcpc, bare, 1, 0, 0.01).add(0.012, r.Relayed(router, bare.Host, "10.0.0.1")).later(30)
	res := run(t, s.capture(), nil)
	if got := said(res); len(got) > 0 {
		t.Errorf("got %v, want nothing: it is one REQUEST", got)
	}
	if res.Counts.DHCP4.Messages["REQUEST"] != 2 || res.Counts.DHCP4.Transactions != 1 {
		t.Errorf("got %d REQUESTs in %d transactions, want 2 in 1", res.Counts.DHCP4.Messages["REQUEST"], res.Counts.DHCP4.Transactions)
	}
}

func TestNAK(t *testing.T) {
	nak := func(v synth.DHCPServer, to synth.DHCP) []byte { return v.Frame(v.Nak(to, "wrong network")) }
	reboot := udhcpc.Reboot(4, "192.168.9.9")
	runAll(t, []ruleTest{
		{name: "of an offer", scene: new(scene).selecting(udhcpc, bare, 1, 0, 0.01).add(0.02, nak(bare, request(udhcpc, bare, 1))).later(60),
			want: []string{"error dhcp-nak"}},
		{name: "of another server", scene: new(scene).selecting(udhcpc, bare, 1, 0, 0.01).add(0.02, nak(server, request(udhcpc, bare, 1))).
			add(0.03, bare.Frame(bare.Ack(request(udhcpc, bare, 1), nodeAddr))).later(60), want: []string{"warning dhcp-nak"}},
		{name: "of an old address, no ACK follows", scene: new(scene).add(0, reboot.Broadcast()).add(0.01, nak(bare, reboot)).later(60),
			want: []string{"error dhcp-nak"}, until: 30},
		{name: "of an old address, the capture ends", scene: new(scene).add(0, reboot.Broadcast()).add(0.01, nak(bare, reboot)).later(5),
			want: []string{"warning dhcp-nak"}},
		{name: "of an old address, then a new lease", scene: new(scene).add(0, reboot.Broadcast()).add(0.01, nak(bare, reboot)).
			dora(1, udhcpc, bare, 5, 0.01).later(60)},
		{name: "twice, then a lease", scene: new(scene).add(0, reboot.Broadcast()).add(0.01, nak(bare, reboot)).add(2, reboot.Broadcast()).
			add(2.01, nak(bare, reboot)).dora(3, udhcpc, bare, 5, 0.01).later(60), want: []string{"warning dhcp-nak"}},
		{name: "of an offer, then a lease", scene: new(scene).selecting(udhcpc, bare, 1, 0, 0.01).add(0.02, nak(bare, request(udhcpc, bare, 1))).
			dora(1, udhcpc, bare, 2, 0.01).later(60), want: []string{"warning dhcp-nak"}},
	})
}

func TestDecline(t *testing.T) {
	d := synth.DHCP{Type: synth.DHCPDecline, XID: 9, MAC: synth.MAC(nodeMAC), Options: []synth.Opt{synth.OptAddr(50, nodeAddr), synth.OptAddr(54, "10.0.0.3")}}
	runAll(t, []ruleTest{
		{name: "declined", scene: new(scene).dora(0, udhcpc, bare, 1, 0.01).add(1, d.Broadcast()).later(30), want: []string{"error duplicate-address"}},
		{name: "released", scene: new(scene).dora(0, udhcpc, bare, 1, 0.01).
			add(1, synth.DHCP{Type: synth.DHCPRelease, XID: 9, MAC: synth.MAC(nodeMAC), CIAddr: nodeAddr}.Unicast(synth.NewHost(nodeMAC, nodeAddr), bare.Host, 68, 67)).later(30)},
	})
}

func TestRelay(t *testing.T) {
	agent := synth.NewHost("a0:00:00:00:00:01", "10.1.0.1")
	ping := func(n int, replies bool) *scene {
		s := new(scene)
		for i := range n {
			x := float64(4 * i)
			d := rom.Discover(1, 0)
			d.GIAddr = "10.1.0.1"
			s.add(x, d.Unicast(agent, server.Host, 67, 67))
			if replies {
				s.add(x+0.001, server.Frame(server.Offer(d, "10.1.0.57")))
			}
		}
		return s
	}
	offer := server.Frame(server.Offer(func() synth.DHCP { d := rom.Discover(1, 0); d.GIAddr = "10.1.0.1"; return d }(), "10.1.0.57"))
	taken := rom.Request(server.Offer(rom.Discover(1, 0), "10.1.0.57"), 0)
	taken.GIAddr = "10.1.0.1"
	second := synth.NewHost("a0:00:00:00:00:21", "10.2.0.1")
	chained := func() *scene {
		d := rom.Discover(1, 0)
		d.GIAddr = "10.1.0.1"
		return new(scene).add(0, d.Unicast(agent, second, 67, 67)).add(0.001, d.Unicast(second, server.Host, 67, 67)).
			add(0.002, server.Frame(server.Offer(d, "10.1.0.57"))).later(1)
	}
	runAll(t, []ruleTest{
		{name: "offers do not get back", scene: ping(4, true).later(60), want: []string{"error dhcp-relay-broken"}, until: 12.9},
		{name: "the fourth is taken", scene: ping(4, true).add(12.5, taken.Unicast(agent, server.Host, 67, 67)).later(14)},
		{name: "no offers at all", scene: ping(4, false).later(60), want: []string{"error dhcp-no-offer"}},
		{name: "ICMP about the relay", scene: ping(1, true).add(0.01, synth.ICMPError(synth.NewHost("a0:00:00:00:00:31", "10.0.0.254"), server.Host, 3, 1, 0, offer)).later(2),
			want: []string{"error dhcp-relay-broken"}},
		{name: "ICMP about some client", scene: ping(1, true).add(0.01, synth.ICMPError(synth.NewHost(nodeMAC, nodeAddr), server.Host, 3, 3, 0,
			server.Frame(server.Offer(udhcpc.Discover(1, 0), nodeAddr)))).later(2)},
		{name: "the relay passes requests to something else", cfg: racks("10.0.0.9"), scene: ping(1, true).later(2),
			want: []string{"warning boot-options-off-rack", "warning dhcp-relay-off-rack"}},
		{name: "to the rack", cfg: racks("10.0.0.2"), scene: ping(1, true).later(2)},
		{name: "by way of another relay", cfg: racks("10.0.0.2"), scene: chained()},
		{name: "no racks told", scene: ping(1, true).later(2)},
	})
}

func TestBootOptionsOffRack(t *testing.T) {
	external := func(f func(*synth.DHCPServer)) *scene {
		v := synth.DHCPServer{Host: synth.NewHost("a0:00:00:00:00:07", "10.0.0.7"), Shape: synth.Windows, File: "bootx64.efi", Next: "10.0.0.7"}
		f(&v)
		return new(scene).dora(0, uefi, v, 1, 0.01).later(1)
	}
	runAll(t, []ruleTest{
		{name: "to itself", cfg: racks("10.0.0.2"), scene: external(func(v *synth.DHCPServer) {}), want: []string{"warning boot-options-off-rack"}},
		{name: "siaddr is the rack", cfg: racks("10.0.0.2"), scene: external(func(v *synth.DHCPServer) { v.Next = "10.0.0.2" })},
		{name: "option 66 is the rack", cfg: racks("10.0.0.2"), scene: external(func(v *synth.DHCPServer) { v.Extra = []synth.Opt{synth.OptText(66, "10.0.0.2")} })},
		{name: "option 66 is a name", cfg: racks("10.0.0.2"), scene: external(func(v *synth.DHCPServer) { v.Extra = []synth.Opt{synth.OptText(66, "rack.example")} })},
		{name: "URL on the rack", cfg: racks("10.0.0.2"), scene: external(func(v *synth.DHCPServer) { v.File = "http://10.0.0.2:5248/ipxe.cfg" })},
		{name: "URL elsewhere", cfg: racks("10.0.0.2"), scene: external(func(v *synth.DHCPServer) { v.File = "http://10.0.0.8/x" }), want: []string{"warning boot-options-off-rack"}},
		{name: "addresses only", cfg: racks("10.0.0.2"), scene: new(scene).dora(0, udhcpc, bare, 1, 0.01).later(1)},
		{name: "no racks told", scene: external(func(v *synth.DHCPServer) {})},
	})
}

// exchanges lists what became of each question, once, as it stood at the end.
func exchanges(list []track.Exchange) (all []string) {
	type key struct {
		op, subject string
		server      wire.Addr
		first       int64
	}
	last := map[key]int{}
	for i, x := range list {
		last[key{x.Op, x.Subject, x.Server.Addr, int64(x.First)}] = i
	}
	for i, x := range list {
		if last[key{x.Op, x.Subject, x.Server.Addr, int64(x.First)}] == i {
			s := fmt.Sprintf("%s %s", x.Op, x.Outcome)
			if x.Subject != "" {
				s += " " + x.Subject
			}
			if x.Reason != "" {
				s += ": " + x.Reason
			}
			all = append(all, fmt.Sprintf("%s %s x%d", x.Stage, s, x.Tries))
		}
	}
	return all
}

func TestExchanges(t *testing.T) {
	node := synth.NewHost(nodeMAC, nodeAddr)
	inform := synth.DHCP{Type: synth.DHCPInform, XID: 3, MAC: synth.MAC(nodeMAC), CIAddr: nodeAddr}
	informed := synth.DHCP{Type: synth.DHCPAck, XID: 3, MAC: synth.MAC(nodeMAC), CIAddr: nodeAddr, Options: []synth.Opt{synth.OptAddr(54, "10.0.0.3")}}
	bootp := synth.DHCP{XID: 3, MAC: synth.MAC(nodeMAC)}
	booted := synth.DHCP{Op: 2, XID: 3, MAC: synth.MAC(nodeMAC), YIAddr: nodeAddr, File: "vmlinuz"}
	tests := []struct {
		name string
		s    *scene
		want []string
	}{
		{"lease", new(scene).dora(0, udhcpc, bare, 1, 0.01), []string{"dhcp DISCOVER answered x1", "dhcp REQUEST answered 10.0.0.57 x1"}},
		{"unanswered", new(scene).discovers(rom, 1, 0, 4).later(30), []string{"dhcp DISCOVER unanswered x2"}},
		{"open", new(scene).discovers(rom, 1, 0, 4).later(4.5), []string{"dhcp DISCOVER open x2"}},
		{"open request", new(scene).selecting(udhcpc, bare, 1, 0, 0.01), []string{"dhcp DISCOVER answered x1", "dhcp REQUEST open 10.0.0.57 x1"}},
		{"refused", new(scene).selecting(udhcpc, bare, 1, 0, 0.01).add(0.02, bare.Frame(bare.Nak(request(udhcpc, bare, 1), "no\x01"))),
			[]string{"dhcp DISCOVER answered x1", `dhcp REQUEST refused 10.0.0.57: NAK "no\x01" x1`}},
		{"rapid commit", new(scene).add(0, udhcpc.Discover(1, 0).With(synth.OptBytes(80)).Broadcast()).
			add(0.01, bare.Frame(bare.Ack(udhcpc.Discover(1, 0), nodeAddr))),
			[]string{"dhcp DISCOVER answered x1", "dhcp REQUEST answered 10.0.0.57 x0"}},
		{"renewal", new(scene).add(0, udhcpc.Renew(5, nodeAddr).Unicast(node, bare.Host, 68, 67)).add(0.01, bare.Frame(bare.Ack(udhcpc.Renew(5, nodeAddr), nodeAddr))),
			[]string{"dhcp RENEW answered 10.0.0.57 x1"}},
		{"INFORM", new(scene).add(0, inform.Unicast(node, bare.Host, 68, 67)).add(0.01, informed.Unicast(bare.Host, node, 67, 68)), []string{"dhcp INFORM answered x1"}},
		{"INFORM alone", new(scene).add(0, inform.Unicast(node, bare.Host, 68, 67)).later(9), []string{"dhcp INFORM unanswered x1"}},
		{"BOOTP", new(scene).add(0, bootp.Broadcast()).add(0.01, booted.Unicast(bare.Host, node, 67, 68)), []string{"dhcp BOOTP answered x1"}},
		{"BOOTP alone", new(scene).add(0, bootp.Broadcast()).later(9), []string{"dhcp BOOTP unanswered x1"}},
		{"begins with the ACK", new(scene).dora(0, udhcpc, bare, 1, 0.01).fromFrame(3), []string{"dhcp REQUEST answered 10.0.0.57 x0"}},
		{"the OFFER is missing", new(scene).dora(0, udhcpc, bare, 1, 0.01).without(1), []string{"dhcp DISCOVER answered x1", "dhcp REQUEST answered 10.0.0.57 x1"}},
		{"lease query of a relay", new(scene).add(0, synth.DHCP{Op: 1, Type: 10, XID: 1, GIAddr: "10.0.0.1", CIAddr: nodeAddr}.Unicast(router, bare.Host, 67, 67)).later(9), nil},
		{"quoted in an ICMP error", new(scene).add(0, synth.ICMPError(node, bare.Host, 3, 3, 0, bare.Frame(bare.Offer(udhcpc.Discover(1, 0), nodeAddr)))).later(9), nil},
	}
	for _, x := range tests {
		t.Run(x.name, func(t *testing.T) {
			if d := cmp.Diff(x.want, exchanges(run(t, x.s.capture(), nil).Exchanges)); d != "" {
				t.Errorf("exchanges (-want +got):\n%s", d)
			}
		})
	}
}

func (s *scene) fromFrame(n int) *scene { s.Packets = s.Packets[n:]; return s }

func (s *scene) without(n int) *scene {
	s.Packets = append(s.Packets[:n:n], s.Packets[n+1:]...)
	return s
}

// A lease says all that the boot needs to know, in the words of client and
// server.
func TestLease(t *testing.T) {
	r := run(t, new(scene).dora(0, uefi, server, 1, 0.01).later(1).capture(), nil)
	var x *track.Exchange
	for i := range r.Exchanges {
		if r.Exchanges[i].Op == "REQUEST" {
			x = &r.Exchanges[i]
		}
	}
	if x == nil || x.Lease == nil {
		t.Fatal("no REQUEST with a lease")
	}
	l := x.Lease
	got := []any{l.MAC.String(), l.Addr.String(), l.Server.String(), l.ServerMAC.String(), l.NextServer.String(), l.File, l.Arch, l.Kind, l.Class, l.BootInfo, l.BootServers}
	want := []any{nodeMAC, nodeAddr, "10.0.0.2", "a0:00:00:00:00:02", "10.0.0.2", "bootx64.efi", 7, track.ClientPXE, "PXEClient:Arch:00007:UNDI:003016", true, []wire.Addr{wire.MustAddr("10.0.0.2")}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("lease (-want +got):\n%s", d)
	}
	if x.Client.MAC.String() != nodeMAC || x.Client.Addr.String() != nodeAddr || x.Server.MAC.String() != "a0:00:00:00:00:02" {
		t.Errorf("got client %v, server %v", x.Client, x.Server)
	}
	if f := r.Find("dhcp-ok"); f == nil || f.Severity != finding.OK || len(f.Frames) != 4 {
		t.Errorf("dhcp-ok: got %+v, want one with 4 frames", f)
	}
	if f := run(t, new(scene).dora(0, uefi, bare, 1, 0.01).later(1).capture(), nil).Find("dhcp-ok"); f != nil {
		t.Errorf("got dhcp-ok for firmware with nothing to boot")
	}
}
