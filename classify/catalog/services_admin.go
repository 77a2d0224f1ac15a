package catalog

// What runs on machines that are up, and who looks after them.
var adminServices = []Service{
	{
		ID: "apt", Name: "APT repositories", Phase: Day2, Platforms: on(MAAS, Generic),
		Ports: []Port{tcp(80).as(Shared), tcp(443).as(Shared)},
		From:  roles(Node), To: roles(Mirror),
		Answer: Answered,
		Note:   "ports 80 and 443 of a package archive; on ports alone they are http and https",
		Rows: []Row{
			maas(10, maasDay2, "APT repositories", "node → mirror", "TCP", "80,443", "node, mirror", "Often via rack proxy"),
		},
	},
	{
		ID: "snap", Name: "Snap store", Phase: Day2, Platforms: on(MAAS),
		Ports: []Port{tcp(443).as(Shared)},
		From:  roles(Node), To: roles(Mirror),
		Answer: Answered,
		Note:   "port 443 of the snap store; on ports alone it is https",
		Rows: []Row{
			maas(11, maasDay2, "Snap endpoints", "node → snap store", "TCP", "443", "node, internet", "Allow or mirror internally"),
		},
	},
	{
		ID: "ssh", Name: "SSH", Phase: Day2, Platforms: on(MAAS, XCAT, Generic),
		Ports: []Port{tcp(22), udp(22).as(Listed)},
		From:  roles(Admin, Rack, Region), To: roles(Node, Rack, Region, Host, BMC, Device),
		Answer: Answered,
		Rows: []Row{
			maas(12, maasDay2, "SSH admin access", "admin → node", "TCP", "22", "admin, node", "Do not expose broadly in production"),
			xcat(7, "22", "tcp", "", "ssh-tcp", "required"),
			xcat(8, "22", "udp", "", "ssh-udp", "required").
				corrected("listed for firewalls, not expected on the wire: SSH is tcp", "RFC 4253 section 4"),
		},
	},
	{
		ID: "syslog", Name: "Syslog", Phase: Day2, Also: []Phase{Provisioning}, Platforms: on(MAAS, XCAT, Generic),
		Ports: []Port{udp(514), tcp(514), udp(5247), tcp(5247), tcp(6514), udp(6514)},
		From:  roles(Node, BMC, Device, Host), To: roles(LogSrv, Rack, Region),
		Answer: Silent,
		Note:   "over udp nothing ever comes back; tcp 514 from a port below 1024 is rsh",
		Rows: []Row{
			maas(13, maasDay2, "Syslog / Rsyslog (optional)", "node → log", "UDP/TCP", "514", "node, log", "If central logging is used").
				corrected("MAAS tells its nodes to log to 5247", "MAAS kernel_opts.py, syslog/config.py"),
			xcat(25, "514", "tcp", "", "rsyslogd", "required on linux").
				corrected("shares the port with shell: told apart by the source port (shell: 1-1023) and by payload", "RFC 6587 section 3; rcmd(3)"),
			xcat(26, "514", "udp", "", "rsyslogd", "required on linux"),
			own(MAAS, "MAAS syslog", "UDP/TCP", "5247", "node → rack", "node, rack", "the port in the kernel command line", "MAAS kernel_opts.py"),
			own(Generic, "Syslog over TLS or DTLS", "UDP/TCP", "6514", "node → log", "node, log", "", "RFC 5425 section 4.1, RFC 6012 section 5.1"),
		},
	},
	{
		ID: "rsh", Name: "Remote shell (rsh)", Phase: Day2, Platforms: on(XCAT),
		Ports: []Port{tcp(514)}, ClientPorts: Reserved,
		From: roles(Rack, Admin, Node), To: roles(Node, Rack),
		Answer: Answered,
		Note:   "the client binds a port below 1024, and the server connects back to another one for stderr",
		Rows: []Row{
			xcat(24, "514", "tcp", "1-1023", "shell", "optional").
				corrected("shares the port with rsyslogd: told apart by the source port (shell: 1-1023) and by payload", "rcmd(3); RFC 6587 section 3"),
		},
	},
	{
		ID: "kshell", Name: "Kerberos remote shell", Phase: Day2, Platforms: on(XCAT),
		Ports: []Port{tcp(544)}, ClientPorts: Reserved,
		From: roles(Rack, Admin), To: roles(Node),
		Answer: Answered,
		Rows: []Row{
			xcat(27, "544", "tcp", "1-1023", "kshell", "required on AIX"),
		},
	},
	{
		ID: "conserver", Name: "conserver", Phase: Day2, Platforms: on(XCAT),
		Ports: []Port{tcp(782)},
		From:  roles(Admin, Rack), To: roles(Rack),
		Answer: Answered, ServerFirst: true,
		Note: "consoles of the nodes",
		Rows: []Row{
			xcat(30, "782", "tcp", "", "conserver", "required on the mgmt and service nodes"),
		},
	},
	{
		ID: "rmc", Name: "RMC (RSCT)", Phase: Monitoring, Platforms: on(XCAT),
		Ports: []Port{tcp(657), udp(657)}, ClientPorts: Reserved,
		From: roles(Node, Rack), To: roles(Rack, Node),
		Answer: ByMessage,
		Rows: []Row{
			xcat(28, "657", "tcp", "1-1023", "rmc-tcp", "required for RMC monitoring"),
			xcat(29, "657", "udp", "1-1023", "rmc-udp", "required for RMC monitoring"),
		},
	},
	{
		ID: "nim", Name: "NIM", Phase: Provisioning, Platforms: on(XCAT),
		Ports: []Port{tcp(1058)}, ClientPorts: Reserved,
		From: roles(Node, Rack), To: roles(Rack, Node),
		Answer: Answered,
		Note:   "AIX's network installation",
		Rows: []Row{
			xcat(31, "1058", "tcp", "1-1023", "nim", "required on AIX"),
		},
	},
	{
		ID: "echo", Name: "Echo", Phase: Monitoring, Platforms: on(XCAT),
		Ports: []Port{udp(7)},
		From:  roles(Rack, Admin), To: roles(Node),
		Answer: Answered,
		Rows: []Row{
			xcat(6, "7", "udp", "", "echo-udp", "required"),
		},
	},
	{
		ID: "kerberos", Name: "Kerberos", Phase: Enterprise, Platforms: on(XCAT, Generic),
		Ports: []Port{udp(88), tcp(88)},
		From:  roles(Node, Rack, Host), To: roles(Directory),
		Answer: Answered,
		Note:   "not xCAT's any more; seen where logins come from a directory",
		Rows: []Row{
			xcat(21, "88", "tcp", "", "kerberos", "not supported/used by xCAT anymore"),
			xcat(22, "88", "udp", "", "kerberos", "not supported/used by xCAT anymore"),
		},
	},
	{
		ID: "ldap", Name: "LDAP", Phase: Enterprise, Platforms: on(MAAS),
		Ports: []Port{tcp(389), tcp(636)},
		From:  roles(Node, Rack, Region, Host, BMC), To: roles(Directory),
		Answer: Answered,
		Rows: []Row{
			maas(20, maasEnterprise, "LDAP/LDAPS", "node → directory", "TCP", "389,636", "node, ldap", "For auth if integrated"),
		},
	},
	{
		ID: "registry", Name: "Artifact registry", Phase: Enterprise, Platforms: on(MAAS),
		Ports: []Port{tcp(5000)},
		From:  roles(Node, Host), To: roles(Registry),
		Answer: Answered,
		Rows: []Row{
			maas(22, maasEnterprise, "Artifact registry", "node → registry", "TCP", "5000", "node, registry", "Private Docker/OCI registries"),
		},
	},
	{
		ID: "mdns", Name: "mDNS", Phase: Day2, Platforms: on(Generic),
		Ports: []Port{udp(5353)},
		From:  roles(Node, Rack, Region, Host), To: roles(Node, Rack, Region, Host),
		Answer: Silent,
		Note:   "multicast queries that nobody answers are normal; the client's port is 5353 too",
		Rows: []Row{
			own(Generic, "mDNS", "UDP", "5353", "any → any", "any", "both documents leave it out; it is on every segment with a running system", "RFC 6762 section 5"),
		},
	},
}
