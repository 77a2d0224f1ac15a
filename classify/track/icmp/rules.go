package icmp

import "github.com/pxescope/pxescope/classify/finding"

// RuleBlocked: a device on the path says that it does not let a packet through.
var RuleBlocked = &finding.Rule{
	ID:         "blocked-by-firewall",
	Ref:        "FM-38",
	Severity:   finding.Error,
	Confidence: finding.Certain,
	Title:      "A firewall or router rejects the traffic",
	Detect: "An ICMP error quotes a packet of a known service, or of a port learnt from the traffic: administratively prohibited (type 3 code 9, 10 or 13; " +
		"ICMPv6 type 1 code 1, 5 or 6) from anyone, the server included; or any other destination unreachable (net, host, protocol, port) from a machine that is " +
		"not the one the packet was for. Host or net unreachable is a warning until the second one; \"no route\" of an IPv6 router stays a warning, because clients fall back to IPv4. A server's reply that is prohibited, or finds no route, on its way to the client counts for the client. Certain when it is administratively prohibited, else likely.",
	Means: "In order of likelihood: a firewall on the server rejects the port (firewalld's default answer is code 10, host prohibited); an access list on a router or a " +
		"firewall between the node's network and the server; with host unreachable, the router finds nobody at the address: the server is off or in another network; with net unreachable, the router has no route.",
	Next: "The finding names the machine that sent the ICMP error: look at its rules first. Then try the port from the node's network.",
	Traps: "Not reported: port unreachable from the server itself, which is the protocol's own finding (nothing listens there); any unreachable that a client sends for late replies to a " +
		"port it has closed, or that its router or NAT sends for it after it went away; errors about traffic of no known service; fragmentation needed, which is path-mtu-black-hole's; an error that a machine sends to itself. " +
		"ICMP errors are limited in rate: one of them may stand for many packets.",
	References: []string{"RFC 792", "RFC 1812 section 5.2.7.1", "RFC 1812 section 4.3.2.8", "RFC 4443 section 3.1"},
	Rank:       finding.RankTransfer,
}
