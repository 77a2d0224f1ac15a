package dhcp_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/capture/synth"
	"github.com/pxescope/pxescope/classify/track"
)

// Situations that are no fault and that a simpler tracker gets wrong.
func TestEdges(t *testing.T) {
	node := synth.NewHost(nodeMAC, nodeAddr)
	fragmented := func(parts int) *scene {
		big := bare
		big.Extra = []synth.Opt{{Code: 224, Data: make([]byte, 1600)}}
		s := new(scene).discovers(udhcpc, 1, 0, 3, 6).later(30)
		for i, f := range synth.Fragments(big.Frame(big.Offer(udhcpc.Discover(1, 0), nodeAddr)), 1500)[:parts] {
			s.add(0.01+0.001*float64(i), f)
		}
		return s
	}
	// The same ROM starts three times, with the transaction id it always has.
	reboots := func() *scene {
		s := new(scene)
		for i := range 3 {
			s.offered(rom, 1, []synth.DHCPServer{server}, 30*float64(i), 30*float64(i)+4)
			r := rom.Request(server.Offer(rom.Discover(1, 0), nodeAddr), 0)
			s.add(30*float64(i)+5, r.Broadcast()).add(30*float64(i)+5.01, server.Frame(server.Ack(r, nodeAddr)))
		}
		return s.later(120)
	}
	// MAAS's rack looks for servers, and has its own address by DHCP.
	rackAsClient := func() *scene {
		c := synth.Dhclient(nodeMAC)
		return new(scene).offered(synth.MAASProbe(nodeMAC), 9, []synth.DHCPServer{bare}, 0, 2, 4, 8).dora(20, c, bare, 10, 0.01).later(60)
	}
	throughRelay := func() *scene {
		agent := synth.NewHost("a0:00:00:00:00:01", "10.1.0.1")
		d := udhcpc.Discover(1, 0)
		rd := d
		rd.GIAddr, rd.Hops = "10.1.0.1", 1
		o := server.Offer(rd, nodeAddr)
		r := udhcpc.Request(o, 0)
		rr := r
		rr.GIAddr, rr.Hops = "10.1.0.1", 1
		a := server.Ack(rr, nodeAddr)
		onClient := new(scene).add(0, d.Broadcast()).add(0.004, o.Unicast(agent, synth.Everyone, 67, 68)).add(0.005, r.Broadcast()).
			add(0.009, a.Unicast(agent, synth.Everyone, 67, 68)).capture().Tagged(10)
		onServer := new(scene).add(0.001, rd.Unicast(agent, server.Host, 67, 67)).add(0.003, server.Frame(o)).
			add(0.006, rr.Unicast(agent, server.Host, 67, 67)).add(0.008, server.Frame(a)).capture().Tagged(20)
		return &scene{*onClient.Join(onServer, new(scene).later(30).capture())}
	}
	dns := make([]byte, 60)
	dns[0] = 1
	runAll(t, []ruleTest{
		{name: "a fragmented OFFER", scene: fragmented(2), want: nil},
		{name: "a fragmented OFFER of which the rest is lost", scene: fragmented(1), want: nil},
		{name: "a ROM that uses one transaction id", scene: reboots(), want: nil},
		{name: "a rack that is a client too", scene: rackAsClient(), want: []string{"ok probe-by-maas"}},
		{name: "a relay between two VLANs of a trunk", scene: throughRelay(), want: nil},
		{name: "DNS from port 4011", scene: new(scene).add(0, synth.UDP(node, server.Host, 4011, 53, dns)).later(30), want: nil},
		{name: "server replies only", scene: onlyFrom(new(scene).dora(0, rom, server, 1, 4), server.MAC), want: nil},
		{name: "client requests only, with a lease", scene: onlyFrom(new(scene).dora(0, udhcpc, server, 1, 0.01), synth.MAC(nodeMAC)).later(30), want: nil},
		{name: "fields that name nobody", scene: new(scene).add(0, synth.DHCP{Type: synth.DHCPDiscover, XID: 1, RawHLen: true}.Broadcast()).later(30), want: nil},
	})
}

func onlyFrom(s *scene, mac [6]byte) *scene {
	return &scene{*s.capture().Only(func(p synth.Packet) bool { return [6]byte(p.Data[6:12]) == mac })}
}

// IPoIB has no hardware address in its messages: the client id tells two
// clients with one transaction id apart (RFC 4390 section 2.1).
func TestIPoIB(t *testing.T) {
	c := func(id byte) synth.DHCP {
		return synth.DHCP{Type: synth.DHCPDiscover, XID: 7, RawHLen: true, HType: 32, Options: []synth.Opt{synth.OptBytes(61, 0xff, 0, 0, 0, id)}}
	}
	r := run(t, new(scene).add(0, c(1).Broadcast()).add(1, c(2).Broadcast()).later(30).capture(), nil)
	if got := r.Counts.DHCP4.Transactions; got != 2 {
		t.Errorf("got %d transactions, want 2", got)
	}
	if d := cmp.Diff([]string{"dhcp DISCOVER unanswered x1", "dhcp DISCOVER unanswered x1"}, exchanges(r.Exchanges)); d != "" {
		t.Errorf("exchanges (-want +got):\n%s", d)
	}
}

// What a proxy offered to the firmware is not what the operating system gets.
func TestLaterLeaseHasNoOldOffers(t *testing.T) {
	d := rom.Discover(1, 0)
	o := bare.Offer(d, nodeAddr)
	r := rom.Request(o, 0)
	s := new(scene).add(0, d.Broadcast()).add(0.001, bare.Frame(o)).add(0.002, proxy.Frame(proxy.ProxyOffer(d, useFile))).
		add(4, r.Broadcast()).add(4.001, bare.Frame(bare.Ack(r, nodeAddr)))
	reboot := dhclient.Reboot(9, nodeAddr)
	s.add(60, reboot.Broadcast()).add(60.001, bare.Frame(bare.Ack(reboot, nodeAddr)))
	var last *track.Lease
	for _, x := range run(t, s.later(61).capture(), nil).Exchanges {
		if x.Op == "REQUEST" && x.Outcome == track.Answered {
			last = x.Lease
		}
	}
	if last == nil || last.File != "" || last.Kind != track.ClientOther {
		t.Errorf("got lease %+v, want one of an operating system without a file", last)
	}
}

// Counts hold everything that was captured: copies, retries, both sides of a
// relay, and replies that came too late for judgement.
func TestCounts(t *testing.T) {
	late := new(scene).discovers(udhcpc, 1, 0).add(60, bare.Frame(bare.Offer(udhcpc.Discover(1, 0), nodeAddr)))
	r := run(t, late.capture().Doubled(), nil)
	want := track.DHCP4Counts{Messages: map[string]uint64{"DISCOVER": 2, "OFFER": 2}, Servers: []string{"10.0.0.3"}, Transactions: 1}
	if d := cmp.Diff(want, r.Counts.DHCP4); d != "" {
		t.Errorf("counts (-want +got):\n%s", d)
	}
	relayed := udhcpc.Discover(2, 0)
	r = run(t, new(scene).discovers(udhcpc, 2, 0, 3).add(3.001, relayed.Relayed(router, bare.Host, "10.0.0.1")).
		add(9, synth.DHCP{Type: 10, XID: 3, MAC: synth.MAC(otherMAC), GIAddr: "10.0.0.1"}.Unicast(router, bare.Host, 67, 67)).capture(), nil)
	want = track.DHCP4Counts{Messages: map[string]uint64{"DISCOVER": 3, "LEASEQUERY": 1}, Relayed: 2, Transactions: 2, DiscoverUnanswered: 1}
	if d := cmp.Diff(want, r.Counts.DHCP4); d != "" {
		t.Errorf("counts (-want +got):\n%s", d)
	}
}
