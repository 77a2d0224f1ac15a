package synth

import "time"

// A Place is a provisioning network: one rack that is DHCP, TFTP, HTTP and NFS
// server, and a clock at which scenarios put their packets.
type Place struct {
	Rack DHCPServer
	File string // boot file for firmware
}

// NewPlace is 10.0.0.0/24 with an ISC dhcpd rack on 10.0.0.2.
func NewPlace() *Place {
	return &Place{
		Rack: DHCPServer{Host: NewHost("52:54:00:00:00:02", "10.0.0.2"), Shape: ISCDhcpd, Router: "10.0.0.1", DNS: []string{"10.0.0.2"}, Next: "10.0.0.2"},
		File: "lpxelinux.0",
	}
}

// serving is the rack with a boot file.
func (p *Place) serving(file string) DHCPServer {
	s := p.Rack
	s.File = file
	return s
}

// Lease adds DISCOVER, OFFER, REQUEST and ACK from at on and returns the
// offset of the ACK. The client asks again after a second, as it waits for
// proxies, and takes the first offer.
func (p *Place) Lease(c *Capture, at time.Duration, client DHCPClient, xid uint32, addr, file string) time.Duration {
	s := p.serving(file)
	d := client.Discover(xid, 0)
	offer := s.Offer(d, addr)
	c.Add(at, d.Broadcast())
	c.Add(at+2*time.Millisecond, s.Frame(offer))
	q := client.Request(offer, 2)
	c.Add(at+2*time.Second, q.Broadcast())
	c.Add(at+2*time.Second+3*time.Millisecond, s.Frame(s.Ack(q, addr)))
	return at + 2*time.Second + 3*time.Millisecond
}

// Resolve adds the ARP exchange in which node asks for the rack.
func (p *Place) Resolve(c *Capture, at time.Duration, node Host) time.Duration {
	c.Add(at, ARP(1, node, Host{IP: p.Rack.Host.IP}))
	c.Add(at+200*time.Microsecond, ARP(2, p.Rack.Host, node))
	return at + 200*time.Microsecond
}

// Load adds a complete TFTP transfer from the rack.
func (p *Place) Load(c *Capture, at time.Duration, node Host, port uint16, file string, size int) time.Duration {
	return TFTPTransfer(c, at, TFTP{Client: node, Server: p.Rack.Host, ClientPort: port, File: file,
		Options: []string{"blksize", "1408", "tsize", "0"}, Size: size})
}

// HTTP adds one GET over a connection of its own.
func (p *Place) HTTP(c *Capture, at time.Duration, node Host, port uint16, path string, size int) time.Duration {
	v := c.Dial(at, node, port, p.Rack.Host, 80).Open()
	v.Send(false, []byte("GET "+path+" HTTP/1.1\r\nHost: 10.0.0.2\r\nUser-Agent: iPXE/1.21.1\r\n\r\n"))
	v.Send(true, append([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"), make([]byte, size)...))
	v.Close(true)
	return c.Packets[len(c.Packets)-1].At
}

// Boot adds a whole healthy boot of a BIOS machine: firmware DHCP, loader over
// TFTP, kernel over HTTP, and the DHCP of the system that was booted. It
// returns the offset of the last packet.
func (p *Place) Boot(c *Capture, at time.Duration, mac, addr string, xid uint32) time.Duration {
	node := NewHost(mac, addr)
	t := p.Lease(c, at, PXERom(mac), xid, addr, p.File)
	t = p.Resolve(c, t+100*time.Millisecond, node)
	t = p.Load(c, t+10*time.Millisecond, node, 2070, p.File, 20_000)
	t = p.Load(c, t+50*time.Millisecond, node, 49152, "pxelinux.cfg/01-"+mac, 300)
	t = p.HTTP(c, t+50*time.Millisecond, node, 49200, "/images/boot-kernel", 40_000)
	t = p.HTTP(c, t+50*time.Millisecond, node, 49201, "/images/boot-initrd", 60_000)
	return p.Lease(c, t+20*time.Second, Udhcpc(mac), xid+1, addr, "")
}
