package boot

import "github.com/pxescope/pxescope/classify/finding"

// Rules are the findings that only the joined view of a node can show.
var Rules = []*finding.Rule{
	RuleNoLoad, RuleWrongLoader, RuleChainloadLoop, RuleSecondDHCP, RuleARPNoAnswer,
	RuleWrongVLAN, RuleRebootLoop, RuleUEFIOverTFTP,
}

// RuleNoLoad is FM-46.
var RuleNoLoad = &finding.Rule{
	ID: "no-load-after-ack", Ref: "FM-46", Severity: finding.Error, Confidence: finding.Certain, Absence: true, Rank: finding.RankLoad,
	Title:  "Lease with boot information, then nothing was loaded",
	Detect: "DHCPACK with boot information to a client that boots, then no TFTP, HTTP, RPC, NFS or any TCP from the node within load_grace. Firmware that still waits for port 4011 or a boot server is left to those findings.",
	Means: "The node has an address and a boot file name and did not ask for the file. In order of likelihood: the next server is missing or wrong " +
		"(siaddr 0), the firmware refuses a next server that is not the DHCP server (PXE-E99), the server's name cannot be resolved, HTTP boot is switched off " +
		"in the firmware, a boot menu waits for a key.",
	Next:       "Compare siaddr, option 66, option 150 and option 43 of the ACK (they are listed in the facts) with the server that has the file; look at the console for PXE-E99.",
	Traps:      "iPXE may try IPv6 first and start after 13 s. A boot prompt of 255 waits for a key. The node may have been powered off. A capture filter may hide the load, and a port without a mirror too: not reported where the capture shows nothing but DHCP, or where the node asked for an address and unicast frames of other machines are not shown.",
	References: []string{"RFC 2131 section 2", "RFC 2132 section 9.4", "RFC 5859"},
}

// RuleWrongLoader is FM-16.
var RuleWrongLoader = &finding.Rule{
	ID: "wrong-loader-for-architecture", Ref: "FM-16", Severity: finding.Error, Confidence: finding.Likely, Absence: true, Rank: finding.RankLoop,
	Title:      "The boot file does not suit the machine's architecture",
	Detect:     "Option 93 of the client and the kind of the acknowledged boot file disagree, the file came over completely, and nothing followed within 60 s, or the firmware started again (until then a warning).",
	Means:      "One file name is handed to every architecture: a UEFI machine got a BIOS loader or the other way round. The machine loads it and cannot run it.",
	Next:       "Configure the boot file by architecture (option 93): class rules in dhcpd, --dhcp-match in dnsmasq; MAAS and xCAT do it when they run the DHCP server.",
	Traps:      "Site-specific names: when the boot goes on after the transfer the warning is taken back.",
	References: []string{"RFC 4578 section 2.1", "RFC 5970 section 3.3"},
}

// RuleChainloadLoop is FM-17.
var RuleChainloadLoop = &finding.Rule{
	ID: "chainload-loop", Ref: "FM-17", Severity: finding.Error, Confidence: finding.Certain, Rank: finding.RankLoop,
	Title:      "The boot loader loads itself again and again",
	Detect:     "The same file was transferred completely at least twice in one boot with an iPXE-class DHCP exchange between, or three times in a row with less than 60 s between and no other file.",
	Means:      "The DHCP server does not tell iPXE from the firmware, so iPXE is told to load iPXE. Some builds (FlexBoot) send no user class at all.",
	Next:       "Make the DHCP server test option 77 (user class iPXE) or option 175 and hand out the script or kernel to iPXE.",
	Traps:      "A second, different iPXE binary is a legitimate chain. A size probe asks twice and loads once.",
	References: []string{"RFC 3004 section 4"},
}

// RuleSecondDHCP is FM-45.
var RuleSecondDHCP = &finding.Rule{
	ID: "second-stage-dhcp-fails", Ref: "FM-45", Severity: finding.Error, Confidence: finding.Certain, Absence: true, Rank: finding.RankSecondDHCP,
	Title: "The firmware got a lease, a later stage gets none",
	Detect: "A node whose firmware was acknowledged and loaded something sends DISCOVERs as iPXE, installer or operating system, and they stay unanswered: " +
		"discover_note of them are a note, discover_warning a warning, discover_error or more than two over discover_span an error. Taken back when one is answered.",
	Means: "In order of likelihood: the link was reset when the driver took over and spanning tree blocks the port for 30 s, the new system lacks the driver or uses another " +
		"network card, the server has a class rule for PXE clients only, the short lease of the PXE class ran out, the client identifier changed.",
	Next:       "Compare MAC and client identifier of both stages (facts), look how long after the last transfer the DISCOVERs started, set the switch port to edge (PortFast).",
	Traps:      "A system configured statically does not ask.",
	References: []string{"RFC 2131 section 4.4.1", "RFC 4361 section 6.1"},
}

// RuleARPNoAnswer is FM-36.
var RuleARPNoAnswer = &finding.Rule{
	ID: "arp-no-answer", Ref: "FM-36", Severity: finding.Error, Confidence: finding.Certain, Absence: true, Rank: finding.RankLoad,
	Title:      "ARP for the boot server or gateway got no answer",
	Detect:     "At least arp_tries ARP requests over arp_span from a node for an address of its lease: next server, router, DNS or boot server. A reply takes it back.",
	Means:      "Wrong netmask or gateway in the lease, the server is in another VLAN, or it is down. Firmware shows PXE-E11.",
	Next:       "Check option 1 (netmask) and option 3 (router) of the ACK against the address that is asked for.",
	Traps:      "Probes for free addresses stay unanswered on purpose. ARP replies are unicast: a one-way mirror does not show them.",
	References: []string{"RFC 826", "RFC 5227 section 2.1"},
}

// RuleWrongVLAN is FM-53.
var RuleWrongVLAN = &finding.Rule{
	ID: "wrong-vlan", Ref: "FM-53", Severity: finding.Warning, Confidence: finding.Likely, Absence: true, Rank: finding.RankLink,
	Title:      "The node asks in a VLAN where nobody serves",
	Detect:     "A node's unanswered DISCOVERs, discover_warning or more, are in one tagged VLAN only, no server answered anybody there, and at least two other nodes were acknowledged in another tagged VLAN of the same capture. Between tagged and untagged traffic it is only a note.",
	Means:      "Wrong access VLAN, native VLAN or trunk pruning on the switch port of the node.",
	Next:       "Find the node's switch port by its MAC and compare its VLAN with the port of a node that boots.",
	Traps:      "Several provisioning VLANs on one trunk, one of them without a server on purpose.",
	References: []string{"IEEE 802.1Q-2018 section 6.9"},
}

// RuleRebootLoop is FM-65.
var RuleRebootLoop = &finding.Rule{
	ID: "reboot-loop", Ref: "FM-65", Severity: finding.Error, Confidence: finding.Likely, Rank: finding.RankLoop,
	Title:      "The machine starts over again and again",
	Detect:     "At least reboot_count firmware starts within reboot_window, each of which loaded something, none of which got further than the others or to a system with an address of its own.",
	Means:      "The kernel panics, the boot order comes back to the network, a power policy or a watchdog restarts the machine.",
	Next:       "Look at the console after the last completed download (facts).",
	Traps:      "Commissioning and deployment are two boots. Firmware that tries one card after the other is one start. A machine that boots from disk by way of PXE starts each time like this.",
	References: []string{"Preboot Execution Environment 2.1"},
}

// RuleUEFIOverTFTP is the MAAS port table's advice.
var RuleUEFIOverTFTP = &finding.Rule{
	ID: "uefi-over-tftp", Severity: finding.Note, Confidence: finding.Certain,
	Title:      "A UEFI machine loads over TFTP",
	Detect:     "A client of a UEFI architecture (option 93) completed a TFTP transfer.",
	Means:      "Nothing is broken. UEFI machines of today can boot over HTTP, which is faster and passes firewalls and routers better than TFTP.",
	Next:       "Where the firmware offers HTTP boot, enable it and serve the loader over HTTP (MAAS answers architecture 16 with a URL by itself).",
	Traps:      "Older UEFI firmware has no HTTP boot.",
	References: []string{"UEFI 2.10 section 24.7", "RFC 7440"},
}
