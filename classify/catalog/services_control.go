package catalog

// The provisioning systems' own protocols.
var controlServices = []Service{
	{
		ID: "maas-region", Name: "MAAS API and metadata", Phase: Provisioning, Platforms: on(MAAS),
		Ports: []Port{tcp(5240), tcp(5443)},
		From:  roles(Node, Rack, Admin), To: roles(Region),
		Answer: Answered,
		Note:   "racks keep sessions open for hours: long silence with keep-alives is normal",
		Rows: []Row{
			maas(5, maasCore, "MAAS API / metadata", "node → region", "TCP", "5240", "node, region", "Commissioning, metadata, UI/API").
				corrected("5240 is API and metadata, 5443 the same over TLS, and nodes often reach it through the rack's 5248; region RPC listens on 5250-5259 (service maas-rpc)", "MAAS rackd.nginx.conf.template, regionservice.py, config_tls.py"),
			maas(9, maasCore, "WebSocket / Stream (internal)", "rack → region", "TCP", "5240", "rack, region", "Keep path clear both ways if ACL’d").
				corrected("5240 is API and metadata; region RPC listens on 5250-5259 (service maas-rpc), and racks send beacons to udp 5240", "MAAS regionservice.py, beaconing.py"),
			own(MAAS, "MAAS API over TLS", "TCP", "5443", "node → region", "node, region", "when TLS is enabled", "MAAS config_tls.py"),
		},
	},
	{
		ID: "maas-rpc", Name: "MAAS region RPC", Phase: Provisioning, Platforms: on(MAAS),
		Ports: []Port{tcpRange(5250, 5259)},
		From:  roles(Rack), To: roles(Region),
		Answer: Answered,
		Note:   "one port per region worker; sessions live as long as the rack",
		Rows: []Row{
			own(MAAS, "MAAS region RPC", "TCP", "5250-5259", "rack → region", "rack, region", "without it a rack neither boots nor powers anything", "MAAS regionservice.py"),
		},
	},
	{
		ID: "maas-internal", Name: "MAAS internal HTTP", Phase: Provisioning, Platforms: on(MAAS),
		Ports: []Port{tcp(5242)},
		From:  roles(Rack, Region), To: roles(Region),
		Answer: Answered,
		Rows: []Row{
			own(MAAS, "MAAS internal HTTP", "TCP", "5242", "rack → region", "rack, region", "images and internal API between controllers", "MAAS regiondservices/http.py"),
		},
	},
	{
		ID: "maas-metrics", Name: "MAAS rack metrics", Phase: Monitoring, Platforms: on(MAAS),
		Ports: []Port{tcp(5249)},
		From:  roles(Admin, Region), To: roles(Rack),
		Answer: Answered,
		Rows: []Row{
			own(MAAS, "MAAS rack metrics", "TCP", "5249", "admin → rack", "admin, rack", "read by a monitoring system", "MAAS rackd services"),
		},
	},
	{
		ID: "maas-beacon", Name: "MAAS beacons", Phase: Provisioning, Platforms: on(MAAS),
		Ports: []Port{udp(5240)},
		From:  roles(Rack, Region), To: roles(Rack, Region),
		Answer: Silent,
		Note:   "multicast to 224.0.0.118 and ff02::15a: which controllers share a segment",
		Rows: []Row{
			own(MAAS, "MAAS beacon", "UDP", "5240", "rack → any", "rack", "multicast, no answer needed", "MAAS utils/beaconing.py"),
		},
	},
	{
		ID: "dhcp-failover", Name: "DHCP failover", Phase: Provisioning, Platforms: on(MAAS, Generic),
		Ports: []Port{tcp(647), tcp(847)},
		From:  roles(Rack), To: roles(Rack),
		Answer: Answered,
		Rows: []Row{
			own(MAAS, "DHCP failover", "TCP", "647,847", "rack → rack", "rack", "the two DHCP servers of one VLAN", "MAAS dhcpd.conf.template; dhcpd.conf(5)"),
		},
	},
	{
		ID: "omapi", Name: "OMAPI", Phase: Provisioning, Platforms: on(MAAS, XCAT),
		Ports: []Port{tcp(7911)},
		From:  roles(Rack), To: roles(Rack),
		Answer: Answered,
		Note:   "usually on the loopback interface only",
		Rows: []Row{
			own(MAAS, "OMAPI", "TCP", "7911", "rack → rack", "rack", "host entries put into a running dhcpd; xCAT does the same", "MAAS dhcpd.conf.template"),
		},
	},
	{
		ID: "xcatd", Name: "xcatd", Phase: Provisioning, Platforms: on(XCAT),
		Ports: []Port{tcp(3001)},
		From:  roles(Node, Rack, Admin), To: roles(Rack, Node),
		Answer: Answered,
		Note:   "TLS to the management node; during discovery the management node calls back to the node's 3001 in plain text",
		Rows: []Row{
			xcat(1, "3001", "tcp", "", "xcatdport", "required").
				corrected("runs both ways: during discovery the management node connects to tcp 3001 of the node", "xCAT genesis doxcat, minixcatd"),
		},
	},
	{
		ID: "xcatd-udp", Name: "xcatd discovery", Phase: Provisioning, Platforms: on(XCAT),
		Ports: []Port{udp(3001)},
		From:  roles(Node), To: roles(Rack),
		Answer: ByMessage,
		Note:   "findme comes from port 301 and gets no datagram back; resourcerequest does, and may queue for minutes",
		Rows: []Row{
			xcat(2, "3001", "udp", "", "xcatdport", "required"),
		},
	},
	{
		ID: "xcat-monitor", Name: "xCAT install monitor", Phase: Provisioning, Platforms: on(XCAT),
		Ports: []Port{tcp(3002), udp(3002).as(Listed)},
		From:  roles(Node), To: roles(Rack),
		Answer: Answered, ServerFirst: true,
		Rows: []Row{
			xcat(3, "3002", "tcp", "", "xcatiport", "required").
				corrected("plain-text install status only: getdestiny and nextdestiny go to 3001 over TLS", "xCAT xcatd, updateflag.awk"),
			xcat(4, "3002", "udp", "", "xcatiport", "required").
				corrected("listed for firewalls, not expected on the wire: the install monitor is tcp", "xCAT xcatd"),
		},
	},
	{
		ID: "xcat-log", Name: "xCAT command log", Phase: Day2, Platforms: on(XCAT),
		Ports: []Port{tcp(3003)},
		From:  roles(Rack), To: roles(Rack),
		Answer: Answered,
		Rows: []Row{
			xcat(5, "3003(default)", "tcp", "", "xcatlport", "optional"),
		},
	},
	{
		ID: "xcat-credentials", Name: "xCAT credential check", Phase: Provisioning, Platforms: on(XCAT),
		Ports: []Port{tcp(300)},
		From:  roles(Rack), To: roles(Node),
		Answer: Answered,
		Note:   "the management node asks the node whether it wants credentials",
		Rows: []Row{
			xcat(38, "300", "tcp", "", "awk", "optional").
				corrected("from the management node to the node: a firewall that lets only nodes call out breaks discovery", "xCAT allowcred.awk"),
		},
	},
}
