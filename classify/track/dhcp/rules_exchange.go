package dhcp

import "github.com/pxescope/pxescope/classify/finding"

// RuleNoOffer: nobody offers a client an address.
var RuleNoOffer = &finding.Rule{
	ID: "dhcp-no-offer", Ref: "FM-01", Severity: finding.Error, Confidence: finding.Certain,
	Title: "DHCPDISCOVER got no OFFER",
	Detect: "A machine sends DHCPDISCOVERs, over one or several transaction ids, and no OFFER or rapid-commit ACK with an address comes for " +
		"any of them. Each DISCOVER has a grace of its own, offer_grace; gaps of up to burst_gap make one series. discover_note overdue ones are a note, " +
		"discover_warning a warning, discover_error of them or a series that lasts discover_span an error. It is taken back when an OFFER comes " +
		"after all, or when a REQUEST names a server: then there was an OFFER that the capture could not show.",
	Means: "In order of likelihood: no DHCP service for this network or this MAC address (the node is not defined, its class is not served); the service " +
		"is down; no relay between this segment and the server (giaddr never set); the switch port does not forward yet (spanning tree); the address " +
		"pool is empty; DHCP snooping or a filter drops the server's replies before they get here.",
	Next: "See whether other machines on the same VLAN get offers. If they do, look at the definition of this node and at the pool; if none does, at the " +
		"service and the relay. Then look into the server's log: whether it received the DISCOVER at all splits the problem in two.",
	Traps: "Not reported: a server's ping check of up to 3 s; a unicast OFFER that a third port cannot show; the probes of MAAS, xCAT and nmap, which nobody " +
		"needs to answer; messages whose type was cut away. A machine that is deliberately unknown to the server looks the same. DHCPv6 after DHCPv4 is UEFI's next try, not a second fault.",
	References: []string{"RFC 2131 section 3.1", "RFC 2131 section 4.3.1", "RFC 4039 section 3", "PXE specification 2.1 (PXE-E51, PXE-E16)"},
	Absence:    true, Rank: finding.RankNoOffer,
}

// RuleNoBootInfo: addresses are given, but nothing to boot.
var RuleNoBootInfo = &finding.Rule{
	ID: "dhcp-no-boot-info", Ref: "FM-04", Severity: finding.Error, Confidence: finding.Certain,
	Title: "DHCP gives an address but nothing to boot",
	Detect: "A PXE, HTTP-boot or iPXE client is offered addresses, and no reply to this search, of a server or a proxy, has a boot file (option 67 or the " +
		"file field, options 52 and 43 decoded), boot servers, or option 60 PXEClient. Reported when the client repeats its DISCOVER after such an OFFER and " +
		"offer_grace has passed, or when it takes the address: at once for firmware that asked for broadcasts, else as a warning after offer_grace and as an error after load_grace " +
		"without a TFTP request or an ARP request of iPXE. A warning for HTTP boot, which firmware tries in turn where nobody meant it to.",
	Means: "In order of likelihood: a server that should not answer was first, or alone; the boot file is configured for another class or architecture; it is " +
		"not configured at all; the proxyDHCP service is down.",
	Next: "Compare the architecture and class shown here with the server's conditions, and give that class a boot file and a next server. If the server that " +
		"answered is not the boot server, stop it or keep it from this segment.",
	Traps: "Not reported: clients that do not boot, to which MAAS gives no file by design; iPXE that repeats its DISCOVER after a usable OFFER; messages whose " +
		"options were cut; a search of which the capture does not show the start; an iPXE with a script of its own, as soon as it resolves an address.",
	References: []string{"RFC 2131 section 2", "RFC 2132 section 9.3", "RFC 2132 section 9.5", "PXE specification 2.1 section 2.2 (PXE-E53)", "UEFI 2.10 section 24.7"},
	Rank:       finding.RankOffer,
}

// RuleOfferIgnored: offers are made and not taken.
var RuleOfferIgnored = &finding.Rule{
	ID: "dhcp-offer-ignored", Ref: "FM-09", Severity: finding.Error, Confidence: finding.Likely,
	Title: "The client ignores usable OFFERs",
	Detect: "At least two DISCOVERs follow an OFFER with an address (and, for a client that boots, with boot information), and select_grace after " +
		"that OFFER there is no REQUEST to anybody. The facts list which of the usual acceptance tests the OFFER fails, and what iPXE's secs field says of its arrival.",
	Means: "In order of likelihood: the OFFER is lost on its way (DHCP snooping, VLAN egress, spanning tree); it does not come from UDP port 67; it lacks the subnet " +
		"mask or the server identifier; it is unicast to a machine that can only hear broadcasts; options 43 and 60 contradict each other.",
	Next: "Mend what the facts list as failed_tests. If there is nothing, capture at the node's own switch port to see whether the OFFER arrives.",
	Traps: "Not reported: UEFI, which collects offers for 4 s; iPXE, which discovers again while it waits for a proxy; a client that takes another server's offer; " +
		"probes; offers without boot information, which are dhcp-no-boot-info.",
	References: []string{"RFC 2131 section 3.1", "RFC 2131 section 4.1", "RFC 2131 section 4.4.1", "iPXE net/udp/dhcp.c", "edk2 NetworkPkg/UefiPxeBcDxe/PxeBcDhcp4.c"},
	Absence:    true, Rank: finding.RankOffer,
}

// RuleSlowOffer: the first OFFER is late.
var RuleSlowOffer = &finding.Rule{
	ID: "dhcp-slow-offer", Ref: "FM-47", Severity: finding.Warning, Confidence: finding.Certain,
	Title: "The first OFFER came late",
	Detect: "The first OFFER of a search comes more than slow_offer after the last DISCOVER before it (warning), or after the first of several (note, because " +
		"the earlier ones may have been lost). Delays of 1, 2 or 3 s are a server's ping check and reported as ping-check-delay.",
	Means: "In order of likelihood: a server under load, or one that waits for its disk; name service or dynamic DNS updates in its way; a failover " +
		"partner that waits for the other; ping checks of several addresses in a row.",
	Next:       "Look at the server's load and log at this time. Clients give up after 15 s (iPXE) to 60 s (PXE firmware), so a slow server fails when many nodes start together.",
	Traps:      "A relay may pass requests on only when secs has reached a threshold; OFFERs that came through a relay are therefore measured from the last DISCOVER.",
	References: []string{"RFC 2131 section 4.1", "RFC 1542 section 4.1.1"},
}

// RuleReplyFiltered: replies leave the server and do not arrive.
var RuleReplyFiltered = &finding.Rule{
	ID: "reply-filtered", Ref: "FM-66", Severity: finding.Error, Confidence: finding.Likely,
	Title: "DHCP replies are lost between server and client",
	Detect: "Either two capture interfaces both show the client's DISCOVERs, and at least two broadcast OFFERs between them appear on one and none on the other (certain); " +
		"or iPXE, whose secs field says whether it holds an OFFER, denies it half a second and more after an OFFER was captured (likely; a warning the first time). " +
		"The secs field is believed only while it counts up by one with each DISCOVER.",
	Means: "In order of likelihood: DHCP snooping with the server's uplink not trusted; an access list; a port that spanning tree still blocks; suppression of broadcasts " +
		"in an overlay (VXLAN).",
	Next:       "Trust the port towards the server or relay on every switch in the path, then look at access lists. The finding shows on which interface the reply was last seen.",
	Traps:      "Not reported: unicast replies, which other ports never show; one lost packet; captures of several files whose clocks differ; offers that fail a client's tests although they arrive.",
	References: []string{"iPXE net/udp/dhcp.c", "RFC 2131 section 4.1"},
	Absence:    true, Rank: finding.RankNoOffer,
}

// RuleBadChecksum: the client may drop the replies for their checksum.
var RuleBadChecksum = &finding.Rule{
	ID: "bad-udp-checksum-reply", Ref: "FM-71", Severity: finding.Warning, Confidence: finding.Possible,
	Title: "DHCP replies carry a wrong UDP checksum",
	Detect: "A client ignores OFFERs (dhcp-offer-ignored), and each of the server's at least two OFFERs to it was captured with a UDP checksum that is neither zero nor right. " +
		"Taken back when any client accepts an OFFER of that server with such a checksum.",
	Means: "On the receiving side: checksum offload between virtual interfaces, where nobody fills the checksum in and the guest drops the packet; rarely a faulty " +
		"network card. On the sending side it means nothing.",
	Next: "If this was captured at the client, its tap or its bridge: switch transmit checksum offload off on the bridge or the server's interface " +
		"(ethtool -K ... tx off), or add the CHECKSUM fill rule for UDP port 68. If it was captured on the server, capture again at the client.",
	Traps:      "A capture on the host that sends shows wrong checksums because the network card computes them later; frames marked as outgoing are not judged.",
	References: []string{"RFC 768", "RFC 1122 section 4.1.3.4"},
	Rank:       finding.RankOffer,
}

// RuleRelayBroken: the path through a relay agent works in one direction only.
var RuleRelayBroken = &finding.Rule{
	ID: "dhcp-relay-broken", Ref: "FM-44", Severity: finding.Error, Confidence: finding.Likely,
	Title: "Replies do not get back through the DHCP relay",
	Detect: "At least three OFFERs for one client went to its relay's address (giaddr, port 67), the client goes on with DISCOVERs, and select_grace after the first OFFER there is no REQUEST; " +
		"or an ICMP error quotes a datagram between a server and a relay agent on port 67.",
	Means: "In order of likelihood: the server has no route back to giaddr; the relay points at a wrong address or the service there is down; the server strips " +
		"the relay's option 82 and a strict relay drops the reply; the hop limit is exceeded; the relay wants replies on another port or interface.",
	Next:       "From the server, ping the relay's address shown here and look up its route. On the relay, look at its counters for replies dropped and at the helper address.",
	Traps:      "Gateways that share an anycast address relay each request twice: that is one try here. An iPXE that says it has the OFFER, or an OFFER that fails a client's tests, is dhcp-offer-ignored.",
	References: []string{"RFC 1542 section 4.1", "RFC 3046 section 2.1", "RFC 2131 section 4.1", "RFC 792"},
	Absence:    true, Rank: finding.RankNoOffer,
}

// RuleRelayOffRack: a relay passes requests to something that is no rack.
var RuleRelayOffRack = &finding.Rule{
	ID: "dhcp-relay-off-rack", Severity: finding.Warning, Confidence: finding.Likely,
	Title:  "A DHCP relay passes requests to something else than a rack",
	Detect: "Where the operator told the racks: a request with giaddr set is sent to a unicast address that is neither a rack nor a DHCP server told as allowed, and that does not relay it further. Once for each relay and target.",
	Means: "The helper address of the router points to a server that does not provision: an old rack, a region controller, the DHCP server of the office network. Its answer " +
		"competes with the rack's, or comes instead of it.",
	Next:       "Set the relay's helper address to the rack that serves this VLAN; with two racks, to both. Name the target with --dhcp-server if it is meant to be asked.",
	Traps:      "A chain of relays: the first one's target is the next relay. It is taken back when that one is seen to pass the request on.",
	References: []string{"RFC 1542 section 4.1.1", "MAAS network requirements: one DHCP per VLAN, relays must target the rack"},
	Rank:       finding.RankNoOffer,
}

// RuleBootOptionsOffRack: an external DHCP server sends nodes elsewhere.
var RuleBootOptionsOffRack = &finding.Rule{
	ID: "boot-options-off-rack", Severity: finding.Warning, Confidence: finding.Likely,
	Title: "An external DHCP server does not point to the rack",
	Detect: "Where the operator told the racks: a DHCP server that is no rack gives boot information to a client that boots, and neither the next server (siaddr), option 66, option 150, " +
		"the boot server list of option 43, nor the host of a boot URL is a rack. Once for each client.",
	Means: "DHCP is external and its boot options were not adapted: they name a former boot server, or the server itself. Both the next-server field and option 66 exist, and clients " +
		"disagree on which counts, so both should name the rack.",
	Next:       "Set next-server (siaddr), option 66 and option 67 of that scope to the rack, or let the rack serve DHCP on this VLAN.",
	Traps:      "Host names are not judged: only DNS knows where they lead. Nor are servers that give addresses only and leave booting to a proxy.",
	References: []string{"RFC 2131 section 2", "RFC 2132 section 9.4", "RFC 2132 section 9.5", "RFC 5859 section 2"},
	Rank:       finding.RankOffer,
}
