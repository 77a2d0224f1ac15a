package firewall

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/classify/catalog"
)

func prefixes(text ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(text))
	for i, t := range text {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// groups are where services speak besides their servers' addresses (IANA
// multicast address registries; MAAS's provisioningserver/utils/beaconing.py).
var groups = map[string][]netip.Prefix{
	"maas-beacon": prefixes("224.0.0.118/32", "ff02::15a/128"),
	"mdns":        prefixes("224.0.0.251/32", "ff02::fb/128"),
	"ssdp":        prefixes("239.255.255.250/32", "ff02::c/128"),
}

var (
	broadcast  = prefixes("255.255.255.255/32")
	linkLocal  = prefixes("fe80::/10")
	dhcpAgents = prefixes("ff02::1:2/128") // All_DHCP_Relay_Agents_and_Servers, RFC 8415 section 7.1
	dhcpSite   = prefixes("ff05::1:3/128") // All_DHCP_Servers
)

func port(n ...uint16) []catalog.Range {
	var out []catalog.Range
	for _, p := range n {
		out = append(out, catalog.Range{First: p, Last: p})
	}
	return out
}

// dhcp: a client without an address speaks from 0.0.0.0 to everybody, and what
// answers it shares no address with the question: conntrack pairs neither.
func (b *builder) dhcp(s *catalog.Service) {
	nodes := side{nodes: true}
	known := side{nodes: true, nets: b.NodeNets}
	racks := b.sides([]catalog.Role{catalog.Rack}, false, false)[0]
	r := Rule{Service: s.ID, Family: IPv4, Protocol: uint8(catalog.UDP), SrcPorts: port(68), DstPorts: port(67)}
	r.Why = "DHCP from a client, which has no address yet"
	b.add(r, nodes, side{nets: broadcast})
	r.Why = "DHCP renewal, unicast to the server"
	b.add(r, known, racks)
	if len(b.BMCNets) > 0 {
		r.Why = "DHCP from a BMC"
		b.add(r, side{}, side{nets: broadcast})
		b.add(r, side{nets: b.BMCNets}, racks)
	}
	r.Why, r.SrcPorts = "DHCP from a relay, whichever of its addresses it speaks from", port(67)
	b.add(r, side{}, racks)
	if b.Hook == Input {
		return
	}
	r.Why, r.DstPorts = "DHCP answer to a relay: to giaddr, not always where the question came from", port(67)
	b.add(r, racks, side{})
	r.Why, r.DstPorts = "DHCP answer and NAK to a client, broadcast or to the address offered", port(68)
	b.add(r, racks, side{nodes: true, nets: slices.Concat(b.NodeNets, ifAny(b.NodeNets, broadcast))})
	if len(b.BMCNets) > 0 {
		r.Why = "DHCP answer and NAK to a BMC"
		b.add(r, racks, side{nets: slices.Concat(b.BMCNets, broadcast)})
	}
}

// ifAny is then when there is something, and nothing (any address) otherwise.
func ifAny(nets, then []netip.Prefix) []netip.Prefix {
	if len(Family(IPv4).of(nets)) == 0 {
		return nil
	}
	return then
}

// dhcp6: questions go to a group, so that answers are no replies to conntrack.
// RFC 8415 section 7.2 fixes the ports that are listened on, not those spoken
// from.
func (b *builder) dhcp6(s *catalog.Service) {
	r := Rule{Service: s.ID, Family: IPv6, Protocol: uint8(catalog.UDP), DstPorts: port(547)}
	nodes := side{nodes: true, nets: linkLocal}
	r.Why = "DHCPv6 from a client, multicast on the link"
	b.add(r, nodes, side{nets: dhcpAgents})
	racks := b.sides([]catalog.Role{catalog.Rack}, false, false)[0]
	r.Why = "DHCPv6 from a relay"
	if len(racks.nets) == 0 {
		b.add(r, side{}, side{})
	} else {
		b.add(r, side{}, side{nets: slices.Concat(Family(IPv6).of(racks.nets), dhcpSite)})
	}
	if b.Hook == Input {
		return
	}
	r.Why = "DHCPv6 answer to a relay"
	b.add(r, racks, side{})
	r.Why, r.DstPorts = "DHCPv6 answer to a client on a bridged link", port(546)
	b.add(r, side{nets: linkLocal}, side{nodes: true, nets: linkLocal})
}

// icmp: errors that quote a known flow pass as related, all others are invalid.
// What remains is echo, with which a DHCP server looks whether an address is
// free (RFC 2131 section 2.2).
func (b *builder) icmp(s *catalog.Service) {
	b.bothWays(Rule{Service: s.ID, Family: IPv4, Protocol: 1, ICMPTypes: []uint8{8},
		Why: "echo; errors (too big, unreachable) have passed as related"}, b.NodeNets)
}

// icmp6: what RFC 4890 sections 4.3 and 4.4 say must not be dropped, without the
// errors, which are related. Neighbour and router discovery and MLD stay on the
// link: a router's forward hook does not see them, a bridge's does. They come
// from link-local addresses and from none.
func (b *builder) icmp6(s *catalog.Service) {
	r := Rule{Service: s.ID, Family: IPv6, Protocol: 58}
	if s.ID == "icmpv6-ra" {
		r.ICMPTypes, r.Why = []uint8{133, 134}, "router discovery on the link"
	} else {
		r.ICMPTypes = []uint8{128, 130, 131, 132, 135, 136, 143}
		r.Why = "echo, neighbour discovery, multicast listeners; errors have passed as related"
	}
	b.bothWays(r, nil)
}

func (b *builder) bothWays(r Rule, nets []netip.Prefix) {
	nodes := side{nodes: true, nets: nets}
	b.add(r, nodes, side{})
	if b.Hook == Forward {
		b.add(r, side{}, nodes)
	}
}

// rest drops what else comes from or goes to the nodes, and nothing of others
// as far as the node side is known.
func (b *builder) rest() {
	r := Rule{Drop: true, Why: "all else from the nodes"}
	nodes := side{nodes: true}
	if b.Iface == "" {
		nodes.nets = b.NodeNets
	}
	if b.Iface == "" && len(b.NodeNets) == 0 {
		r.Why = "all else"
	}
	b.add(r, nodes, side{})
	if b.Hook == Forward && (b.Iface != "" || len(b.NodeNets) > 0) {
		r.Why = "all else to the nodes"
		b.add(r, side{}, nodes)
	}
}

func (b *builder) notes() {
	n := func(parts ...string) { b.p.Notes = append(b.p.Notes, strings.Join(parts, "")) }
	has := func(id string) bool {
		return slices.ContainsFunc(b.p.Rules, func(r Rule) bool { return r.Service == id })
	}
	if b.Iface == "" && len(b.NodeNets) == 0 {
		n("no node side is given: all else that is forwarded is dropped, whoever sends it; restrict with --iface or --node-net")
	}
	if b.Hook == Input {
		n("only traffic from the nodes is judged; what this machine starts itself, and what comes from elsewhere, is not")
		if len(b.Regions) == 0 {
			n("no --region is given: the region is taken to run on this machine too")
		}
	}
	if len(b.p.TFTPPorts) > 0 {
		n("tftp: data runs between two other ports; it passes as related thanks to the helper, which needs the kernel module nf_conntrack_tftp")
		n("tftp: through NAT it needs nf_nat_tftp as well, and no rule here can see to that; a server that answers from another address is never related")
	}
	if has("rpc-mount") {
		n("rpc-mount: mountd takes any port unless it is pinned; for 20048 write port=20048 under [mountd] in /etc/nfs.conf and restart it; see rpcinfo -p")
	}
	if len(b.dynamic) > 0 {
		n(strings.Join(b.dynamic, ", "), ": ports come from portmap at run time and cannot be expressed; pin them under [lockd] and [statd] in /etc/nfs.conf, then add them, or mount with nolock or NFS version 4")
	}
	if slices.ContainsFunc(b.p.Rules, func(r Rule) bool { return len(r.SrcPorts) > 0 && r.SrcPorts[0] == catalog.Reserved }) {
		n("source ports 1-1023 are matched where the service's clients bind them; NFS mounts with noresvport do not")
	}
	if has("mtftp") {
		n("mtftp: data is multicast to a group that the boot server chooses; it is not opened")
	}
	if has("dhcp") && b.Hook == Input {
		n("dhcp: ISC dhcpd and Kea read broadcasts before any rule here; the rules count for unicast, relays and other servers")
	}
	if has("dhcp") && b.Hook == Forward {
		n("dhcp: a router forwards no broadcast; a relay on this router itself needs rules for input and output; the broadcast rules count on a bridge (br_netfilter)")
	}
	n("arp, LLDP, STP, LACP and 802.1X are no IP: these rules do not see them; do not drop them elsewhere")
	if len(b.unnamed) > 0 {
		n("not opened for want of their addresses: flows from ", strings.Join(b.unnamed, ", "), " (--bmc-net, --admin-net, --rack, --region)")
	}
	if len(b.absent) > 0 {
		n("no rule, since no flow of theirs passes here as far as addresses are given: ", strings.Join(b.absent, ", "))
	}
}
