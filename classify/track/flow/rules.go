package flow

import "github.com/pxescope/pxescope/classify/finding"

// RuleExposed: somebody reached an administrative service who should not.
var RuleExposed = &finding.Rule{
	ID:         "exposed-service",
	Severity:   finding.Warning,
	Confidence: finding.Certain,
	Title:      "An administrative service is reachable from outside the admin networks",
	Detect: "Needs the site's admin networks. A machine of the site (rack, region, node, BMC or admin network) answers on SSH, libvirt, or, for an address in a BMC " +
		"network, on its web interface, Redfish or IPMI; the client is in no admin network, is no rack or region controller, and, for SSH and libvirt, is in no node network. " +
		"The answer counts (SYN/ACK, RMCP reply), not the attempt. One finding for each port of a server, with its clients.",
	Means: "In order of likelihood: the firewall between the networks lacks a rule; the admin networks told to pxescope are not complete; a management controller was put on a " +
		"production network. IPMI gives password hashes away to anyone who can reach it.",
	Next: "Restrict the port to the admin networks and the rack controllers (\"pxescope firewall\" prints rules), or add the client's network to the site's admin networks.",
	Traps: "Not reported: anything when no admin network was told; attempts that were not answered; nodes among each other; services of machines that the site file does not " +
		"name, such as SSH to the internet.",
	References: []string{"MAAS ports: \"Do not expose broadly in production\", \"Restrict to admin subnets\"", "IPMI 2.0 section 13.20 (RAKP)"},
	Rank:       0,
}

// RuleReversed: a flow runs against the direction that its service has.
var RuleReversed = &finding.Rule{
	ID:         "reversed-direction",
	Severity:   finding.Warning,
	Confidence: finding.Likely,
	Title:      "A service is used in the wrong direction",
	Detect: "Needs the roles of both machines from the site: rack, region, node network, BMC network. A server answers (SYN/ACK) a client, and the two roles fit " +
		"the service's row of the catalog the other way round only: the region dials a node's 5240, a node serves the rack on 5248. Services of MAAS, xCAT and other " +
		"provisioning systems only. Once for each client, server and service.",
	Means: "In order of likelihood: a role told to pxescope is wrong (a rack inside the node network is a rack when it is named); a node runs a copy of a " +
		"controller's service, which other nodes may take for the real one; another program uses the port.",
	Next: "Look at what listens on that port of the server (ss -ltnup). Name all racks and regions in the site file.",
	Traps: "Not reported: anything when a role is not known; xCAT's calls from the management node to a node's 3001 and 300, which its discovery needs; " +
		"Ironic's calls to the agent on 9999; DHCP, where relays answer each other on port 67; services whose row allows both directions; HTTP, DNS, NTP, SSH " +
		"and other services that any machine may run for any other.",
	References: []string{"MAAS ports: \"Notes on Directionality\"", "Ports Used by xCAT"},
	Rank:       0,
}
