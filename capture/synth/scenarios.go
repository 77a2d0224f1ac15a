package synth

import "time"

// Nodes of FiveFaults, by what is wrong with them.
const (
	FaultNoOffer = "d4:ae:52:00:00:01" // nobody answers
	FaultTFTP    = "d4:ae:52:00:00:02" // the read request is not answered
	FaultRogue   = "d4:ae:52:00:00:03" // takes the lease of libvirt's dnsmasq
	FaultMount   = "d4:ae:52:00:00:04" // portmap answers, mountd does not
	FaultTagged  = "d4:ae:52:00:00:05" // nobody answers in VLAN 30
)

// FiveFaults is 50 packets of five machines that do not boot, each for a
// reason of its own.
func FiveFaults() *Capture {
	p := NewPlace()
	var c Capture
	for _, at := range []time.Duration{0, 4 * time.Second, 12 * time.Second, 28 * time.Second} {
		c.Add(at, PXERom(FaultNoOffer).Discover(0x5201, uint16(at/time.Second)).Broadcast())
	}

	second := NewHost(FaultTFTP, "10.0.0.52")
	t := p.Lease(&c, 500*time.Millisecond, UEFI(FaultTFTP, 7), 0x5202, "10.0.0.52", "bootx64.efi")
	for i := range 5 {
		c.Add(t+200*time.Millisecond+time.Duration(i)*4*time.Second,
			UDP(second, p.Rack.Host, 1174, 69, TFTPRead("bootx64.efi", "octet", "tsize", "0", "blksize", "1468", "windowsize", "4")))
	}

	p.rogueLease(&c, 3*time.Second, PXERom(FaultRogue), 0x5203)
	p.mountFault(&c, 6*time.Second)

	tagged := UEFI(FaultTagged, 7)
	for _, at := range []time.Duration{2 * time.Second, 5500 * time.Millisecond, 13500 * time.Millisecond} {
		c.Add(at, IP{Tags: []uint16{30}}.UDP(Host{MAC: tagged.MAC, IP: Everyone.Nobody().IP}, Everyone, 68, 67, tagged.Discover(0x5205, 0).Bytes()))
	}
	return c.Join()
}

// rogueLease adds a DISCOVER that rack and libvirt answer; the client takes
// libvirt's offer, which carries no boot file.
func (p *Place) rogueLease(c *Capture, at time.Duration, client DHCPClient, xid uint32) {
	rogue := LibvirtServer("52:54:00:8f:3c:11")
	d := client.Discover(xid, 0)
	c.Add(at, d.Broadcast())
	s := p.serving(p.File)
	c.Add(at+2*time.Millisecond, s.Frame(s.Offer(d, "10.0.0.53")))
	offer := rogue.Offer(d, "192.168.122.87")
	c.Add(at+4*time.Millisecond, rogue.Frame(offer))
	q := client.Request(offer, 4)
	c.Add(at+4*time.Second, q.Broadcast())
	c.Add(at+4*time.Second+2*time.Millisecond, rogue.Frame(rogue.Ack(q, "192.168.122.87")))
}

// mountFault adds a machine that loads GRUB, misses a file that GRUB looks for
// on the off chance, and cannot mount its root: 29 packets.
func (p *Place) mountFault(c *Capture, at time.Duration) {
	node := NewHost(FaultMount, "10.0.0.54")
	t := p.Lease(c, at, UEFI(FaultMount, 7), 0x5204, "10.0.0.54", "grubx64.efi")
	t = TFTPTransfer(c, t+300*time.Millisecond, TFTP{Client: node, Server: p.Rack.Host, ClientPort: 1200, File: "grubx64.efi",
		Options: []string{"tsize", "0", "blksize", "1468"}, Size: 10_240})
	t += 100 * time.Millisecond
	c.Add(t, UDP(node, p.Rack.Host, 25300, 69, TFTPRead("/grub/x86_64-efi/command.lst", "octet", "blksize", "1024", "tsize", "0")))
	c.Add(t+time.Millisecond, UDP(p.Rack.Host, node, 49300, 25300, TFTPError(1, "File not found")))
	t += 8 * time.Second
	getport := PortmapGetport(0x6001, RPCMount, 3, 17)
	c.Add(t, UDP(node, p.Rack.Host, 717, 111, getport))
	c.Add(t+time.Millisecond, UDP(p.Rack.Host, node, 111, 717, RPCReply(0x6001, Words(33334))))
	for i := range 4 {
		c.Add(t+2*time.Millisecond+time.Duration(i)*time.Second, UDP(node, p.Rack.Host, 718, 33334, MountMNT(0x6002, 3, "node54", "/install/rootimg")))
	}
}

// RogueAndStall is a machine that takes libvirt's lease, and one whose read
// requests the rack does not answer, beside one that boots.
func RogueAndStall() *Capture {
	p := NewPlace()
	var c Capture
	p.Boot(&c, 0, "d4:ae:52:00:10:01", "10.0.0.61", 0x7001)
	p.rogueLease(&c, 1500*time.Millisecond, PXERom("d4:ae:52:00:10:02"), 0x7002)
	node := NewHost("d4:ae:52:00:10:03", "10.0.0.63")
	t := p.Lease(&c, 2500*time.Millisecond, UEFI("d4:ae:52:00:10:03", 7), 0x7003, "10.0.0.63", "bootx64.efi")
	t = p.Resolve(&c, t+50*time.Millisecond, node)
	for i := range 6 {
		c.Add(t+10*time.Millisecond+time.Duration(i)*4*time.Second,
			UDP(node, p.Rack.Host, 1174, 69, TFTPRead("bootx64.efi", "octet", "tsize", "0", "blksize", "1468", "windowsize", "4")))
	}
	c.Add(t+40*time.Second, ARP(1, p.Rack.Host, Host{IP: node.IP}))
	return c.Join()
}

// HealthyBoot is one machine from its first DISCOVER to the lease of the
// system that it booted.
func HealthyBoot() *Capture {
	var c Capture
	NewPlace().Boot(&c, 0, "d4:ae:52:00:20:01", "10.0.0.71", 0x8001)
	return c.Join()
}
