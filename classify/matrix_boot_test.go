package classify_test

import (
	"github.com/pxescope/pxescope/capture/synth"
)

func bootRows() []row {
	return []row{
		{rule: "no-load-after-ack", fires: nothingLoaded, node: nodeMAC, server: rackAddr, due: 22.001,
			normal: []lookalike{
				{name: "iPXE begins after 13 s", tell: func(s *story) {
					s.lease(0, ipxe, rack, 1, nodeAddr, 2).tick(10)
					s.loads(15, "bootx64.efi", 9000, 49152).tick(60)
				}},
				{name: "only DHCP is in the capture", tell: onlyDHCP},
			}},
		{rule: "wrong-loader-for-architecture", fires: wrongLoader, node: nodeMAC, server: rackAddr, first: 2.2, due: 62.2, early: []string{"warning wrong-loader-for-architecture"},
			normal: []lookalike{
				{name: "an own name, and the boot goes on", tell: ownName, early: []string{"warning wrong-loader-for-architecture"}},
				{name: "the right loader", tell: func(s *story) { s.loaded(0).tick(120) }},
			}},
		{rule: "chainload-loop", fires: ipxeLoop, node: nodeMAC, server: rackAddr,
			normal: []lookalike{
				{name: "a second, different iPXE", tell: chainOnce},
				{name: "a size probe", tell: sizeProbe},
			}},
		{rule: "second-stage-dhcp-fails", fires: installerInVain, node: nodeMAC, first: 45, due: 52, late: []string{"error dhcp-no-offer"},
			normal: []lookalike{
				{name: "the installer is answered to its third DISCOVER", tell: func(s *story) { s.loaded(0).discovers(udhcpc, 5, 40, 43).running(46, nodeMAC, nodeAddr, 5).tick(120) }},
				{name: "a static address", tell: func(s *story) { s.loaded(0).announces(40, node).tick(120) }},
			}},
		{rule: "arp-no-answer", fires: arpInVain, node: nodeMAC, server: rackAddr, due: 5.1,
			normal: []lookalike{
				{name: "probes for free addresses", tell: func(s *story) { s.loaded(0); probesItself(s, 40); s.tick(120) }},
				{name: "ARP for a machine that no lease names", tell: func(s *story) {
					s.loaded(0)
					for i := range 5 {
						s.at(40+float64(i), synth.ARP(1, node, synth.Host{IP: bystander.IP}))
					}
					s.tick(120)
				}},
			}},
		{rule: "wrong-vlan", fires: wrongVLAN, severity: "warning", node: nodeMAC, due: 9, late: []string{"error dhcp-no-offer"},
			normal: []lookalike{
				{name: "untagged beside a tagged VLAN is only a hint", tell: untaggedBeside, says: []string{"note wrong-vlan", "error dhcp-no-offer"}},
				{name: "its VLAN has a server", tell: servedInItsVLAN, early: []string{"warning wrong-vlan"}, says: []string{"error dhcp-no-offer"}},
			}},
		{rule: "reboot-loop", fires: func(s *story) { restarts(s, 3, true) }, node: nodeMAC,
			normal: []lookalike{
				{name: "commissioning and deployment are two boots", tell: func(s *story) { restarts(s, 2, false) }},
				{name: "each boot ends in a running system", tell: bootsFully},
			}},
		{rule: "uefi-over-tftp", fires: uefiByTFTP, node: nodeMAC, server: rackAddr,
			normal: []lookalike{
				{name: "a BIOS machine", tell: func(s *story) {
					s.lease(0, rom, bios, 1, nodeAddr, 1).loads(1.2, "lpxelinux.0", 9000, 2070).tick(60)
				}},
			}},
	}
}

// nothingLoaded: the lease names a boot file; the firmware refuses a next server
// that is not the DHCP server (PXE-E99) and does nothing. Another machine shows
// that the capture holds more than DHCP.
func nothingLoaded(s *story) {
	s.lease(0, rom, bios, 1, nodeAddr, 2).names(3, 4).resolves(1, node2, rack.Host).tick(60)
}

// onlyDHCP: the capture filter was "port 67 or port 68": 24 packets, all DHCP.
func onlyDHCP(s *story) {
	for i, mac := range []string{nodeMAC, nodeMAC2, nodeMAC3, "d4:ae:52:00:00:60", "d4:ae:52:00:00:61", "d4:ae:52:00:00:62"} {
		s.lease(float64(10*i), synth.PXERom(mac), rack, uint32(i+1), "10.0.0."+[]string{"57", "58", "59", "60", "61", "62"}[i], 2)
	}
}

// wrongLoader: a UEFI machine is given the BIOS loader, loads it and stops.
func wrongLoader(s *story) {
	s.lease(0, uefi, serving("pxelinux.0"), 1, nodeAddr, 2)
	s.proof(func() {
		s.asksFor("pxelinux.0", 1024, 2.19).serves(2.195, 1024, synth.TFTPData(1, make([]byte, 300))).replies(2.2, 1024, synth.TFTPAck(1))
	}).tick(120)
}

// ownName: the name looks like a BIOS loader and is none: the boot goes on.
func ownName(s *story) {
	s.lease(0, uefi, serving("pxelinux.0"), 1, nodeAddr, 2).loads(2.2, "pxelinux.0", 9000, 1024).loads(5, "grub/grub.cfg", 300, 1025).tick(120)
}

// ipxeLoop: iPXE is told to load iPXE.
func ipxeLoop(s *story) {
	v := serving("undionly.kpxe")
	s.lease(0, rom, v, 1, nodeAddr, 1)
	s.prove(1.2, s.ip().UDP(node, rack.Host, 2070, 69, synth.TFTPRead("undionly.kpxe", "octet")))
	s.serves(1.21, 2070, synth.TFTPData(1, make([]byte, 300))).replies(1.22, 2070, synth.TFTPAck(1))
	s.lease(5, synth.IPXE(nodeMAC, 0), v, 2, nodeAddr, 1)
	s.prove(6.2, s.ip().UDP(node, rack.Host, 2071, 69, synth.TFTPRead("undionly.kpxe", "octet")))
	s.serves(6.21, 2071, synth.TFTPData(1, make([]byte, 300))).replies(6.22, 2071, synth.TFTPAck(1)).tick(7)
}

// chainOnce: the ROM loads iPXE, which loads another iPXE with a script inside,
// which loads the kernel.
func chainOnce(s *story) {
	bios := synth.IPXE(nodeMAC, 0)
	s.lease(0, rom, serving("undionly.kpxe"), 1, nodeAddr, 1).loads(1.2, "undionly.kpxe", 9000, 2070)
	s.lease(5, bios, serving("custom.kpxe"), 2, nodeAddr, 1).loads(6.2, "custom.kpxe", 9000, 2071)
	s.lease(10, bios, serving("vmlinuz"), 3, nodeAddr, 1).loads(11.2, "vmlinuz", 9000, 2072).tick(60)
}

// installerInVain: the loader comes, the installer's DISCOVERs are not heard:
// the link was reset and spanning tree mutes the port.
func installerInVain(s *story) {
	s.loaded(0)
	s.proof(func() { s.discovers(udhcpc, 5, 40, 43, 46, 47) }).tick(120)
}

// arpInVain: the lease names a boot server that is not there.
func arpInVain(s *story) {
	s.lease(0, uefi, rack, 1, nodeAddr, 2)
	s.proof(func() {
		for i := range 4 {
			s.at(2.1+float64(i), synth.ARP(1, node, synth.Host{IP: rack.IP}))
		}
	}).tick(20)
}

// tagged puts what f tells into a VLAN.
func (s *story) tagged(vid uint16, f func(*story)) *story {
	x := tell(f)
	y := x.Tagged(vid)
	for i := range y.Packets {
		if x.evidence[&x.Packets[i].Data[0]] {
			s.evidence[&y.Packets[i].Data[0]] = true
		}
	}
	s.Packets = append(s.Packets, y.Packets...)
	return s
}

// wrongVLAN: the node asks in VLAN 30; two others were served in VLAN 20.
func wrongVLAN(s *story) {
	s.tagged(20, twoServed).tagged(30, func(s *story) { s.proof(func() { s.discovers(rom, 1, 0, 4, 12, 28) }) }).tick(60)
}

func twoServed(s *story) { s.running(1, nodeMAC2, addr2, 2).running(2, nodeMAC3, addr3, 3) }

// untaggedBeside: the switch tags one VLAN of the mirror and not the other.
func untaggedBeside(s *story) {
	s.tagged(20, twoServed).discovers(rom, 1, 0, 4, 12, 28).tick(60)
}

// servedInItsVLAN: somebody was served in the node's own VLAN.
func servedInItsVLAN(s *story) {
	s.tagged(20, twoServed).tagged(30, func(s *story) {
		s.discovers(rom, 1, 0, 4, 12, 28).running(50, "d4:ae:52:00:00:60", "10.0.0.60", 9)
	}).tick(60)
}

// restarts: the firmware starts again and again, each time after the kernel
// came over.
func restarts(s *story, n int, proof bool) {
	for i := range n {
		x := 120 * float64(i)
		d := rom.Discover(uint32(i+1), 0)
		v := bios
		o := v.Offer(d, nodeAddr)
		q := rom.Request(o, 1)
		s.at(x, d.Broadcast())
		if proof {
			s.evidence[&s.Packets[len(s.Packets)-1].Data[0]] = true
		}
		s.at(x+0.001, v.Frame(o)).at(x+1, q.Broadcast()).at(x+1.001, v.Frame(v.Ack(q, nodeAddr)))
		s.loads(x+1.2, "lpxelinux.0", 9000, 2070).loads(x+2, "vmlinuz", 90000, 2071)
	}
	s.tick(120 * float64(n))
}

// bootsFully: a machine is restarted three times, and runs each time.
func bootsFully(s *story) {
	for i := range 3 {
		x := 120 * float64(i)
		s.lease(x, rom, bios, uint32(i+1), nodeAddr, 1).loads(x+1.2, "lpxelinux.0", 9000, 2070).running(x+30, nodeMAC, nodeAddr, uint32(100+i))
	}
	s.tick(360)
}

// uefiByTFTP: it works, HTTP would be faster.
func uefiByTFTP(s *story) {
	s.firmware(0)
	s.asksFor("bootx64.efi", 1024, 2.2).serves(2.21, 1024, sizeOnly).replies(2.22, 1024, synth.TFTPAck(0))
	s.serves(2.23, 1024, synth.TFTPData(1, make([]byte, 300))).replies(2.24, 1024, synth.TFTPAck(1)).names(7, 8, 10, 11).tick(60)
}
