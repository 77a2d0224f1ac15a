package classify_test

import (
	"github.com/pxescope/pxescope/capture/synth"
)

var agent = synth.NewHost("00:00:0c:00:00:10", "10.1.0.1") // the relay of 10.1.0.0/24

func relayRows() []row {
	return []row{
		{rule: "dhcp-relay-broken", fires: relayBroken, node: nodeMAC, server: rackAddr, due: 13.001,
			normal: []lookalike{
				{name: "two gateways with one anycast address", tell: anycastRelays},
				{name: "the server does not offer", tell: relayedInVain, says: []string{"error dhcp-no-offer"}},
			}},
		{rule: "dhcp-relay-off-rack", fires: relayOffRack, site: "rack: 10.0.0.2", server: otherAddr, with: []string{"error dhcp-rogue-server"},
			normal: []lookalike{
				{name: "to the rack", tell: func(s *story) { relayedBoot(s, bios) }},
				{name: "by way of another relay", tell: relayChain, early: []string{"warning dhcp-relay-off-rack"}},
			}},
		{rule: "boot-options-off-rack", fires: optionsOffRack, site: "rack: 10.0.0.2\ndhcp_server: 10.0.0.7", node: nodeMAC, server: "10.0.0.7",
			normal: []lookalike{
				{name: "the external server names the rack", tell: func(s *story) { external(s, rackAddr, nil) }},
				{name: "a host name is not judged", tell: func(s *story) { external(s, "", []synth.Opt{synth.OptText(66, "rack.example")}) }},
			}},
	}
}

// relayed is a DISCOVER of the firmware as the relay passes it on.
func relayed(xid uint32) synth.DHCP {
	d := rom.Discover(xid, 0)
	d.GIAddr = "10.1.0.1"
	d.Hops = 1
	return d
}

// relayBroken: captured at the server. It answers the relay each time, the
// machine behind the relay goes on asking: no route back to giaddr.
func relayBroken(s *story) {
	for _, x := range []float64{0, 4, 8, 12} {
		d := relayed(1)
		s.at(x, d.Unicast(agent, rack.Host, 67, 67)).at(x+0.001, rack.Frame(rack.Offer(d, "10.1.0.57")))
	}
	s.names(1, 2, 3, 5, 7, 8).tick(60)
}

// relayedInVain: the relay works, the server says nothing.
func relayedInVain(s *story) {
	for _, x := range []float64{0, 4, 8, 12} {
		s.at(x, relayed(1).Unicast(agent, rack.Host, 67, 67))
	}
	s.tick(60)
}

// relayedBoot is a boot through the relay, captured at the server.
func relayedBoot(s *story, v synth.DHCPServer) {
	far := synth.Host{MAC: agent.MAC, IP: synth.NewHost(nodeMAC, "10.1.0.57").IP}
	d := relayed(1)
	o := v.Offer(d, "10.1.0.57")
	q := rom.Request(o, 0)
	q.GIAddr, q.Hops = d.GIAddr, 1
	s.at(0, d.Unicast(agent, v.Host, 67, 67)).at(0.001, v.Frame(o))
	s.at(2, q.Unicast(agent, v.Host, 67, 67)).at(2.001, v.Frame(v.Ack(q, "10.1.0.57")))
	synth.TFTPTransfer(&s.Capture, secs(2.1), synth.TFTP{Client: far, Server: v.Host, File: v.File, Size: 9000})
	s.tick(60)
}

// anycastRelays: two gateways pass each request on; the machine is served.
func anycastRelays(s *story) {
	twin := synth.NewHost("00:00:0c:00:00:11", "10.1.0.1")
	relayedBoot(s, bios)
	d := relayed(1)
	s.at(0.0005, d.Unicast(twin, rack.Host, 67, 67)).at(0.0016, bios.Frame(bios.Offer(d, "10.1.0.57")))
}

// relayOffRack: the router's helper address names the office's DHCP server.
func relayOffRack(s *story) {
	v := other
	v.File, v.Next = "bootx64.efi", rackAddr
	d := relayed(1)
	s.prove(0, d.Unicast(agent, v.Host, 67, 67)).at(0.001, v.Frame(v.Offer(d, "10.1.0.57"))).tick(5)
}

// relayChain: the first relay's target is a second relay, which asks the rack.
func relayChain(s *story) {
	second := synth.NewHost("00:00:0c:00:00:21", "10.2.0.1")
	d := relayed(1)
	s.at(0, d.Unicast(agent, second, 67, 67))
	d.Hops = 2
	s.at(0.001, d.Unicast(second, rack.Host, 67, 67)).at(0.002, rack.Frame(rack.Offer(d, "10.1.0.57"))).tick(5)
}

// external is a DHCP server of somebody else that gives boot information.
func external(s *story, next string, extra []synth.Opt) {
	v := synth.DHCPServer{Host: synth.NewHost("3c:ec:ef:00:00:07", "10.0.0.7"), Shape: synth.Windows, File: "bootx64.efi", Next: next, Extra: extra}
	s.lease(0, uefi, v, 1, nodeAddr, 1).loads(1.2, "bootx64.efi", 9000, 1170).tick(60)
}

// optionsOffRack: it names itself, a former boot server.
func optionsOffRack(s *story) {
	v := synth.DHCPServer{Host: synth.NewHost("3c:ec:ef:00:00:07", "10.0.0.7"), Shape: synth.Windows, File: "bootx64.efi", Next: "10.0.0.7"}
	s.lease(0, uefi, v, 1, nodeAddr, 1).names(2).loads(1.2, "bootx64.efi", 9000, 1170).tick(60)
}
