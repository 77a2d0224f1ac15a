package dhcp

import (
	"bytes"
	"slices"

	"github.com/pxescope/pxescope/classify/wire"
)

// A shape is what an OFFER or ACK gives away of the program that sent it:
// servers differ in the order of options and in the IP header (field catalogue
// 3.4, measured in a lab with the versions that Debian 12 has).
type shape struct {
	known   bool
	direct  bool // the IP header is as the server sent it
	order   []byte
	ttl     uint8
	tos     uint8
	lease   uint32
	t1, t2  uint32
	timers  bool // both t1 and t2 were sent
	has28   bool
	hasFile bool // 66, 67, sname or file
	domain  string
}

// maxOrder bounds the option codes kept: servers send 8 to 20.
const maxOrder = 48

// read takes the shape of an answer with an address. The first one stands for
// the program, the values are of the latest.
func (p *shape) read(f *wire.Frame, m Message, o *Options) {
	if !p.known {
		p.known = true
		p.direct = m.GIAddr().IsZero() && initialTTL(f.TTL)
		p.order = slices.Clone(o.Order()[:min(len(o.Order()), maxOrder)])
		p.ttl, p.tos = f.TTL, f.TOS
	}
	p.lease, _ = o.Uint32(OptLeaseTime)
	var ok1, ok2 bool
	p.t1, ok1 = o.Uint32(OptRenewalTime)
	p.t2, ok2 = o.Uint32(OptRebindingTime)
	p.timers = ok1 && ok2
	p.has28 = o.Has(OptBroadcast)
	p.hasFile = len(fileName(m, o)) > 0 || o.Has(OptTFTPServerName)
	if d := o.Get(OptDomainName); string(d) != p.domain {
		p.domain = clip(o.String(OptDomainName))
	}
}

// halves reports whether T1 is half the lease and T2 seven eighths of it, as
// dnsmasq always sends them.
func (p *shape) halves() bool {
	return p.timers && p.lease != 0 && p.t1 == p.lease/2 && uint64(p.t2) == uint64(p.lease)*7/8
}

// dnsmasqOrder is how dnsmasq lays out its own options; those of the operator
// follow or stand between.
var dnsmasqOrder = []byte{53, 54, 51, 66, 67, 58, 59, 1, 28, 3, 6, 15, 12}

func (p *shape) isDnsmasq() bool {
	return p.known && bytes.HasPrefix(p.order, []byte{53, 54, 51}) && bytes.Contains(p.order, []byte{58, 59}) &&
		subsequence(p.order, dnsmasqOrder)
}

// subsequence reports whether those of codes that stand in order do so in the
// order of codes.
func subsequence(order, codes []byte) bool {
	last := -1
	for _, c := range order {
		i := bytes.IndexByte(codes, c)
		switch {
		case i < 0:
		case i < last:
			return false
		default:
			last = i
		}
	}
	return true
}

// program names the server's program, empty when nothing fits. ISC dhcpd and
// udhcpd lay out options alike, so without the IP header they are not told
// apart.
func (p *shape) program() string {
	o := p.order
	switch {
	case !p.known || len(o) < 4:
		return ""
	case bytes.HasPrefix(o, []byte{53, 1, 58, 59, 51, 54}):
		return "Windows Server"
	case p.isDnsmasq() && (!p.direct || p.ttl == 64):
		return "dnsmasq"
	case bytes.HasPrefix(o, []byte{53, 51}) && o[len(o)-1] == OptServerID:
		return "systemd-networkd"
	case bytes.HasPrefix(o, []byte{53, 54, 51}) && p.direct && p.ttl == 128 && p.tos == 0x10:
		return "ISC dhcpd"
	case bytes.HasPrefix(o, []byte{53, 54, 51}) && p.direct && p.ttl == 64 && p.tos == 0 && ascending(o[3:]):
		return "busybox udhcpd"
	case o[0] == OptMessageType && ascending(o[1:]) && (!p.direct || p.ttl == 128):
		return "Kea"
	case o[0] != OptMessageType && ascending(o):
		return "a Go server (insomniacslk/dhcp)"
	}
	return ""
}

// ascending reports whether codes ascend, but for relay information at the end.
func ascending(codes []byte) bool {
	if n := len(codes); n > 0 && codes[n-1] == OptRelayAgent {
		codes = codes[:n-1]
	}
	return slices.IsSorted(codes)
}

// uninvited names the kind of server that nobody means to have on a
// provisioning network: the ones that virtualization software and connection
// sharing bring along (field catalogue 3.2). It is empty for others, and for
// libvirt, which has a rule of its own.
func (v *server) uninvited() string {
	id, mac := v.key.id, v.key.mac
	if !id.Is4() {
		return ""
	}
	a := id.As4()
	switch {
	case a == [4]byte{192, 168, 56, 100} && (mac.IsZero() || prefix(mac, 0x08, 0x00, 0x27)):
		return "VirtualBox host-only network"
	case a == [4]byte{10, 0, 2, 2} && (prefix(mac, 0x52, 0x54, 0x00) || prefix(mac, 0x52, 0x55, 0x0a)):
		return "VirtualBox or QEMU user network"
	case a[3] == 254 && prefix(mac, 0x00, 0x50, 0x56):
		return "VMware network"
	case a == [4]byte{192, 168, 137, 1} && v.shape.program() != "dnsmasq":
		return "Windows connection sharing"
	case a[0] == 10 && a[3] == 1 && prefix(mac, 0x00, 0x16, 0x3e) && v.shape.isDnsmasq() && v.shape.domain == "lxd":
		return "LXD bridge"
	}
	return ""
}

// homeRouter reports whether the server id is the usual one of home routers:
// worth a word, never a reason.
func (v *server) homeRouter() bool {
	switch v.key.id.As4() {
	case [4]byte{192, 168, 0, 1}, [4]byte{192, 168, 1, 1}, [4]byte{192, 168, 2, 1}, [4]byte{192, 168, 178, 1}:
		return v.key.id.Is4() && v.boot == 0
	}
	return false
}

func prefix(mac wire.MAC, a, b, c byte) bool { return mac[0] == a && mac[1] == b && mac[2] == c }

// isGuest reports whether mac is one that libvirt and QEMU give to guests.
func isGuest(mac wire.MAC) bool { return prefix(mac, 0x52, 0x54, 0x00) }
