package catalog

// Switching machines on and off, and the controllers that do it.
var powerServices = []Service{
	{
		ID: "ipmi", Name: "IPMI over LAN (RMCP+)", Phase: Power, Platforms: on(MAAS, XCAT, Generic),
		Ports: []Port{udp(623), udp(664), tcp(623).as(Listed)},
		From:  roles(Rack, Region, Admin), To: roles(BMC),
		Answer: Answered,
		Note:   "a BMC that shares the host's port also swallows host traffic to 623 and 664",
		Rows: []Row{
			maas(14, maasPower, "IPMI over LAN (RMCP+)", "rack → bmc", "UDP", "623", "rack, bmc", "Required for ipmitool chassis power operations"),
			xcat(39, "623", "tcp", "", "ipmi", "required on x86_64 and p8").
				corrected("listed for firewalls, not expected on the wire: IPMI over LAN is udp", "IPMI 2.0 section 13.1"),
			xcat(40, "623", "udp", "", "ipmi", "required on x86_64 and p8"),
			own(Generic, "Secure RMCP", "UDP", "664", "rack → bmc", "rack, bmc", "ASF's secondary port", "ASF 2.0 section 3.2"),
		},
	},
	{
		ID: "redfish", Name: "Redfish and vendor APIs", Phase: Power, Platforms: on(MAAS, Generic),
		Ports: []Port{tcp(443).as(Shared)},
		From:  roles(Rack, Region), To: roles(BMC),
		Answer: Answered,
		Note:   "port 443 of a BMC that a controller connects to; elsewhere 443 is https",
		Rows: []Row{
			maas(15, maasPower, "Redfish / iLO / iDRAC", "rack → bmc", "HTTPS", "443", "rack, bmc", "Vendor APIs over TLS; certs may be self-signed"),
		},
	},
	{
		ID: "bmc-web", Name: "BMC web interface", Phase: Power, Platforms: on(MAAS, Generic),
		Ports: []Port{tcp(80).as(Shared), tcp(443).as(Shared)},
		From:  roles(Admin), To: roles(BMC),
		Answer: Answered,
		Note:   "ports 80 and 443 of a BMC that an administrator connects to",
		Rows: []Row{
			maas(16, maasPower, "Legacy BMC Web UI", "admin → bmc", "HTTP/HTTPS", "80,443", "admin, bmc", "Restrict to admin subnets"),
		},
	},
	{
		ID: "amt", Name: "Intel AMT", Phase: Power, Platforms: on(MAAS),
		Ports: []Port{tcpRange(16992, 16995)},
		From:  roles(Rack, Region, Admin), To: roles(BMC, Node),
		Answer: Answered,
		Rows: []Row{
			own(MAAS, "Intel AMT", "TCP", "16992-16995", "rack → bmc", "rack, bmc", "management and redirection, odd ports over TLS", "IANA service names: amt-soap-http"),
		},
	},
	{
		ID: "wol", Name: "Wake-on-LAN", Phase: Power, Platforms: on(Generic),
		Ports: []Port{udp(9)},
		From:  roles(Rack, Region, Admin), To: roles(Node),
		Answer: Silent,
		Rows: []Row{
			own(Generic, "Wake-on-LAN", "UDP", "9", "rack → node", "rack, node", "magic packet; some senders use port 7", "AMD publication 20213"),
		},
	},
	{
		ID: "ssdp", Name: "SSDP", Phase: Power, Platforms: on(Generic),
		Ports: []Port{udp(1900)},
		From:  roles(Rack, Region, Admin, BMC), To: roles(BMC),
		Answer: ByMessage,
		Note:   "multicast searches that nobody answers are normal",
		Rows: []Row{
			own(Generic, "SSDP", "UDP", "1900", "rack → bmc", "rack, bmc", "Redfish discovery", "DMTF DSP0266 section 9"),
		},
	},
	{
		ID: "snmp", Name: "SNMP", Phase: Monitoring, Also: []Phase{Power}, Platforms: on(XCAT, Generic),
		Ports: []Port{udp(161), tcp(161).as(Listed)},
		From:  roles(Rack, Region, Admin), To: roles(Device, BMC),
		Answer: Answered,
		Note:   "xCAT drives Flex chassis and finds switch ports with it; a wrong community is dropped without a word",
		Rows: []Row{
			xcat(41, "161", "tcp", "", "snmp", "required on Flex").
				corrected("listed for firewalls, not expected on the wire: SNMP is udp", "RFC 3417 section 3"),
			xcat(42, "161", "udp", "", "snmp", "required on Flex"),
		},
	},
	{
		ID: "snmp-trap", Name: "SNMP trap", Phase: Monitoring, Platforms: on(XCAT, Generic),
		Ports: []Port{udp(162), tcp(162).as(Listed)},
		From:  roles(Device, BMC), To: roles(Rack, Region, Admin),
		Answer: ByMessage,
		Note:   "traps have no answer, informs do",
		Rows: []Row{
			xcat(43, "162", "tcp", "", "snmptrap", "required for snmp monitoring").
				corrected("listed for firewalls, not expected on the wire: SNMP is udp", "RFC 3417 section 3"),
			xcat(44, "162", "udp", "", "snmptrap", "required for snmp monitoring"),
		},
	},
}
