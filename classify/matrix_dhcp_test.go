package classify_test

import (
	"github.com/pxescope/pxescope/capture/synth"
)

func dhcpRows() []row {
	return []row{
		{rule: "dhcp-no-offer", fires: noOffer, node: nodeMAC, first: 5, due: 17,
			normal: []lookalike{
				{name: "ping check of 3 s", tell: pingCheck3},
				{name: "the unicast OFFER is not visible here", tell: unicastOfferUnseen},
				{name: "MAAS's probe", tell: func(s *story) { s.discovers(synth.MAASProbe(nodeMAC), 1, 0, 2, 4, 8).tick(60) }},
				{name: "rapid commit", tell: rapidCommit},
			}},
		{rule: "dhcp-no-boot-info", fires: noBootInfo, node: nodeMAC,
			normal: []lookalike{
				{name: "option 67 in the file field, by option 52", tell: fileInOverload},
				{name: "iPXE with a usable OFFER waits for a proxy", tell: ipxeWaits},
				{name: "an operating system gets no file", tell: func(s *story) { s.lease(0, udhcpc, other, 1, nodeAddr, 0.01).tick(60) }},
				{name: "a proxy adds it", tell: proxyBeside},
			}},
		{rule: "dhcp-offer-ignored", fires: offerIgnored, node: nodeMAC, server: rackAddr, due: 13.001,
			normal: []lookalike{
				{name: "UEFI collects offers for 4 s", tell: uefiCollects},
				{name: "another server's OFFER is taken", tell: otherServerWins},
				{name: "a probe takes nothing", tell: func(s *story) { s.offered(synth.MAASProbe(nodeMAC), 1, []synth.DHCPServer{rack}, 0, 2, 4, 8).tick(60) }},
			}},
		{rule: "reply-filtered", fires: ipxeHearsNothing, node: nodeMAC, server: rackAddr, first: 1, due: 3,
			normal: []lookalike{
				{name: "iPXE holds the OFFER and waits", tell: ipxeWaits},
				{name: "an iPXE fork counts seconds", tell: forkCountsSeconds, says: []string{"error dhcp-offer-ignored"}},
			}},
		{rule: "bad-udp-checksum-reply", fires: badChecksums, node: nodeMAC, server: rackAddr, due: 13.001,
			normal: []lookalike{
				{name: "on the host that sends: a client takes such an OFFER", tell: offloadedChecksums},
				{name: "right checksums", tell: offerIgnored, says: []string{"error dhcp-offer-ignored"}},
			}},
		{rule: "dhcp-slow-offer", fires: slowOffer, node: nodeMAC, server: rackAddr,
			normal: []lookalike{
				{name: "ping check of 3 s", tell: pingCheck3},
				{name: "the first DISCOVER was lost", tell: func(s *story) {
					s.discovers(rom, 1, 0).lease(4, rom, bios, 1, nodeAddr, 1).loads(5.5, "lpxelinux.0", 9000, 2070)
				}},
			}},
		{rule: "ping-check-delay", fires: pingCheck1, node: nodeMAC, server: rackAddr,
			normal: []lookalike{
				{name: "an OFFER at once", tell: func(s *story) { s.lease(0, udhcpc, other, 1, nodeAddr, 0.01).tick(60) }},
				{name: "half a second", tell: func(s *story) { offersAfter(s, 0.5) }},
			}},
	}
}

// noOffer: a PXE ROM asks four times, 0, 4, 12 and 28 s, and nobody answers:
// PXE-E51 on the screen.
func noOffer(s *story) {
	s.proof(func() { s.discovers(rom, 1, 0, 4, 12, 28) }).tick(60)
}

// offersAfter: the OFFER to an installer comes after some seconds, and is taken.
func offersAfter(s *story, delay float64) {
	d := udhcpc.Discover(1, 0)
	o := rack.Offer(d, nodeAddr)
	q := udhcpc.Request(o, 0)
	s.at(0, d.Broadcast()).at(delay, rack.Frame(o)).at(delay+0.01, q.Broadcast()).at(delay+0.02, rack.Frame(rack.Ack(q, nodeAddr))).tick(60)
}

// pingCheck3: dnsmasq asks by ARP for 3 s whether the address is free.
func pingCheck3(s *story) {
	for _, x := range []float64{0.001, 1.001, 2.001} {
		s.at(x, synth.ARP(1, rack.Host, synth.Host{IP: node.IP}))
	}
	offersAfter(s, 3.004)
}

// pingCheck1: ISC dhcpd pings the address for a second and offers it then.
func pingCheck1(s *story) {
	d := udhcpc.Discover(1, 0)
	o := rack.Offer(d, nodeAddr)
	q := udhcpc.Request(o, 0)
	s.prove(0, d.Broadcast()).at(0.001, synth.Echo(rack.Host, node, false, 1, 1)).prove(1.002, rack.Frame(o))
	s.at(1.01, q.Broadcast()).at(1.02, rack.Frame(rack.Ack(q, nodeAddr))).tick(60)
}

// unicastOfferUnseen: the capturing port sees broadcasts only. The REQUEST
// names a server, so there was an OFFER, and the machine uses its address.
func unicastOfferUnseen(s *story) {
	o := other.Offer(udhcpc.Discover(1, 0), nodeAddr)
	s.at(0, udhcpc.Discover(1, 0).Broadcast()).at(0.02, udhcpc.Request(o, 0).Broadcast()).announces(0.1, node).tick(60)
}

// unicastACKUnseen: the client is impatient, its second REQUEST crosses the
// ACK; then it checks its address and uses it.
func unicastACKUnseen(s *story) {
	o := other.Offer(udhcpc.Discover(1, 0), nodeAddr)
	s.at(0, udhcpc.Discover(1, 0).Broadcast()).at(0.02, udhcpc.Request(o, 0).Broadcast()).at(3, udhcpc.Request(o, 3).Broadcast())
	s.announces(3.1, node).at(3.2, synth.ARP(1, node, synth.Host{IP: gateway.IP})).tick(60)
}

// rapidCommit: the server answers the DISCOVER with an ACK, RFC 4039.
func rapidCommit(s *story) {
	d := udhcpc.Discover(1, 0).With(synth.OptBytes(80))
	s.at(0, d.Broadcast()).at(0.01, other.Frame(other.Ack(d, nodeAddr).With(synth.OptBytes(80)))).tick(60)
}

// noBootInfo: a plain DHCP server answers UEFI firmware, which asks again and
// again for something to boot and takes nothing: PXE-E16 or E53.
func noBootInfo(s *story) {
	s.offered(uefi, 1, []synth.DHCPServer{other}, 0, 3.5, 11.5, 27.6).names(1, 2, 3, 5, 6, 7).tick(60)
}

// fileInOverload: option 52 says that the file field holds options, and there
// option 67 is.
func fileInOverload(s *story) {
	v := other
	v.Extra = []synth.Opt{synth.OptBytes(52, 1)}
	d := uefi.Discover(1, 0)
	o := v.Offer(d, nodeAddr)
	o.SIAddr, o.FileOptions = rackAddr, []synth.Opt{synth.OptText(67, "bootx64.efi")}
	q := uefi.Request(o, 0)
	a := v.Ack(q, nodeAddr)
	a.SIAddr, a.FileOptions = rackAddr, o.FileOptions
	s.at(0, d.Broadcast()).at(0.001, v.Frame(o)).at(4, q.Broadcast()).at(4.001, v.Frame(a))
	s.loads(4.1, "bootx64.efi", 9000, 1170).tick(60)
}

// proxyBeside: a plain server gives the address and a proxyDHCP server the
// boot file, as PXE means it.
func proxyBeside(s *story) {
	v := proxy
	v.Next = rackAddr
	d := uefi.Discover(1, 0)
	o := other.Offer(d, nodeAddr)
	q := uefi.Request(o, 0)
	s.at(0, d.Broadcast()).at(0.001, other.Frame(o)).at(0.5, v.Frame(v.ProxyOffer(d, useFile)))
	s.at(4, q.Broadcast()).at(4.001, other.Frame(other.Ack(q, nodeAddr)))
	s.loads(4.1, "ipxe.efi", 9000, 1170).tick(60)
}

// offerIgnored: the rack offers address and boot file each time, the ROM goes
// on asking and takes nothing.
func offerIgnored(s *story) {
	s.offered(rom, 1, []synth.DHCPServer{bios}, 0, 4, 12).names(1, 2, 3, 5, 6).tick(40)
}

// uefiCollects: edk2 listens for 4 s and takes the OFFER then.
func uefiCollects(s *story) {
	s.lease(0, uefi, rack, 1, nodeAddr, 4).loads(4.1, "bootx64.efi", 9000, 1170).tick(60)
}

// otherServerWins: two servers of one failover pair offer, the client takes the
// second one's OFFER after it asked three times.
func otherServerWins(s *story) {
	peer := bios
	peer.Host = synth.NewHost("3c:ec:ef:00:00:05", "10.0.0.5")
	s.offered(rom, 1, []synth.DHCPServer{bios, peer}, 0, 4, 8)
	q := rom.Request(peer.Offer(rom.Discover(1, 0), nodeAddr), 8)
	s.at(9, q.Broadcast()).at(9.001, peer.Frame(peer.Ack(q, nodeAddr))).loads(9.1, "lpxelinux.0", 9000, 2070).tick(60)
}

// ipxeWaits: iPXE holds an OFFER (its secs say so), asks once more to give a
// proxy time, and takes the OFFER at 3 s.
func ipxeWaits(s *story) {
	d := ipxe.Discover(1, count(ipxe, 1, false))
	o := rack.Offer(d, nodeAddr)
	again := ipxe.Discover(1, count(ipxe, 2, true))
	q := ipxe.Request(o, count(ipxe, 3, true))
	s.at(0, d.Broadcast()).at(0.001, rack.Frame(o)).at(1, again.Broadcast()).at(1.001, rack.Frame(rack.Offer(again, nodeAddr)))
	s.at(3.05, q.Broadcast()).at(3.051, rack.Frame(rack.Ack(q, nodeAddr))).loads(3.2, "bootx64.efi", 9000, 49152).tick(60)
}

// ipxeHearsNothing: the rack answers each DISCOVER, and each next one of iPXE
// says that it holds no OFFER: snooping drops the replies on the way.
func ipxeHearsNothing(s *story) {
	for i, x := range []float64{0, 1, 3, 7} {
		d := ipxe.Discover(1, count(ipxe, i+1, false))
		s.at(x, d.Broadcast()).at(x+0.001, rack.Frame(rack.Offer(d, nodeAddr)))
	}
	s.names(1, 2, 3, 5, 6, 7).tick(15)
}

// forkCountsSeconds: an old fork of iPXE puts seconds into secs, so the field
// says nothing about the OFFER; that it is ignored stays true.
func forkCountsSeconds(s *story) {
	for _, x := range []float64{0, 4, 12, 28} {
		d := ipxe.Discover(1, max(4, uint16(x)))
		s.at(x, d.Broadcast()).at(x+0.001, rack.Frame(rack.Offer(d, nodeAddr)))
	}
	s.tick(60)
}

// wrongSum is a frame as checksum offload leaves it.
func wrongSum(frame []byte) []byte {
	frame[40] ^= 0x55
	return frame
}

// badChecksums: a guest's bridge leaves the checksum to a network card that is
// none; the guest drops every OFFER.
func badChecksums(s *story) {
	for _, x := range []float64{0, 4, 12} {
		d := rom.Discover(1, 0)
		s.at(x, d.Broadcast()).at(x+0.001, wrongSum(rack.Frame(rack.Offer(d, nodeAddr))))
	}
	s.names(2, 6).tick(40)
}

// offloadedChecksums: captured on the server, where the card fills checksums in
// later: a client takes such an OFFER.
func offloadedChecksums(s *story) {
	d := uefi.Discover(1, 0)
	o := rack.Offer(d, nodeAddr)
	q := uefi.Request(o, 0)
	s.at(0, d.Broadcast()).at(0.001, wrongSum(rack.Frame(o))).at(4, q.Broadcast()).at(4.001, wrongSum(rack.Frame(rack.Ack(q, nodeAddr))))
	s.loads(4.1, "bootx64.efi", 9000, 1170).tick(60)
}

// slowOffer: the server takes 3.8 s for its OFFER; the boot goes on.
func slowOffer(s *story) {
	d := uefi.Discover(1, 0)
	o := rack.Offer(d, nodeAddr)
	q := uefi.Request(o, 0)
	s.prove(0, d.Broadcast()).prove(3.8, rack.Frame(o)).at(4, q.Broadcast()).at(4.001, rack.Frame(rack.Ack(q, nodeAddr)))
	s.loads(4.1, "bootx64.efi", 9000, 1170).tick(60)
}
