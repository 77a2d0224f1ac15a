// Package dhcp follows DHCPv4 and BOOTP (RFC 2131, RFC 951), PXE's proxyDHCP
// and boot-server discovery (PXE specification 2.1), from a client's first
// DISCOVER to the lease and the name of what it will load.
//
// It works at two levels. Transactions, keyed by (xid, chaddr), are counted
// and nothing else. Judgement is per client, keyed by (chaddr, VLAN), across
// transactions: firmware and busybox take a new xid for each new attempt, so a
// machine that nobody answers is one machine, not many transactions.
//
// The one invariant: silence is only held against somebody after its grace,
// each request has a grace of its own, and what the capture shows later takes
// a claim back. A message whose type the snap length cut away accuses nobody.
package dhcp

import (
	"slices"

	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
)

// portTFTP is read for one thing only: a client that loads is not waiting.
const portTFTP = 69

// Spec describes the tracker. Besides DHCP's own ports it gets TFTP read
// requests and ARP, which show that a client went on; ICMP, which shows that a
// port or a relay is closed; and spanning tree's frames, for Servers.
var Spec = track.Spec{
	Name:  "dhcp",
	Rules: slices.Concat(exchangeRules, serverRules),
	UDP:   []uint16{PortServer, PortClient, PortPXE, portTFTP},
	Kinds: track.ARP | track.ICMP | track.LinkLayer,
	New:   func(cfg *track.Config) track.Tracker { return newTracker(cfg) },
}

// exchangeRules are the findings of this tracker's exchanges; Servers has its
// own. duplicate-address, for a DECLINE, belongs to package arp.
var exchangeRules = []*finding.Rule{
	RuleNoOffer, RuleNoBootInfo, RuleNAK, RuleOfferIgnored, RuleRequestUnanswered,
	RuleProxyConflict, RuleNo4011Answer, RuleNoBootServer,
	RuleRelayBroken, RuleRelayOffRack, RuleBootOptionsOffRack,
	RuleSlowOffer, RuleReplyFiltered, RuleBadChecksum,
	RuleOK, RulePingCheck, RuleIPXEWaiting, RuleUEFICollecting, RuleRenew,
	RuleProbeMAAS, RuleProbeXCAT, RuleProbeNmap,
}
