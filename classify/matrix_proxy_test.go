package classify_test

import (
	"github.com/pxescope/pxescope/capture/synth"
)

func proxyRows() []row {
	return []row{
		{rule: "proxydhcp-conflict", fires: twoProxies, node: nodeMAC, server: "10.0.0.5",
			normal: []lookalike{
				{name: "a plain server and a proxy", tell: proxyBeside},
				{name: "one proxy through two relays", tell: proxyTwice},
			}},
		{rule: "proxydhcp-4011-no-answer", fires: no4011Answer, node: nodeMAC, server: proxyAddr, due: 13.05,
			normal: []lookalike{
				{name: "iPXE goes on without the answer", tell: ipxeSkips4011, says: []string{"note proxydhcp-4011-no-answer"}},
				{name: "answered to its own port", tell: answered4011},
			}},
		{rule: "boot-server-discovery-no-answer", fires: noBootServer, node: nodeMAC, server: proxyAddr, due: 15,
			normal: []lookalike{
				{name: "the third request, a broadcast, is answered", tell: bootServerAnswers},
			}},
		{rule: "ipxe-waiting-for-proxy", fires: func(s *story) { s.proof(func() { ipxeAsksAgain(s) }); ipxeTakes(s) }, node: nodeMAC, server: rackAddr,
			normal: []lookalike{
				{name: "iPXE hears no OFFER", tell: ipxeHearsNothing, says: []string{"error reply-filtered"}},
				{name: "iPXE takes the OFFER at once", tell: func(s *story) {
					s.lease(0, ipxe, rack, 1, nodeAddr, 0.02).loads(0.2, "bootx64.efi", 9000, 49152).tick(60)
				}},
			}},
		{rule: "uefi-collecting-offers", fires: uefiTakesAfter4, node: nodeMAC, server: rackAddr,
			normal: []lookalike{
				{name: "a ROM that takes the OFFER after a second", tell: func(s *story) { dhcpOK(s) }},
				{name: "DISCOVERs repeated without a REQUEST", tell: func(s *story) { s.offered(uefi, 1, []synth.DHCPServer{rack}, 0, 4, 12).tick(40) },
					says: []string{"error dhcp-offer-ignored"}},
			}},
	}
}

// twoProxies: WDS and a Linux proxy both answer, with different files; which
// one the firmware follows changes from boot to boot.
func twoProxies(s *story) {
	wds := synth.DHCPServer{Host: synth.NewHost("3c:ec:ef:00:00:05", "10.0.0.5"), Shape: synth.Windows, File: `boot\x64\wdsmgfw.efi`, Next: "10.0.0.5"}
	d := uefi.Discover(1, 0)
	s.at(0, d.Broadcast()).at(0.001, other.Frame(other.Offer(d, nodeAddr)))
	s.proof(func() {
		s.at(0.002, proxy.Frame(proxy.ProxyOffer(d, useFile))).at(0.003, wds.Frame(wds.ProxyOffer(d, useFile)))
	}).tick(1)
}

// proxyTwice: the same proxy's answer comes twice, over two relays.
func proxyTwice(s *story) {
	d := uefi.Discover(1, 0)
	s.at(0, d.Broadcast()).at(0.001, other.Frame(other.Offer(d, nodeAddr)))
	for i, mac := range []string{"00:00:0c:00:00:01", "00:00:0c:00:00:02"} {
		s.at(0.002+float64(i)*0.03, synth.UDP(synth.NewHost(mac, "10.0.0.1"), synth.Everyone, 67, 68, proxy.ProxyOffer(d, useFile).Bytes()))
	}
	s.tick(1)
}

// askProxy is a lease with a proxy OFFER that sends the client to port 4011.
func (s *story) askProxy(c synth.DHCPClient) *story {
	silent := proxy
	silent.File = ""
	d := c.Discover(1, count(c, 1, false))
	o := other.Offer(d, nodeAddr)
	q := c.Request(o, count(c, 2, true))
	s.at(0, d.Broadcast()).at(0.001, other.Frame(o)).at(0.002, silent.Frame(silent.ProxyOffer(d)))
	return s.at(1.9, q.Broadcast()).at(1.901, other.Frame(other.Ack(q, nodeAddr)))
}

// asks4011 are requests to the proxy's port 4011.
func (s *story) asks4011(c synth.DHCPClient, sport uint16, times ...float64) *story {
	for i, x := range times {
		d := c.Renew(77, nodeAddr)
		d.Secs = uint16(i+1) << 8 // edk2 swaps the bytes
		s.at(x, d.Unicast(node, proxy.Host, sport, 4011))
	}
	return s
}

// bootAck is the proxy's answer on port 4011.
func bootAck(to synth.DHCP) synth.DHCP {
	d := proxy.ProxyOffer(to)
	d.Type = synth.DHCPAck
	return d
}

// no4011Answer: option 60 PXEClient sends edk2 to port 4011, where nobody is:
// PXE-E55.
func no4011Answer(s *story) {
	s.askProxy(uefi)
	s.proof(func() { s.asks4011(uefi, 4011, 2, 3.05, 5.25, 10.25) }).tick(60)
}

// ipxeSkips4011: iPXE asks, waits for 2 s and boots without.
func ipxeSkips4011(s *story) {
	s.askProxy(ipxe).asks4011(ipxe, 68, 2, 2.5, 3).loads(4.2, "bootx64.efi", 9000, 49152).tick(60)
}

// answered4011: the answer goes to the port that the client sent from.
func answered4011(s *story) {
	s.askProxy(uefi).asks4011(uefi, 4011, 2)
	s.at(2.01, bootAck(uefi.Renew(77, nodeAddr)).Unicast(proxy.Host, node, 4011, 4011)).loads(2.2, "ipxe.efi", 9000, 1170).tick(60)
}

// asksBootServer is a question for boot item 0 after a lease with a menu.
func (s *story) menu() *story {
	menu := proxy
	menu.File = ""
	d := rom.Discover(1, 0)
	o := other.Offer(d, nodeAddr)
	q := rom.Request(o, 0)
	s.at(0, d.Broadcast()).at(0.001, other.Frame(o))
	s.at(0.002, menu.Frame(menu.ProxyOffer(d, synth.OptBytes(6, 3), synth.OptBytes(8, 0x80, 0, 1, 10, 0, 0, 4))))
	return s.at(1.9, q.Broadcast()).at(1.901, other.Frame(other.Ack(q, nodeAddr)))
}

var bootItem = rom.Renew(0, nodeAddr).With(synth.OptNested(43, synth.OptBytes(71, 0x80, 0, 0, 0)))

// noBootServer: the menu names a boot server that does not answer: PXE-E77.
func noBootServer(s *story) {
	s.menu()
	s.proof(func() {
		for _, x := range []float64{2, 3, 5} {
			s.at(x, bootItem.Unicast(node, proxy.Host, 68, 4011))
		}
	}).tick(60)
}

// bootServerAnswers: the listed address is silent, the broadcast is answered.
func bootServerAnswers(s *story) {
	s.menu()
	for _, x := range []float64{2, 3} {
		s.at(x, bootItem.Unicast(node, rack.Host, 68, 4011))
	}
	s.at(5, bootItem.Unicast(node, synth.Everyone, 68, 67))
	ack := bootAck(bootItem)
	ack.File, ack.SIAddr = "lpxelinux.0", rackAddr
	s.at(5.01, ack.With(synth.OptNested(43, synth.OptBytes(71, 0x80, 0, 0, 0))).Unicast(proxy.Host, node, 4011, 68))
	s.loads(5.2, "lpxelinux.0", 9000, 2070).tick(60)
}

// ipxeAsksAgain: iPXE says that it holds an OFFER and asks once more.
func ipxeAsksAgain(s *story) {
	d := ipxe.Discover(1, count(ipxe, 1, false))
	s.at(0, d.Broadcast()).at(0.001, rack.Frame(rack.Offer(d, nodeAddr))).at(1, ipxe.Discover(1, count(ipxe, 2, true)).Broadcast())
}

// ipxeTakes is the rest of that boot.
func ipxeTakes(s *story) {
	q := ipxe.Request(rack.Offer(ipxe.Discover(1, 4), nodeAddr), count(ipxe, 3, true))
	s.at(3.05, q.Broadcast()).at(3.051, rack.Frame(rack.Ack(q, nodeAddr))).loads(3.2, "bootx64.efi", 9000, 49152).tick(60)
}

// uefiTakesAfter4: edk2 listens for its first timeout, 4 s, and takes the OFFER.
func uefiTakesAfter4(s *story) {
	d := uefi.Discover(1, 0)
	o := rack.Offer(d, nodeAddr)
	q := uefi.Request(o, 0)
	s.prove(0, d.Broadcast()).prove(0.001, rack.Frame(o)).prove(4, q.Broadcast()).at(4.001, rack.Frame(rack.Ack(q, nodeAddr)))
	s.loads(4.1, "bootx64.efi", 9000, 1170).tick(60)
}
