package tcp

import "github.com/pxescope/pxescope/classify/finding"

// RuleSYNUnanswered: nobody answers a client's connection attempts.
var RuleSYNUnanswered = &finding.Rule{
	ID:         "tcp-syn-unanswered",
	Ref:        "FM-21",
	Severity:   finding.Error,
	Confidence: finding.Certain,
	Title:      "TCP connection attempts got no answer",
	Detect: "At least syn_tries SYNs of one client to one address and port of a known service, new source ports included, " +
		"the first one syn_grace ago and the last one a second ago, without a SYN/ACK, a RST or an ICMP error. The same finding, " +
		"marked half_open and likely, when the server does answer, at least syn_tries times, and the client repeats its SYN all " +
		"the same: the answers are lost on the way back. It falls to a note when the server answers after all, and to a warning when another " +
		"server of the same port answered the client meanwhile.",
	Means: "The packets are dropped, not refused. In order of likelihood: a firewall on the way or on the server drops the port; " +
		"the server is down or has another address; there is no route from the node's network to the server's, or none back; " +
		"half_open: the way back differs from the way there, and a stateful firewall or a wrong gateway on it swallows the SYN/ACK.",
	Next: "Try the port from the node's network (curl, nc). Capture on the server: SYNs that arrive there point at the server's own firewall " +
		"or its default gateway, SYNs that do not at the path.",
	Traps: "Not reported: a single lost SYN; the IPv6 attempt of a client that connects by IPv4 meanwhile (RFC 8305), and the other way round; " +
		"scans, which try many ports; attempts that an ICMP error answers; a capture that ends before the grace has passed; " +
		"portmap and mountd, which clients try over UDP as well (rpc-portmap-no-answer, rpc-mount-no-answer); " +
		"sessions that began before the capture, however long they are idle. A capture that shows one direction only cannot tell.",
	References: []string{"RFC 9293 section 3.5", "RFC 6298 section 2", "RFC 8305 section 5"},
	Absence:    true,
	Rank:       finding.RankRoot,
}

// RuleRefused: the server resets a client's connection attempts.
var RuleRefused = &finding.Rule{
	ID:         "tcp-refused",
	Ref:        "FM-22",
	Severity:   finding.Error,
	Confidence: finding.Certain,
	Title:      "TCP connection refused",
	Detect: "A SYN to a known service is answered by a RST that acknowledges it, or by ICMP port unreachable from the server itself: " +
		"refused_tries times, each within refused_window of the one before; or once, for a service that the boot stands on, when the client " +
		"gives up: it does not try again for refused_window. It is taken back when the server accepts a connection within refused_window of " +
		"the first refusal, and falls to a note when it does so later.",
	Means: "The packets reach a machine that has nothing there. In order of likelihood: the service is not running, or still starting; it listens " +
		"on another port or on another address of the machine; a firewall rejects with a RST; the address belongs to another machine.",
	Next: "On the server: is the service running, and on which address and port (ss -ltn)? Compare with the URL or option that the node was given.",
	Traps: "Not reported: port scans and inventories, which are refused by many ports; a service that is back within refused_window; " +
		"a RST that ends an established connection; a single refusal of a service that no boot depends on; " +
		"a single refusal when another server of the same port accepted.",
	References: []string{"RFC 9293 section 3.5.2", "RFC 1122 section 4.2.3.9"},
	Rank:       finding.RankRoot,
}

// RulePathMTU: full-size segments vanish while small ones arrive.
var RulePathMTU = &finding.Rule{
	ID:         "path-mtu-black-hole",
	Ref:        "FM-40",
	Severity:   finding.Error,
	Confidence: finding.Likely,
	Title:      "Full-size packets are lost on the path",
	Detect: "In a connection to a known service one side sends the same segment of 1200 bytes of data or more at least four times, at least " +
		"100 ms apart, no segment of that size was ever acknowledged, and no small segment had to be repeated. Likely when the receiver is heard " +
		"after the first loss or acknowledged small segments of that side; possible, and a warning, when the receiver is silent; certain when an ICMP " +
		"\"fragmentation needed\" or \"packet too big\" quotes the connection and the sender goes on with the same size.",
	Means: "A link on the path has a smaller MTU than both ends think, and the ICMP message that would tell the sender does not reach it. In order " +
		"of likelihood: an overlay or tunnel (VXLAN takes 50 bytes, GRE 24) over a network of 1500; jumbo frames on one end only; a VLAN or QinQ tag too " +
		"much for a switch; a firewall that drops ICMP.",
	Next: "Ping with the size and the do-not-fragment bit (ping -M do -s 1472) from the server to the node and halve until it passes. Then set the MTU, clamp " +
		"the MSS on the router, or let ICMP type 3 code 4 through.",
	Traps: "Not reported: segments that the network card puts together or cuts (offload: longer than the negotiated MSS); a node that resets in the middle of a " +
		"transfer, after full-size segments were acknowledged; ordinary loss, which hits small segments too; a sender that heeds the ICMP message.",
	References: []string{"RFC 1191 section 4", "RFC 2923 section 2.1", "RFC 4821", "RFC 8201 section 4"},
	Rank:       finding.RankTransfer,
}
