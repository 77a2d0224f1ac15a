package filter

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/pxescope/pxescope/capture/synth"
)

// A sample is a conversation, in one of the forms in which it is seen.
type sample struct {
	id     string // of the finding when some of it is lost
	name   string
	why    string
	do     string
	frames []sampleFrame
	tagged bool // the first of its family, with tags
	// services of the catalog that the family is of; of its first sample.
	services []string
}

type sampleFrame struct {
	label string
	data  []byte
}

// samples are grouped by what the conversation is. Server and client have the
// addresses that the expression asks for.
func samples(e *Expr) [][]sample {
	server, client := ends(e)
	rack := synth.Host{MAC: synth.MAC("52:54:00:00:00:02"), IP: server}
	node := synth.Host{MAC: synth.MAC("52:54:00:12:34:56"), IP: client}
	if m, ok := macOf(e.root); ok {
		node.MAC = m
	}
	dhcp := leaseSample(rack, node)
	tftp := tftpSample(rack, node, 512)
	return [][]sample{
		of(append(forms("DHCP", dhcp), proxySample(rack, node), fragmentSample("a DHCP reply of 1,900 bytes", synth.UDP(rack, node, 67, 68, append([]byte{2, 1, 6, 0}, make([]byte, 1896)...)))), "dhcp", "proxydhcp"),
		of(append(formsOf("tftp-data", "TFTP", "only the request goes to port 69, the transfer runs between two other ports", "pxescope filter tftp --complete", tftp),
			fragmentSample("a TFTP block of 1,900 bytes", synth.UDP(rack, node, 69, 2070, synth.TFTPData(1, make([]byte, 1900))))), "tftp"),
		of(formsOf("rpc-ports", "mounting the root over NFS", "mountd listens on a port that only portmap knows", "pxescope filter portmap rpc-mount nfs --complete", mountSample(rack, node)), "portmap", "rpc-mount"),
		of(forms("HTTP boot on port 80", httpSample(rack, node, 80)), "http"),
		of(forms("MAAS HTTP boot on port 5248", httpSample(rack, node, 5248)), "maas-http-boot"),
		of(forms("MAAS metadata on port 5240", httpSample(rack, node, 5240)), "maas-region"),
		of(forms("DNS", []sampleFrame{
			{"query", synth.UDP(node, rack, 40000, 53, make([]byte, 30))}, {"answer", synth.UDP(rack, node, 53, 40000, make([]byte, 60))},
		}), "dns"),
		of(forms("NTP", []sampleFrame{
			{"request", synth.UDP(node, rack, 40001, 123, make([]byte, 48))}, {"answer", synth.UDP(rack, node, 123, 40001, make([]byte, 48))},
		}), "ntp"),
		of(forms("DHCPv6", dhcp6Sample(node)), "dhcp6"),
		of(forms("ARP", []sampleFrame{{"request", synth.ARP(1, node, rack)}, {"reply", synth.ARP(2, rack, node)}}), "arp"),
	}
}

// of says whose conversation a family is.
func of(family []sample, services ...string) []sample {
	family[0].services = services
	return family
}

// forms are a conversation as it is, in a VLAN, and in a VLAN inside another.
func forms(name string, frames []sampleFrame) []sample {
	return formsOf("plain", name, "one direction or one kind of message does not match", "look at the terms one by one", frames)
}

func formsOf(id, name, why, do string, frames []sampleFrame) []sample {
	out := []sample{{id: id, name: name, why: why, do: do, frames: frames}}
	const vlan = "'port', 'host' and protocols look at untagged frames only"
	const fix = "A or (vlan and A), or: pxescope filter NAME --vlan any"
	return append(out,
		sample{"vlan", name + " in a VLAN", vlan, fix, tagged(frames, 30), true, nil},
		sample{"priority-tag", name + " with a priority tag (VLAN 0)", vlan, fix, tagged(frames, 0), true, nil},
		sample{"qinq", name + " in a VLAN inside a VLAN (QinQ)", "a second tag needs a second 'vlan'", "A or (vlan and (A or (vlan and A)))", tagged(frames, 30, 100), true, nil})
}

func tagged(frames []sampleFrame, tags ...uint16) []sampleFrame {
	out := make([]sampleFrame, len(frames))
	for i, f := range frames {
		d := append([]byte(nil), f.data[:12]...)
		for _, t := range tags {
			d = append(d, 0x81, 0x00, byte(t>>8), byte(t))
		}
		out[i] = sampleFrame{f.label, append(d, f.data[12:]...)}
	}
	return out
}

func leaseSample(rack, node synth.Host) []sampleFrame {
	c := synth.PXERom(macText(node.MAC))
	place := synth.NewPlace()
	place.Rack.Host = rack
	d := c.Discover(0x5201, 0)
	o := place.Rack.Offer(d, node.IP.String())
	q := c.Request(o, 4)
	return []sampleFrame{
		{"DHCPDISCOVER, 0.0.0.0.68 > 255.255.255.255.67", d.Broadcast()}, {"DHCPOFFER", place.Rack.Frame(o)},
		{"DHCPREQUEST", q.Broadcast()}, {"DHCPACK", place.Rack.Frame(place.Rack.Ack(q, node.IP.String()))},
	}
}

// proxySample is the dialog of PXE 2.1 section 2.2.4: the client asks the boot
// server that it chose for the file.
func proxySample(rack, node synth.Host) sample {
	c := synth.PXERom(macText(node.MAC))
	place := synth.NewPlace()
	place.Rack.Host = rack
	q := c.Request(place.Rack.ProxyOffer(c.Discover(0x5201, 0)), 4)
	return sample{id: "proxydhcp", name: "the boot server's dialog on port 4011", why: "it belongs to DHCP and has its own port", do: "pxescope filter dhcp proxydhcp", frames: []sampleFrame{
		{"DHCPREQUEST to the boot server, port 4011", q.Unicast(node, rack, 4011, 4011)},
		{"DHCPACK from port 4011", place.Rack.Ack(q, node.IP.String()).Unicast(rack, node, 4011, 4011)},
	}}
}

func fragmentSample(name string, frame []byte) sample {
	s := sample{id: "fragments", name: name + " in IP fragments", why: "only the first fragment has ports", do: "add: or ip[6:2] & 0x1fff != 0"}
	for i, f := range synth.Fragments(frame, 1500) {
		s.frames = append(s.frames, sampleFrame{fmt.Sprintf("IP fragment %d", i+1), f})
	}
	return s
}

func tftpSample(rack, node synth.Host, size int) []sampleFrame {
	out := []sampleFrame{{"read request, to port 69", synth.UDP(node, rack, 2070, 69, synth.TFTPRead("lpxelinux.0", "octet", "blksize", "512"))},
		{"OACK, from port 49200", synth.UDP(rack, node, 49200, 2070, synth.TFTPOack("blksize", "512"))},
		{"ACK 0, port 2070 to 49200", synth.UDP(node, rack, 2070, 49200, synth.TFTPAck(0))}}
	for b := range uint16(3) {
		out = append(out, sampleFrame{fmt.Sprintf("DATA %d, port 49200 to 2070", b+1), synth.UDP(rack, node, 49200, 2070, synth.TFTPData(b+1, make([]byte, size-int(b))))},
			sampleFrame{fmt.Sprintf("ACK %d, port 2070 to 49200", b+1), synth.UDP(node, rack, 2070, 49200, synth.TFTPAck(b+1))})
	}
	return out
}

func mountSample(rack, node synth.Host) []sampleFrame {
	const mountd = 58231
	return []sampleFrame{
		{"portmap GETPORT, to port 111", synth.UDP(node, rack, 800, 111, synth.PortmapGetport(1, 100005, 3, 17))},
		{"its reply", synth.UDP(rack, node, 111, 800, synth.RPCReply(1, synth.Words(mountd)))},
		{"MNT, to port 58231", synth.UDP(node, rack, 801, mountd, synth.MountMNT(2, 3, "node", "/install"))},
		{"its reply", synth.UDP(rack, node, mountd, 801, synth.MountReply(2, 0))},
	}
}

func httpSample(rack, node synth.Host, port uint16) []sampleFrame {
	var c synth.Capture
	v := c.Dial(0, node, 49300, rack, port).Open()
	v.Send(false, []byte("GET /boot-kernel HTTP/1.1\r\nHost: rack\r\n\r\n"))
	v.Send(true, append([]byte("HTTP/1.1 200 OK\r\n\r\n"), make([]byte, 2000)...))
	v.Close(true)
	var out []sampleFrame
	for i, f := range c.Packets {
		out = append(out, sampleFrame{fmt.Sprintf("packet %d of the connection, %v after its start", i+1, f.At.Round(time.Millisecond)), f.Data})
	}
	return out
}

func dhcp6Sample(node synth.Host) []sampleFrame {
	c := synth.Host{MAC: node.MAC, IP: netip.MustParseAddr("fe80::5054:ff:fe12:3456")}
	group := synth.Host{MAC: synth.MAC("33:33:00:01:00:02"), IP: netip.MustParseAddr("ff02::1:2")}
	s := synth.Host{MAC: synth.MAC("52:54:00:00:00:02"), IP: netip.MustParseAddr("fe80::5054:ff:fe00:2")}
	return []sampleFrame{
		{"SOLICIT, to ff02::1:2 port 547", synth.UDP(c, group, 546, 547, []byte{1, 0, 0, 1})},
		{"ADVERTISE", synth.UDP(s, c, 547, 546, []byte{2, 0, 0, 1})},
	}
}

func macText(m [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// ends are addresses for server and client that an expression lets through.
func ends(e *Expr) (server, client netip.Addr) {
	found := addresses(e.root, nil)
	server, client = netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.57")
	if len(found) > 0 {
		server = found[0]
		if client = found[0].Next(); !client.Is4() {
			client = found[0].Prev()
		}
	}
	if len(found) > 1 {
		client = found[1]
	}
	return server, client
}

// addresses are the IPv4 hosts of an expression, and two of each net; what is
// behind 'not' is no address to take.
func addresses(n node, out []netip.Addr) []netip.Addr {
	switch n := n.(type) {
	case joined:
		return addresses(n.r, addresses(n.l, out))
	case hostTerm:
		switch {
		case !n.addr.Is4():
		case n.net && n.bits >= 0 && n.bits < 31:
			a := n.addr.Next()
			return append(out, a, a.Next())
		case n.addr.As4()[0] < 224 && n.addr.As4()[0] != 0:
			return append(out, n.addr)
		}
	}
	return out
}

func macOf(n node) ([6]byte, bool) {
	switch n := n.(type) {
	case joined:
		if m, ok := macOf(n.l); ok {
			return m, true
		}
		return macOf(n.r)
	case etherHost:
		return n.mac, n.mac[0]&1 == 0
	}
	return [6]byte{}, false
}
