package dhcp

import "github.com/pxescope/pxescope/classify/finding"

// What looks odd in a capture and is as it should be.
var (
	// RuleOK: a lease was given.
	RuleOK = &finding.Rule{
		ID: "dhcp-ok", Severity: finding.OK, Confidence: finding.Certain,
		Title:      "DHCP gave a lease",
		Detect:     "A REQUEST, or a DISCOVER with rapid commit, was answered by an ACK, and where the client boots, with boot information. Once for each client.",
		Means:      "This stage works for this machine.",
		Next:       "Nothing to do here: what fails later does not fail for want of an address.",
		Traps:      "The address can still be the wrong one: see findings about rogue servers.",
		References: []string{"RFC 2131 section 3.1"},
	}
	// RulePingCheck: the server looked whether the address is free.
	RulePingCheck = &finding.Rule{
		ID: "ping-check-delay", Severity: finding.OK, Confidence: finding.Likely,
		Title:      "The OFFER waited for a ping check",
		Detect:     "The first OFFER comes 1, 2 or 3 s, give or take 0.1 s, after a DISCOVER.",
		Means:      "The server asked whether anybody uses the address before it offered it: ISC dhcpd pings for 1 s, busybox udhcpd asks by ARP for 2 s, dnsmasq for 3 s. Its own ARP or ICMP requests stay unanswered, which is good news.",
		Next:       "Nothing, unless each second counts: then reserve addresses or switch the check off.",
		Traps:      "A client that repeats its DISCOVER during the check is not ignored.",
		References: []string{"RFC 2131 section 3.1", "RFC 2131 section 4.4.1"},
	}
	// RuleIPXEWaiting: iPXE discovers on although it has an offer.
	RuleIPXEWaiting = &finding.Rule{
		ID: "ipxe-waiting-for-proxy", Severity: finding.OK, Confidence: finding.Certain,
		Title:      "iPXE waits for a proxyDHCP offer",
		Detect:     "iPXE sends DISCOVER again within 2.1 s of a usable OFFER, or within 4.5 s where its secs field says that it holds the OFFER.",
		Means:      "iPXE leaves a proxyDHCP server two seconds to answer before it takes the OFFER. The REQUEST comes about 3 s after the first DISCOVER.",
		Next:       "Nothing. iPXE does not wait when the OFFER has option 60 PXEClient or the iPXE option no-pxedhcp (175.176 = 1).",
		Traps:      "The same picture without a REQUEST afterwards is dhcp-offer-ignored.",
		References: []string{"iPXE net/udp/dhcp.c", "iPXE config/dhcp.h"},
	}
	// RuleUEFICollecting: UEFI waits for more offers.
	RuleUEFICollecting = &finding.Rule{
		ID: "uefi-collecting-offers", Severity: finding.OK, Confidence: finding.Certain,
		Title:      "UEFI collects offers before its REQUEST",
		Detect:     "UEFI firmware sends its REQUEST 2 to 4.5 s after the OFFER that it takes.",
		Means:      "edk2 listens for the whole of its first timeout, 4 s, and then chooses among the offers.",
		Next:       "Nothing.",
		Traps:      "DISCOVERs repeated after offers, without any REQUEST, are a fault: the offers are of no use to the firmware.",
		References: []string{"edk2 NetworkPkg/UefiPxeBcDxe/PxeBcDhcp4.c"},
	}
	// RuleRenew: a running machine keeps its lease.
	RuleRenew = &finding.Rule{
		ID: "renew-by-running-node", Severity: finding.OK, Confidence: finding.Certain,
		Title:      "A running machine renews its lease",
		Detect:     "A REQUEST with the client's own address (ciaddr) was answered by an ACK. Once for each client.",
		Means:      "An operating system or installer runs on this machine; it does not boot now.",
		Next:       "Nothing.",
		Traps:      "Firmware and loaders never renew, so a node that renews got beyond them.",
		References: []string{"RFC 2131 section 4.4.5"},
	}
	// RuleProbeMAAS: MAAS looks for DHCP servers.
	RuleProbeMAAS = &finding.Rule{
		ID: "probe-by-maas", Severity: finding.OK, Confidence: finding.Certain,
		Title:      "MAAS looks for other DHCP servers",
		Detect:     "A DISCOVER whose client id is a zero byte and the text MAAS- with a MAC address.",
		Means:      "A rack controller checks every ten minutes who answers DHCP on its networks. It sends at 0, 2, 4 and 8 s and never takes an address.",
		Next:       "Nothing. Who answers it is listed with the DHCP servers.",
		Traps:      "It is never counted as unanswered.",
		References: []string{"MAAS src/provisioningserver/dhcp/detect.py"},
	}
	// RuleProbeXCAT: xCAT looks for DHCP servers.
	RuleProbeXCAT = &finding.Rule{
		ID: "probe-by-xcat", Severity: finding.OK, Confidence: finding.Certain,
		Title:      "xCAT looks for DHCP servers",
		Detect:     "A DISCOVER with transaction id 0x3c3d3e3f.",
		Means:      "xcatprobe detect_dhcpd searches for DHCP servers: every 2 s for 10 s, and never takes an address.",
		Next:       "Nothing.",
		Traps:      "It is never counted as unanswered.",
		References: []string{"xCAT xCAT-probe/subcmds/detect_dhcpd"},
	}
	// RuleProbeNmap: somebody looks for DHCP servers with nmap.
	RuleProbeNmap = &finding.Rule{
		ID: "probe-by-nmap", Severity: finding.OK, Confidence: finding.Certain,
		Title:      "nmap looks for DHCP servers",
		Detect:     "A DISCOVER for the MAC address de:ad:c0:de:ca:fe.",
		Means:      "Somebody runs nmap's script broadcast-dhcp-discover. It never takes an address.",
		Next:       "Nothing, if you know who.",
		Traps:      "It is never counted as unanswered.",
		References: []string{"nmap scripts/broadcast-dhcp-discover.nse"},
	}
)
