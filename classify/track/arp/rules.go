package arp

import "github.com/pxescope/pxescope/classify/finding"

// RuleDuplicateAddress: two machines answer for one IPv4 address. Package dhcp
// reports it too, for a client that declines its lease.
var RuleDuplicateAddress = &finding.Rule{
	ID:         "duplicate-address",
	Ref:        "FM-37",
	Severity:   finding.Error,
	Confidence: finding.Certain,
	Title:      "Two machines use one IP address",
	Detect: "Two Ethernet addresses state the same IPv4 address as theirs (sender fields of ARP requests and replies) in turn: " +
		"the first one speaks again after the second, all within arp_conflict. Certain when that alternation was seen at least " +
		"twice or when an address probe (sender 0.0.0.0) was answered by another machine; likely after one alternation. " +
		"A DHCPDECLINE is the same finding, told by the client itself.",
	Means: "In order of likelihood: a machine with a fixed address inside the DHCP server's dynamic range; a cloned virtual machine " +
		"or image with a fixed address; two DHCP servers that lease from overlapping ranges; a management controller and its host " +
		"configured alike. Whichever of the two answered the last ARP request gets the traffic, so transfers break off at random.",
	Next: "Find both machines: the finding shows both Ethernet addresses; look them up in the switches' address tables and in the " +
		"inventory. Take the fixed address out of the dynamic range, or reserve it there.",
	Traps: "Not reported: VRRP, HSRP, GLBP and CARP virtual addresses; a bond, team or cluster that fails over, or a second NIC after " +
		"re-cabling (the old Ethernet address falls silent after the change); a router with proxy ARP, which answers for many " +
		"addresses; a machine that answers through two of its own ports for its own address (ARP flux: the second port " +
		"has an address of its own and only answers questions, or both claim another address together); captures on the \"any\" interface, which mix networks.",
	References: []string{"RFC 826", "RFC 5227 section 1.1", "RFC 5227 section 2.1", "RFC 5227 section 2.4", "RFC 5798 section 7.3"},
	Rank:       finding.RankOffer,
}
