package filter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
)

// extra are the terms that keep the rest of the conversations: what has no
// port of its own, or has lost it.
func (b *builder) extra(want []selected) []string {
	var udp, tftp, rpc, ports, ip4 bool
	have := make(map[string]bool)
	for _, s := range want {
		have[s.ID] = true
		tftp = tftp || s.ID == "tftp"
		rpc = rpc || len(s.Programs) > 0
		for _, p := range s.Ports {
			ports = true
			udp = udp || p.Proto == catalog.UDP && p.Use != catalog.Listed
		}
	}
	if b.only { // of the part with files, TFTP's data alone
		return tftpData
	}
	ip4 = b.link != capture.LinkIPv6
	var out []string
	if ports {
		if ip4 {
			out = append(out, laterFragments)
			b.warn("fragments", "later IP fragments have no ports: those of every conversation pass", "narrow it with --host or --net")
		}
		if b.link != capture.LinkIPv4 {
			out = append(out, "ip6 proto 0 or 43 or 44 or 60")
			b.warn("ip6-headers", "classic BPF cannot follow IPv6 extension headers: every packet that has one passes", "")
		}
		for _, t := range []string{"icmp", "icmp6", "arp"} {
			id := map[string]string{"icmp": "icmp", "icmp6": "icmpv6", "arp": "arp"}[t]
			if !have[id] && (t != "arp" || !b.onlyIPPackets()) {
				out = append(out, t)
			}
		}
	}
	// What reads far into a packet comes last: a packet that ends before it is
	// lost to all that is left.
	if tftp {
		out = append(out, tftpData...)
		b.warn("tftp-data", "TFTP data is told by the first two bytes of its messages: 1 in 16,384 other UDP packets passes too", "narrow it with --host, --net or --mac")
	}
	if rpc {
		out = append(out, rpcCalls...)
		b.warn("rpc-tcp", "mountd, lockd and statd speak on ports that portmap tells: over UDP they are told by their headers, over TCP the calls alone, and no reply that shares its segment with others",
			"look the ports up with 'rpcinfo -p SERVER' and add them: --expr, or a catalog file")
	}
	return out
}

// laterFragments have no ports.
const laterFragments = "ip[6:2] & 0x1fff != 0"

// TFTP messages other than requests (RFC 1350 section 5, RFC 2347): DATA, ACK,
// ERROR and OACK begin with 3 to 6. udp[...] is IPv4; in IPv6 UDP is at 40.
var tftpData = []string{
	"(udp[8:2] > 2 and udp[8:2] < 7)",
	"(ip6[6] = 17 and ip6[48:2] > 2 and ip6[48:2] < 7)",
}

// ONC RPC (RFC 5531 section 9): xid, then 0 and version 2 of a call, or 1 and
// a reply state of 0 or 1. Over TCP a record mark of 4 bytes comes first.
var rpcCalls = []string{
	"(udp[12:4] = 0 and udp[16:4] = 2)", "(udp[12:4] = 1 and udp[16:4] < 2)",
	"(ip6[6] = 17 and (ip6[52:4] = 0 and ip6[56:4] = 2 or (ip6[52:4] = 1 and ip6[56:4] < 2)))",
	"(tcp[(tcp[12] >> 4 << 2) + 8:4] = 0 and tcp[(tcp[12] >> 4 << 2) + 12:4] = 2)",
}

// tell adds what the text loses.
func (b *builder) tell(want []selected) {
	var unseen []string
	for _, s := range want {
		if slices.ContainsFunc(s.Frames, func(k catalog.FrameKind) bool { return b.frameKind(k) == nil }) {
			unseen = append(unseen, s.ID)
		}
	}
	if len(unseen) > 0 {
		b.warn("not-on-link", fmt.Sprintf("%s cannot be told on %s", strings.Join(unseen, ", "), b.link), "capture on the interface itself (EN10MB)")
	}
	has := func(id string) bool { return slices.ContainsFunc(want, func(s selected) bool { return s.ID == id }) }
	for _, s := range want {
		if b.Complete {
			break
		}
		if s.ID == "tftp" {
			b.warn("tftp-data", "the transfer itself runs between other ports: this keeps requests only", "add --complete")
		}
		if len(s.Programs) > 0 && len(s.Ports) == 0 {
			b.warn("rpc-ports", s.ID+" has no fixed port: portmap tells it", "add --complete")
		}
	}
	if has("dhcp") && !has("proxydhcp") && !b.Complete {
		b.warn("proxydhcp", "boot servers answer on port 4011: this keeps none of it", "add the service proxydhcp")
	}
	if b.VLAN == VLANDefault && !b.Complete && b.link == capture.LinkEthernet && len(want) > 0 && (b.Expr == nil || !usesLayers(b.Expr.root)) {
		if b.Live { // the kernel took the first tag off
			b.warn("vlan", "frames with a second VLAN tag do not match", "add --vlan any, or --complete")
		} else {
			b.warn("vlan", "VLAN-tagged frames in files and on mirror ports do not match", "add --vlan any, or --complete")
		}
	}
	if len(b.MACs) > 0 {
		b.warn("mac-routed", "behind a router frames carry the router's MAC address", "use --host as well, or capture on the machine's own segment")
	}
	if len(b.MACs) > 0 && !b.Complete && (has("dhcp") || len(want) == 0) {
		b.warn("mac-broadcast", "DHCP replies that are broadcast, or pass a relay, have the machine's MAC address inside only", "name dhcp, with --complete")
	}
	if len(b.Hosts)+len(b.Nets) > 0 && slices.ContainsFunc(want, func(s selected) bool { return unaddressed(s.Service) }) {
		b.warn("no-address", "DHCP and link protocols are kept whatever the addresses: a booting machine has none yet", "narrow them with --mac")
	}
	if b.Complete && b.link == capture.LinkEthernet && b.VLAN == VLANDefault {
		b.warn("tunnels", "what is inside of tunnels (VXLAN, GRE, MPLS, PPPoE) or behind a third tag does not match", "capture inside of the tunnel")
	}
	if b.Live && b.link == capture.LinkEthernet && (b.Complete || b.VLAN != VLANDefault) {
		b.warn("live-vlan", "the program for live sockets reads the VLAN tag beside the packet; in iptables and on files it is wrong", "compile with --for file for those")
	}
}
