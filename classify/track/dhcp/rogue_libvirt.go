package dhcp

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/wire"
)

// RuleRogueLibvirt is dhcp-rogue-libvirt.
var RuleRogueLibvirt = &finding.Rule{
	ID: "dhcp-rogue-libvirt", Ref: "FM-02", Severity: finding.Error, Confidence: finding.Certain,
	Title: "libvirt's DHCP server answers on the provisioning network",
	Detect: "An OFFER, ACK or NAK, or a REQUEST that names the server, of 192.168.122.1 or of another dnsmasq at .1 of a private /24 with a MAC of 52:54:00. " +
		"A score is added up: server id 192.168.122.1 (4), address in 192.168.122.0/24 (2), another private /24 with the server at .1 and a MAC of 52:54:00 (2), " +
		"source MAC 52:54:00 (2), dnsmasq's option order (1), T1 and T2 exactly 1/2 and 7/8 of the lease (1), lease 3600 s (1), option 28 (0.5), no boot file (1), " +
		"a client that is no guest, its MAC not 52:54:00 (2). It is reported from 4 and certain from 7, and only where it does harm: 192.168.122.1 to a client that is no guest, " +
		"to one that boots and is offered nothing to boot, to one that it refuses, or beside another DHCP server; any other address beside another DHCP server only.",
	Means: "A host's libvirt \"default\" network (a dnsmasq behind virbr0) reaches the wire: the bridge got a physical NIC, or a guest bridges it on. It hands out leases of " +
		"192.168.122.0/24 with a gateway that leads nowhere and no boot file, and it refuses (NAK) renewals of the right server's leases, because libvirt runs it as authoritative. " +
		"UEFI ignores its offers and repeats DISCOVER until PXE-E16; iPXE takes the last OFFER that it hears, so boots fail now and then; operating systems take the first.",
	Next: "Find the host by the server's MAC in the switches' MAC tables; there run \"virsh net-destroy default\" and \"virsh net-autostart --disable default\", " +
		"or take the physical NIC out of the bridge.",
	Traps: "Guests of a hypervisor are served by it on purpose: guests alone, served alone, are not reported, nor is a server whose every answer the capturing host itself sent, nor one on virbr*, vnet* and the like. A dnsmasq at .1 on a virtual machine may be the right server: alone it is not reported. " +
		"A lab built on libvirt may have its own server in 192.168.122.0/24: then the server id is not .1.",
	References: []string{"RFC 2131 section 4.3", "libvirt network XML, default network", "pxescope field catalogue FM-02, 3.2"},
	Rank:       finding.RankRogue,
}

// Scores at which libvirt is reported, and certain.
const (
	libvirtReport  = 4
	libvirtCertain = 7
)

var libvirtID = wire.Addr4([4]byte{192, 168, 122, 1})

// libvirt scores how much v looks like libvirt's server (field catalogue 3.2)
// and lists what counted. The score is 0 where it cannot be one or does no harm.
func (s *Servers) libvirt(v *server) (score float64, parts []string) {
	id := v.key.id
	other := id != libvirtID && isGuest(v.key.mac) && v.shape.isDnsmasq() && !v.shape.hasFile &&
		id.Is4() && id[15] == 1 && id.Netip().IsPrivate() && maskBits(v.terms.mask) == 24 && masked(id, v.terms.mask) == v.terms.subnet
	switch {
	case id == libvirtID && !s.leaks(v):
		return 0, nil
	case id != libvirtID && !(other && s.beside(v)):
		// A dnsmasq of a guest or of a libvirt network made for the purpose may
		// well be the only server there is, and the right one.
		return 0, nil
	}
	add := func(points float64, ok bool, what string) {
		if ok {
			score += points
			parts = append(parts, fmt.Sprintf("%s: %g", what, points))
		}
	}
	subnet, foreign := false, false
	for i := range v.served {
		c := &v.served[i]
		subnet = subnet || masked(c.addr, wire.Addr{12: 255, 13: 255, 14: 255}) == wire.Addr{10: 0xff, 11: 0xff, 12: 192, 13: 168, 14: 122}
		foreign = foreign || !isGuest(c.mac)
	}
	add(4, id == libvirtID, "server id 192.168.122.1")
	add(2, subnet, "address in 192.168.122.0/24")
	add(2, other, "private /24 with the server at .1 and a MAC of 52:54:00")
	add(2, isGuest(v.key.mac), "source MAC 52:54:00")
	add(1, v.shape.isDnsmasq(), "dnsmasq's option order")
	add(1, v.shape.halves(), "T1 and T2 are 1/2 and 7/8 of the lease")
	add(1, v.shape.known && v.shape.lease == 3600, "lease 3600 s")
	add(0.5, v.shape.known && v.shape.has28, "option 28")
	add(1, v.shape.known && !v.shape.hasFile, "no boot file")
	add(2, foreign, "a client that is no guest")
	return score, parts
}

// leaks reports whether a libvirt server is where it should not be. Guests that
// it serves alone are its own business.
func (s *Servers) leaks(v *server) bool {
	for i := range v.served {
		if !isGuest(v.served[i].mac) {
			return true
		}
	}
	if v.cooked && !v.foreign && v.offers+v.acks+v.naks > 0 {
		return false // the capturing host is the hypervisor, and only guests are served
	}
	if v.bootless > 0 && v.boot == 0 || v.naks > 0 {
		return true
	}
	return s.beside(v)
}

// beside reports whether another server gives addresses on the segment of v,
// or is asked for one.
func (s *Servers) beside(v *server) bool {
	found := false
	s.servers.Each(func(_ serverKey, u *server, _ capture.Time) {
		found = found || u != v && (u.gave || u.named > 0) && !same(u, v) && shareSegment(u, v)
	})
	return found
}
