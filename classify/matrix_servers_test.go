package classify_test

import (
	"fmt"
	"net/netip"

	"github.com/pxescope/pxescope/capture/synth"
)

func normalDHCPRows() []row {
	probe := func(rule string, c synth.DHCPClient, xid uint32, times ...float64) row {
		return row{
			rule: rule, node: wireMAC(c.MAC),
			fires: func(s *story) {
				s.prove(times[0], c.Discover(xid, 0).Broadcast()).discovers(c, xid, times[1:]...).tick(60)
			},
			normal: []lookalike{
				{name: "a machine that boots", tell: func(s *story) { s.loaded(0).tick(60) }},
				{name: "a machine that nobody answers", tell: noOffer, says: []string{"error dhcp-no-offer"}},
			},
		}
	}
	return []row{
		probe("probe-by-maas", synth.MAASProbe("3c:ec:ef:00:00:08"), 1, 0, 2, 4, 8),
		probe("probe-by-xcat", synth.Udhcpc("3c:ec:ef:00:00:08"), 0x3c3d3e3f, 0, 2, 4, 6, 8),
		probe("probe-by-nmap", synth.Udhcpc("de:ad:c0:de:ca:fe"), 1, 0, 2, 4, 6, 8),
	}
}

func wireMAC(m [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

const virbr = "52:54:00:8f:3c:11"

// router is a home router with its DHCP service on.
var router = synth.DHCPServer{Host: synth.NewHost("00:14:22:00:00:09", "192.168.1.1"), Shape: synth.Udhcpd, Router: "192.168.1.1", DNS: []string{"192.168.1.1"}}

func serverRows() []row {
	return []row{
		{rule: "dhcp-rogue-libvirt", fires: libvirtLease, node: nodeMAC, server: "192.168.122.1", with: []string{"error dhcp-rogue-libvirt"},
			normal: []lookalike{
				{name: "guests of the hypervisor", tell: libvirtGuest},
				{name: "a lab in 192.168.122.0/24 with its own server", tell: labInLibvirtNet},
			}},
		{rule: "dhcp-rogue-server", fires: homeRouterLease, site: "dhcp_server: 10.0.0.2", node: nodeMAC, server: "192.168.1.1", with: []string{"error dhcp-rogue-server"},
			normal: []lookalike{
				{name: "second address of the rack", tell: secondAddress, late: []string{"error dhcp-rogue-server", "error dhcp-rogue-server"}},
				{name: "the relay's address as source and server id", tell: serverIDOverride},
				{name: "a failover peer", tell: failoverPair},
			}},
		{rule: "dhcp-several-servers", fires: twoSubnets,
			normal: []lookalike{
				{name: "a failover pair", tell: failoverPair, says: []string{"note dhcp-several-servers"}},
				{name: "a proxy beside", tell: proxyBeside},
				{name: "servers of two VLANs", tell: twoVLANs},
			}},
		{rule: "dhcp-answers-disagree", fires: answersDisagree, node: nodeMAC, server: otherAddr, with: []string{"warning dhcp-several-servers"},
			normal: []lookalike{
				{name: "a proxy and a plain server", tell: proxyBeside},
				{name: "a failover pair", tell: failoverPair},
			}},
		{rule: "l2-port-not-forwarding", fires: portMute, node: nodeMAC, severity: "warning", due: 28.005, early: []string{"error dhcp-no-offer"},
			normal: []lookalike{
				{name: "ping check of 3 s", tell: pingCheck3},
				{name: "the server was started", tell: serverStarted, early: []string{"error dhcp-no-offer"}},
				{name: "the capture began late", tell: func(s *story) {
					s.at(28, rom.Discover(7, 28).Broadcast()).lease(28.1, rom, bios, 7, nodeAddr, 1).loads(29.2, "lpxelinux.0", 9000, 2070)
				}},
			}},
		{rule: "dhcp-pool-exhausted", fires: poolEmpty, with: []string{"error dhcp-no-offer", "error dhcp-no-offer"}, due: 10,
			normal: []lookalike{
				{name: "one client in vain", tell: func(s *story) { s.running(5, nodeMAC3, addr3, 3); noOffer(s) }, says: []string{"error dhcp-no-offer"}},
				{name: "nobody is served", tell: func(s *story) { noOffer(s); s.discovers(synth.PXERom(nodeMAC2), 2, 1, 5, 13, 29) }, says: []string{"error dhcp-no-offer", "error dhcp-no-offer"}},
			}},
		{rule: "dhcp-starvation", fires: starvation,
			normal: []lookalike{
				{name: "a relay sends for many", tell: relaySendsForMany},
				{name: "many machines that send for themselves", tell: manyMachines},
			}},
	}
}

func libvirt() synth.DHCPServer { return synth.LibvirtServer(virbr) }

// libvirtLease: the firmware takes the lease of a libvirt host's default
// network, which has no boot file, and stays there.
func libvirtLease(s *story) {
	v := libvirt()
	d := rom.Discover(1, 0)
	o := v.Offer(d, "192.168.122.87")
	q := rom.Request(o, 4)
	s.at(0, d.Broadcast()).at(0.002, rack.Frame(rack.Offer(d, nodeAddr)))
	s.proof(func() {
		s.at(0.004, v.Frame(o)).at(4, q.Broadcast()).at(4.002, v.Frame(v.Ack(q, "192.168.122.87")))
	}).tick(60)
}

// libvirtGuest: a guest of the hypervisor is served on purpose.
func libvirtGuest(s *story) {
	s.lease(0, synth.Udhcpc("52:54:00:aa:bb:01"), libvirt(), 1, "192.168.122.57", 0.01).tick(60)
}

// labInLibvirtNet: MAAS in a guest serves the lab's network itself.
func labInLibvirtNet(s *story) {
	v := rack
	v.Host, v.Shape, v.Router, v.Next = synth.NewHost("52:54:00:00:00:10", "192.168.122.10"), synth.Dnsmasq, "192.168.122.1", "192.168.122.10"
	s.lease(0, uefi, v, 1, "192.168.122.57", 1)
	synth.TFTPTransfer(&s.Capture, secs(1.2), synth.TFTP{Client: node.At("192.168.122.57"), Server: v.Host, File: "bootx64.efi", Size: 9000})
	s.tick(60)
}

// homeRouterLease: somebody plugged a home router in; the rack is named in the
// site file.
func homeRouterLease(s *story) {
	s.running(0, nodeMAC2, addr2, 2)
	d := udhcpc.Discover(1, 0)
	o := router.Offer(d, "192.168.1.20")
	q := udhcpc.Request(o, 0)
	s.at(5, d.Broadcast())
	s.proof(func() {
		s.at(5.001, router.Frame(o)).at(5.01, q.Broadcast()).at(5.02, router.Frame(router.Ack(q, "192.168.1.20")))
	}).tick(60)
}

// secondAddress: the rack answers on its second network under another id.
func secondAddress(s *story) {
	v := rack
	v.IP, v.ID, v.Next = netip.MustParseAddr("10.0.1.2"), "10.0.1.2", "10.0.1.2"
	s.running(0, nodeMAC2, addr2, 2).lease(5, udhcpc, v, 1, "10.0.1.57", 0.01).tick(60)
}

// serverIDOverride: with RFC 5107 option 54 is the relay's address.
func serverIDOverride(s *story) {
	v := rack
	v.ID = "10.1.0.1"
	d := udhcpc.Discover(1, 0)
	d.GIAddr = "10.1.0.1"
	o := v.Offer(d, "10.1.0.9")
	q := udhcpc.Request(o, 0)
	q.GIAddr = d.GIAddr
	s.at(0, udhcpc.Discover(1, 0).Broadcast()).at(0.001, synth.UDP(agent, synth.Everyone, 67, 68, o.Bytes()))
	s.at(0.01, udhcpc.Request(o, 0).Broadcast()).at(0.011, synth.UDP(agent, synth.Everyone, 67, 68, v.Ack(q, "10.1.0.9").Bytes())).tick(60)
}

// failoverPair: two halves of one DHCP service answer alike.
func failoverPair(s *story) {
	peer := rack
	peer.Host = synth.NewHost("3c:ec:ef:00:00:05", "10.0.0.5")
	d := udhcpc.Discover(1, 0)
	o := rack.Offer(d, nodeAddr)
	q := udhcpc.Request(o, 0)
	s.at(0, d.Broadcast()).at(0.001, rack.Frame(o)).at(0.002, peer.Frame(peer.Offer(d, addr3)))
	s.at(0.01, q.Broadcast()).at(0.011, rack.Frame(rack.Ack(q, nodeAddr))).tick(60)
}

// office is a DHCP server of another subnet, neither better nor worse.
func office() synth.DHCPServer {
	v := rack
	v.Host, v.Router, v.DNS, v.File, v.Next = synth.NewHost("3c:ec:ef:00:00:06", "10.7.0.2"), "10.7.0.1", []string{"10.7.0.2"}, "", ""
	return v
}

// twoSubnets: two servers serve two machines of one segment from two subnets.
func twoSubnets(s *story) {
	d := udhcpc.Discover(1, 0)
	v := office()
	o, p := rack.Offer(d, nodeAddr), v.Offer(synth.Udhcpc(nodeMAC2).Discover(2, 0), "10.7.0.58")
	q, q2 := udhcpc.Request(o, 0), synth.Udhcpc(nodeMAC2).Request(p, 0)
	s.at(0, d.Broadcast()).prove(0.001, rack.Frame(o)).at(0.01, q.Broadcast()).at(0.011, rack.Frame(rack.Ack(q, nodeAddr)))
	s.at(5, synth.Udhcpc(nodeMAC2).Discover(2, 0).Broadcast()).prove(5.001, v.Frame(p)).at(5.01, q2.Broadcast()).at(5.011, v.Frame(v.Ack(q2, "10.7.0.58"))).tick(60)
}

// twoVLANs: each VLAN has its own server.
func twoVLANs(s *story) {
	s.running(0, nodeMAC2, addr2, 2)
	x := tell(func(s *story) { s.lease(5, udhcpc, office(), 1, "10.7.0.57", 0.01) })
	s.Join(x.Tagged(30))
	s.tick(60)
}

// answersDisagree: two servers offer the node the same subnet with different
// routers.
func answersDisagree(s *story) {
	v := other
	v.Router, v.File, v.Next = "10.0.0.254", "bootx64.efi", rackAddr
	d := uefi.Discover(1, 0)
	o := rack.Offer(d, nodeAddr)
	q := uefi.Request(o, 0)
	s.at(0, d.Broadcast())
	s.proof(func() { s.at(0.001, rack.Frame(o)).at(0.002, v.Frame(v.Offer(d, addr3))) })
	s.at(2, q.Broadcast()).at(2.001, rack.Frame(rack.Ack(q, nodeAddr))).loads(2.1, "bootx64.efi", 9000, 1170).tick(60)
}

// portMute: the ROM asks at 0, 4, 12 s in vain and is answered at once at 28 s;
// another machine of the VLAN was served meanwhile: classic spanning tree.
func portMute(s *story) {
	s.running(10, nodeMAC2, addr2, 2)
	s.proof(func() { s.discovers(rom, 7, 0, 4, 12, 28) })
	o := bios.Offer(rom.Discover(7, 0), nodeAddr)
	s.prove(28.005, bios.Frame(o))
	q := rom.Request(o, 28)
	s.at(29, q.Broadcast()).at(29.001, bios.Frame(bios.Ack(q, nodeAddr))).loads(29.1, "lpxelinux.0", 9000, 2070).tick(60)
}

// serverStarted: nobody was answered until the DHCP server was started.
func serverStarted(s *story) {
	s.discovers(rom, 7, 0, 4, 12).discovers(synth.Udhcpc(nodeMAC2), 8, 5, 8, 11)
	s.lease(28, rom, bios, 7, nodeAddr, 1).loads(29.1, "lpxelinux.0", 9000, 2070).running(28.5, nodeMAC2, addr2, 9).tick(60)
}

// poolEmpty: two new machines get nothing while a known one is served: the
// pool has no free address.
func poolEmpty(s *story) {
	d := synth.PXERom(nodeMAC2)
	s.prove(0, rom.Discover(1, 0).Broadcast()).prove(1, d.Discover(2, 0).Broadcast())
	s.running(5, nodeMAC3, addr3, 3)
	s.evidence[&s.Packets[len(s.Packets)-1].Data[0]] = true // the ACK
	s.discovers(rom, 1, 4, 12, 28).discovers(d, 2, 5, 13, 29).tick(60)
}

// madeUp are DISCOVERs in the name of n machines that one station sends.
func madeUp(s *story, n int, giaddr string) {
	station := synth.NewHost("00:0c:29:00:00:66", "")
	for i := range n {
		c := synth.Udhcpc("02:11:22:33:44:00")
		c.MAC[5] = byte(i)
		d := c.Discover(uint32(i), 0)
		d.GIAddr = giaddr
		s.at(0.03*float64(i), d.Unicast(station, synth.Everyone, 68, 67))
	}
}

// starvation: one station asks for addresses in the name of many.
func starvation(s *story) { s.proof(func() { madeUp(s, 16, "") }).tick(1) }

// relaySendsForMany: a relay does that too, and sets giaddr.
func relaySendsForMany(s *story) { madeUp(s, 40, "10.1.0.1"); s.tick(1) }

// manyMachines: a rack is switched on; each asks for itself.
func manyMachines(s *story) {
	for i := range 20 {
		c := synth.Udhcpc("d4:ae:52:00:01:00")
		c.MAC[5] = byte(i)
		s.lease(0.1*float64(i), c, rack, uint32(100+i), fmt.Sprintf("10.0.0.%d", 100+i), 0.01)
	}
	s.tick(60)
}
