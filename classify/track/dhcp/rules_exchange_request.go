package dhcp

import "github.com/pxescope/pxescope/classify/finding"

// RuleNAK: a server refuses an address.
var RuleNAK = &finding.Rule{
	ID: "dhcp-nak", Ref: "FM-08", Severity: finding.Error, Confidence: finding.Certain,
	Title: "A DHCP server refuses the address",
	Detect: "A NAK for this client. An error at once when it answers a REQUEST for an offer, or comes from another server than the one the client chose; otherwise an error " +
		"when no ACK follows within nak_grace. A warning when an ACK follows such a NAK, or when there were several.",
	Means: "In order of likelihood: the client wants to keep an address of another network or another server; two authoritative servers on one segment, of which one refuses the " +
		"other's leases; a reservation changed meanwhile; the server offered one address to two machines.",
	Next: "Read the server's reason. Compare the address asked for with that server's subnet. If the NAK is not of the server that the client named, take the foreign " +
		"server off the segment or make it not authoritative.",
	Traps:      "Not reported: one NAK to a machine that asks for its old address after it moved or was installed anew, followed by a new lease: that is how DHCP works.",
	References: []string{"RFC 2131 section 3.2", "RFC 2131 section 4.3.2", "RFC 2132 section 9.9"},
	Rank:       finding.RankRogue,
}

// RuleRequestUnanswered: a server does not confirm what it offered.
var RuleRequestUnanswered = &finding.Rule{
	ID: "dhcp-request-unanswered", Ref: "FM-10", Severity: finding.Error, Confidence: finding.Certain,
	Title: "DHCPREQUEST got neither ACK nor NAK",
	Detect: "At least two REQUESTs in state SELECTING to one server under one transaction id, each ack_grace old without ACK or NAK. A warning for renewals, when the client " +
		"gave up on its server and asked everybody (REBINDING). An ICMP port unreachable from the server counts at once.",
	Means: "In order of likelihood: a failover partner that may not serve this lease; the server is overloaded or stopped between OFFER and ACK; the ACK is dropped by DHCP " +
		"snooping on an untrusted port; the server's identifier cannot be reached through the relay.",
	Next:       "Look for the REQUEST in that server's log. If it is there with an ACK, follow the ACK's way to the client; if it is not, follow the REQUEST's.",
	Traps:      "Not reported: INIT-REBOOT and REBINDING, where a server without a record of the lease must stay silent; servers that the REQUEST does not name; a single REQUEST; a client that uses the address afterwards, because its ACK was a unicast that the capture could not show.",
	References: []string{"RFC 2131 section 3.1", "RFC 2131 section 4.3.2", "RFC 2131 section 4.4.5"},
	Absence:    true, Rank: finding.RankRequest,
}

// RuleProxyConflict: more than one source of PXE boot information, or only
// proxies.
var RuleProxyConflict = &finding.Rule{
	ID: "proxydhcp-conflict", Ref: "FM-13", Severity: finding.Error, Confidence: finding.Likely,
	Title: "ProxyDHCP answers conflict, or stand alone",
	Detect: "Two sources with option 60 PXEClient answer one search with different boot files (error) or different boot servers (warning); or a proxy answers and no " +
		"server offers an address: DISCOVERs are counted with the thresholds of dhcp-no-offer.",
	Means: "In order of likelihood: Windows deployment services beside a Linux boot server; a proxy left behind by an earlier installation; a router's helper address that points to " +
		"both. Where only the proxy answers: the DHCP server is down or does not serve this client.",
	Next: "Keep one source of boot information on the segment. Which one a machine follows depends on its firmware and on who answers first, so it changes from boot to boot.",
	Traps: "Not reported: one server seen through two relays; files that differ by architecture, because one search has one architecture; a plain DHCP server beside a proxy, " +
		"which is how proxyDHCP is meant.",
	References: []string{"PXE specification 2.1 section 2.2.3 (PXE-E52)", "RFC 4578 section 2"},
	Rank:       finding.RankProxy,
}

// RuleNo4011Answer: a client asks the boot server's port and hears nothing.
var RuleNo4011Answer = &finding.Rule{
	ID: "proxydhcp-4011-no-answer", Ref: "FM-14", Severity: finding.Error, Confidence: finding.Certain,
	Title: "No answer on proxyDHCP's port 4011",
	Detect: "At least binl_tries requests (one, when the client then releases its lease or searches anew) to UDP port 4011 of one server, each binl_grace old, without a reply; or an ICMP port unreachable from that server. " +
		"A note for iPXE, which goes on without the answer.",
	Means: "In order of likelihood: option 60 PXEClient is set on a plain DHCP server and sends firmware to a port where nobody listens; the proxyDHCP or boot service is down; " +
		"UDP 4011 is filtered.",
	Next:       "If no boot service is meant to run there, remove option 60 from the DHCP server, or add option 43.6 with value 8 and a boot file. Otherwise start the service and open UDP 4011.",
	Traps:      "Clients use a new transaction id here, swap the bytes of secs, and send from port 68 or 4011; replies go to the port they sent from. iPXE abandons the question after 2 s.",
	References: []string{"PXE specification 2.1 section 2.2.3 (PXE-E55)", "edk2 NetworkPkg/UefiPxeBcDxe/PxeBcDhcp4.c", "iPXE net/udp/dhcp.c"},
	Absence:    true, Rank: finding.RankProxy,
}

// RuleNoBootServer: no boot server of the type asked for answers.
var RuleNoBootServer = &finding.Rule{
	ID: "boot-server-discovery-no-answer", Ref: "FM-15", Severity: finding.Error, Confidence: finding.Likely,
	Title:  "No boot server answers the discovery",
	Detect: "At least three requests with a boot item (option 43.71), by multicast, broadcast or to listed servers, each binl_grace old, and no reply; or an ICMP port unreachable. A note for iPXE.",
	Means: "In order of likelihood: the boot server list (option 43.8) names a machine that does not run the service; the discovery group (43.7) is blocked or not routed; no server " +
		"has the boot item that the menu (43.9) offers.",
	Next:       "Compare the facts told by the offer (discovery control 43.6, group 43.7, servers 43.8) with where the boot service runs.",
	Traps:      "The requests often carry transaction id 0. Several targets asked in turn are one question.",
	References: []string{"PXE specification 2.1 section 2.2.4 (PXE-E77, PXE-E78)", "iPXE net/udp/dhcp.c"},
	Absence:    true, Rank: finding.RankProxy,
}
