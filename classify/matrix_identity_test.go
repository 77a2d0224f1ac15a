package classify_test

import (
	"github.com/pxescope/pxescope/capture/synth"
)

func identityRows() []row {
	return []row{
		{rule: "identity-collision", fires: oneUUIDTwice, node: nodeMAC2,
			with: []string{"error identity-collision"},
			normal: []lookalike{
				{name: "two ports of one machine, one after the other", tell: twoPorts},
				{name: "a released address goes to another machine", tell: releasedAddress},
			}},
		{rule: "bad-smbios-uuid", fires: zeroUUID, node: nodeMAC,
			normal: []lookalike{
				{name: "a UUID of its own", tell: func(s *story) { s.loaded(0).tick(60) }},
				{name: "a client that sends none", tell: func(s *story) { s.running(0, nodeMAC, nodeAddr, 1).tick(60) }},
			}},
	}
}

// withUUID gives a client another machine id, option 97.
func withUUID(c synth.DHCPClient, first byte) synth.DHCPClient {
	id := make([]byte, 17)
	if first != 0 {
		copy(id[1:], []byte{first, 0x4c, 0x45, 0x44, 0, 0x31, 0x10, 0x39, 0x80, 0x35, 0xb6, 0xc0, 0x4f, 0x4d, 0x4a, 0x32})
	}
	for i, o := range c.Options {
		if o.Code == 97 {
			c.Options[i].Data = id
		}
	}
	return c
}

// oneUUIDTwice: a cloned machine asks while the first one is in the middle of
// its lease; the DHCP server takes them for one.
func oneUUIDTwice(s *story) {
	a, b := withUUID(synth.UEFI(nodeMAC, 7), 0x4c), withUUID(synth.UEFI(nodeMAC2, 7), 0x4c)
	d, e := a.Discover(0x11, 0), b.Discover(0x22, 0)
	o, p := rack.Offer(d, nodeAddr), rack.Offer(e, addr2)
	q, r := a.Request(o, 4), b.Request(p, 4)
	s.prove(0, d.Broadcast()).at(0.001, rack.Frame(o)).prove(2, e.Broadcast()).at(2.001, rack.Frame(p))
	s.prove(4, q.Broadcast()).at(4.001, rack.Frame(rack.Ack(q, nodeAddr))).loads(4.1, "bootx64.efi", 9000, 1170)
	s.at(6, r.Broadcast()).at(6.001, rack.Frame(rack.Ack(r, addr2)))
	synth.TFTPTransfer(&s.Capture, secs(6.1), synth.TFTP{Client: node2, Server: rack.Host, File: "bootx64.efi", Size: 9000})
	s.tick(60)
}

// twoPorts: the firmware tries the second port of the same machine after the
// first one gave nothing.
func twoPorts(s *story) {
	a, b := withUUID(synth.UEFI(nodeMAC, 7), 0x4c), withUUID(synth.UEFI(nodeMAC2, 7), 0x4c)
	s.lease(0, a, rack, 0x11, nodeAddr, 4).loads(4.1, "bootx64.efi", 9000, 1170)
	s.lease(60, b, rack, 0x22, addr2, 4)
	synth.TFTPTransfer(&s.Capture, secs(64.1), synth.TFTP{Client: node2, Server: rack.Host, File: "bootx64.efi", Size: 9000})
	s.tick(120)
}

// releasedAddress: the address is given up and given to another machine.
func releasedAddress(s *story) {
	s.running(0, nodeMAC, nodeAddr, 1)
	give := udhcpc.Renew(3, nodeAddr)
	give.Type = synth.DHCPRelease
	s.at(10, give.Unicast(node, rack.Host, 68, 67)).running(30, nodeMAC2, nodeAddr, 2).tick(90)
}

// zeroUUID: the board has no UUID; the boot works.
func zeroUUID(s *story) {
	c := withUUID(synth.UEFI(nodeMAC, 7), 0)
	d := c.Discover(1, 0)
	o := rack.Offer(d, nodeAddr)
	q := c.Request(o, 0)
	s.prove(0, d.Broadcast()).at(0.001, rack.Frame(o)).at(2, q.Broadcast()).at(2.001, rack.Frame(rack.Ack(q, nodeAddr)))
	s.loads(2.1, "bootx64.efi", 9000, 1170).tick(60)
}
