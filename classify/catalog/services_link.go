package catalog

// What has no ports but decides whether a node boots.
var linkServices = []Service{
	{
		ID: "arp", Name: "ARP", Phase: Provisioning, Platforms: on(Generic),
		Frames: []FrameKind{{EtherType: 0x0806}},
		Answer: ByMessage,
		Note:   "gratuitous and probing requests want no answer",
		Rows: []Row{
			own(Generic, "ARP", "ARP", "", "any → any", "any", "no answer, no boot server", "RFC 826"),
		},
	},
	{
		ID: "icmp", Name: "ICMP", Phase: Provisioning, Platforms: on(Generic),
		Frames: []FrameKind{{ICMP: ICMPTypes{Proto: 1, First: 0, Last: 255}}},
		Answer: ByMessage,
		Note:   "errors name the packet that was refused; DHCP servers ping an address before they offer it",
		Rows: []Row{
			own(Generic, "ICMP", "ICMP", "", "any → any", "any", "errors and echo", "RFC 792"),
		},
	},
	{
		ID: "icmpv6-ra", Name: "ICMPv6 router discovery", Phase: Provisioning, Platforms: on(Generic),
		Frames: []FrameKind{{ICMP: ICMPTypes{Proto: 58, First: 133, Last: 134}}},
		From:   roles(Node), To: roles(Relay),
		Answer: ByMessage,
		Note:   "routers also advertise unasked; the M and O flags send a node to DHCPv6",
		Rows: []Row{
			own(Generic, "Router solicitation and advertisement", "ICMPv6", "", "node → router", "node, router", "types 133 and 134; without it no DHCPv6 in most firmware", "RFC 4861 section 4"),
		},
	},
	{
		ID: "icmpv6", Name: "ICMPv6", Phase: Provisioning, Platforms: on(Generic),
		Frames: []FrameKind{{ICMP: ICMPTypes{Proto: 58, First: 0, Last: 255}}},
		Answer: ByMessage,
		Note:   "neighbour discovery, errors and echo: all but router discovery",
		Rows: []Row{
			own(Generic, "ICMPv6", "ICMPv6", "", "any → any", "any", "what ARP and ICMP are to IPv4", "RFC 4443, RFC 4861"),
		},
	},
	{
		ID: "stp", Name: "Spanning tree", Phase: Provisioning, Platforms: on(Generic),
		Frames: []FrameKind{{LLC: 0x42}},
		From:   roles(Device), To: roles(Device),
		Answer: Silent,
		Note:   "a port that is still blocking loses the firmware's first DHCP messages",
		Rows: []Row{
			own(Generic, "Spanning tree BPDU", "LLC", "", "switch → any", "switch", "STP, RSTP, MSTP", "IEEE 802.1D section 9"),
		},
	},
	{
		ID: "lacp", Name: "LACP", Phase: Provisioning, Platforms: on(Generic),
		Frames: []FrameKind{{EtherType: 0x8809}},
		From:   roles(Device, Node), To: roles(Device, Node),
		Answer: Silent,
		Note:   "firmware speaks no LACP: without fallback the switch keeps the port down",
		Rows: []Row{
			own(Generic, "LACP", "LACP", "", "switch → node", "switch, node", "bonding", "IEEE 802.1AX section 6"),
		},
	},
	{
		ID: "lldp", Name: "LLDP", Phase: Provisioning, Platforms: on(Generic),
		Frames: []FrameKind{{EtherType: 0x88cc}},
		From:   roles(Device, Node), To: roles(Device, Node),
		Answer: Silent,
		Note:   "tells which switch port and native VLAN a node is on",
		Rows: []Row{
			own(Generic, "LLDP", "LLDP", "", "switch → node", "switch, node", "where the node is plugged in", "IEEE 802.1AB section 8"),
		},
	},
	{
		ID: "eapol", Name: "802.1X (EAPOL)", Phase: Provisioning, Platforms: on(Generic),
		Frames: []FrameKind{{EtherType: 0x888e}},
		From:   roles(Device, Node), To: roles(Device, Node),
		Answer: ByMessage,
		Note:   "firmware that does not answer leaves the port closed",
		Rows: []Row{
			own(Generic, "802.1X", "EAPOL", "", "switch → node", "switch, node", "port authentication", "IEEE 802.1X section 11"),
		},
	},
}
