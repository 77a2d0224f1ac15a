package classify_test

import (
	"github.com/pxescope/pxescope/capture/synth"
)

// The cast: physical machines on 10.0.0.0/24. node is the one that suffers.
const (
	nodeMAC  = "d4:ae:52:00:00:57"
	nodeAddr = "10.0.0.57"
	nodeMAC2 = "d4:ae:52:00:00:58"
	addr2    = "10.0.0.58"
	nodeMAC3 = "d4:ae:52:00:00:59"
	addr3    = "10.0.0.59"

	rackAddr  = "10.0.0.2"
	otherAddr = "10.0.0.3"
	proxyAddr = "10.0.0.4"
)

var (
	node      = synth.NewHost(nodeMAC, nodeAddr)
	node2     = synth.NewHost(nodeMAC2, addr2)
	gateway   = synth.NewHost("00:00:0c:00:00:01", "10.0.0.1")
	bystander = synth.NewHost("00:25:90:00:00:99", "10.0.0.99")

	rom    = synth.PXERom(nodeMAC)
	uefi   = synth.UEFI(nodeMAC, 7)
	ipxe   = synth.IPXE(nodeMAC, 7)
	udhcpc = synth.Udhcpc(nodeMAC)

	// rack is the DHCP and boot server, other one without boot information.
	rack  = synth.DHCPServer{Host: synth.NewHost("3c:ec:ef:00:00:02", rackAddr), Shape: synth.ISCDhcpd, Router: "10.0.0.1", DNS: []string{rackAddr}, Next: rackAddr, File: "bootx64.efi"}
	other = synth.DHCPServer{Host: synth.NewHost("3c:ec:ef:00:00:03", otherAddr), Shape: synth.ISCDhcpd, Router: "10.0.0.1", DNS: []string{rackAddr}}
	bios  = serving("lpxelinux.0")
	proxy = synth.DHCPServer{Host: synth.NewHost("3c:ec:ef:00:00:04", proxyAddr), Shape: synth.GoServer, File: "ipxe.efi", Next: proxyAddr}

	useFile = synth.OptBytes(6, 8) // option 43.6: take the boot file of the offer
)

// serving is the rack with another boot file.
func serving(file string) synth.DHCPServer {
	v := rack
	v.File = file
	return v
}

// count is iPXE's secs: the number of the send, and whether it holds an OFFER.
func count(c synth.DHCPClient, n int, offered bool) uint16 {
	switch {
	case !c.CodedSecs:
		return 0
	case offered:
		return uint16(n<<2 | 2)
	}
	return uint16(n << 2)
}

// discovers are DISCOVERs of one search.
func (s *story) discovers(c synth.DHCPClient, xid uint32, times ...float64) *story {
	for i, x := range times {
		s.at(x, c.Discover(xid, count(c, i+1, false)).Broadcast())
	}
	return s
}

// offered are DISCOVERs that servers answer, each a millisecond later.
func (s *story) offered(c synth.DHCPClient, xid uint32, servers []synth.DHCPServer, times ...float64) *story {
	for i, x := range times {
		d := c.Discover(xid, count(c, i+1, i > 0))
		s.at(x, d.Broadcast())
		for j, v := range servers {
			s.at(x+0.001*float64(j+1), v.Frame(v.Offer(d, nodeAddr)))
		}
	}
	return s
}

// lease is DISCOVER, OFFER, the REQUEST wait seconds later, ACK.
func (s *story) lease(x float64, c synth.DHCPClient, v synth.DHCPServer, xid uint32, addr string, wait float64) *story {
	d := c.Discover(xid, count(c, 1, false))
	o := v.Offer(d, addr)
	q := c.Request(o, count(c, 2, true))
	s.at(x, d.Broadcast()).at(x+0.001, v.Frame(o))
	return s.at(x+wait, q.Broadcast()).at(x+wait+0.001, v.Frame(v.Ack(q, addr)))
}

// running is the lease of an operating system or installer.
func (s *story) running(x float64, mac, addr string, xid uint32) *story {
	return s.lease(x, synth.Udhcpc(mac), rack, xid, addr, 0.01)
}

// firmware is the lease of a UEFI machine from the rack and the ARP exchange
// with which it finds the boot server: 2.1 s.
func (s *story) firmware(x float64) *story {
	s.lease(x, uefi, rack, 0x1001, nodeAddr, 2)
	return s.resolves(x+2.05, node, rack.Host)
}

// resolves is ARP's question and answer.
func (s *story) resolves(x float64, asks, answers synth.Host) *story {
	return s.at(x, synth.ARP(1, asks, synth.Host{IP: answers.IP})).at(x+0.0002, synth.ARP(2, answers, asks))
}

// announces is a gratuitous ARP: the machine uses its address.
func (s *story) announces(x float64, h synth.Host) *story {
	return s.at(x, synth.ARP(1, h, synth.Host{IP: h.IP}))
}

// loads is a whole TFTP transfer from the rack to node.
func (s *story) loads(x float64, file string, size int, port uint16) *story {
	synth.TFTPTransfer(&s.Capture, secs(x), synth.TFTP{
		Client: node, Server: rack.Host, ClientPort: port, File: file,
		Options: []string{"tsize", "0", "blksize", "1468"}, Size: size,
	})
	return s
}

// loaded is a firmware lease and the loader that it names, in 2.2 s.
func (s *story) loaded(x float64) *story {
	return s.firmware(x).loads(x+2.1, "bootx64.efi", 9000, 1170)
}

// says is a datagram of its own, and heard one from a server to a node.
func (s *story) says(x float64, src, dst synth.Host, sport, dport uint16, msg []byte) *story {
	return s.at(x, s.ip().UDP(src, dst, sport, dport, msg))
}
