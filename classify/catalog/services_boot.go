package catalog

// What brings a machine from power-on to its kernel.
var bootServices = []Service{
	{
		ID: "dhcp", Name: "DHCP", Phase: Provisioning, Platforms: on(MAAS, XCAT, Generic),
		Ports: []Port{udp(67), udp(68).as(Client), tcp(67).as(Listed), tcp(68).as(Listed)},
		From:  roles(Node, BMC, Relay), To: roles(Rack, Relay),
		Answer: ByMessage,
		Note:   "relays speak from 67 to 67: the op field tells requests from replies",
		Rows: []Row{
			maas(1, maasCore, "DHCP Discover/Offer", "node → rack", "UDP", "67,68", "node, rack", "One DHCP per VLAN; relays must target rack IP").
				corrected("a filter for 67 and 68 alone misses port 4011, VLAN-tagged frames and later IP fragments; "+
					"where the document calls option 66 next-server: next-server is the siaddr header field, option 66 is a name, and clients disagree on which counts, so both are checked",
					"RFC 2131 section 2, RFC 2132 section 9.4"),
			xcat(13, "67", "udp", "", "bootps", "required on aix and p-linux").
				corrected("this is all of DHCP: required wherever nodes boot from the network", "RFC 2131 section 4.1"),
			xcat(14, "67", "tcp", "", "dhcp", "required on linux, optional on AIX").
				corrected("listed for firewalls, not expected on the wire: DHCP is udp", "RFC 2131 section 4.1"),
			xcat(15, "68", "tcp", "", "dhcpc", "required on linux, optional on AIX").
				corrected("listed for firewalls, not expected on the wire: DHCP is udp", "RFC 2131 section 4.1"),
			xcat(16, "68", "udp", "", "bootpc", "required on AIX").
				corrected("the client's side of DHCP: required wherever nodes boot from the network", "RFC 2131 section 4.1"),
		},
	},
	{
		ID: "proxydhcp", Name: "ProxyDHCP and PXE boot server (BINL)", Phase: Provisioning, Platforms: on(XCAT, Generic),
		Ports: []Port{udp(4011), tcp(4011).as(Listed)},
		From:  roles(Node), To: roles(Rack),
		Answer: Answered,
		Note:   "the client asks from 68 or from 4011, and the answer goes to that port",
		Rows: []Row{
			xcat(34, "4011", "tcp", "", "pxe", "required for linux").
				corrected("on the wire: udp", "PXE 2.1 section 2.2.3"),
			own(Generic, "ProxyDHCP", "UDP", "4011", "node → rack", "node, rack", "boot server discovery after a DHCP reply without a boot file", "PXE 2.1 section 2.2.3"),
		},
	},
	{
		ID: "dhcp6", Name: "DHCPv6", Phase: Provisioning, Platforms: on(Generic),
		Ports: []Port{udp(547), udp(546).as(Client)},
		From:  roles(Node, BMC, Relay), To: roles(Rack, Relay),
		Answer: ByMessage,
		Note:   "clients ask ff02::1:2; relays speak from 547 to 547",
		Rows: []Row{
			own(Generic, "DHCPv6", "UDP", "546,547", "node → rack", "node, rack", "both documents leave IPv6 out; UEFI boots over it", "RFC 8415 section 7.2"),
		},
	},
	{
		ID: "tftp", Name: "TFTP", Phase: Provisioning, Platforms: on(MAAS, XCAT, Generic),
		Ports: []Port{udp(69), tcp(69).as(Listed)},
		From:  roles(Node, BMC, Device), To: roles(Rack),
		Answer: Answered,
		Note:   "only the request goes to 69; answer and data run between two other ports, which the tracker learns",
		Rows: []Row{
			maas(2, maasCore, "TFTP (legacy PXE)", "node → rack", "UDP", "69", "node, rack", "Sensitive to firewalls and latency").
				corrected("only the request goes to 69: the server answers from a new port, which a filter for 69 loses and a stateful firewall passes only with its TFTP helper", "RFC 1350 section 4"),
			xcat(17, "69", "tcp", "", "tftp-tcp", "required").
				corrected("listed for firewalls, not expected on the wire: TFTP is udp", "RFC 1350 section 4"),
			xcat(18, "69", "udp", "", "tftp-udp", "required").
				corrected("only the request goes to 69: answer and data use a new server port", "RFC 1350 section 4"),
		},
	},
	{
		ID: "mtftp", Name: "Multicast TFTP", Phase: Provisioning, Platforms: on(Generic),
		Ports: []Port{udp(1759)},
		From:  roles(Node), To: roles(Rack),
		Answer: Answered,
		Note:   "iPXE listens on group 239.255.1.1 port 3001 unless told otherwise: not xcatd",
		Rows: []Row{
			own(Generic, "MTFTP", "UDP", "1759", "node → rack", "node, rack", "data goes to a multicast group", "PXE 2.1 section 2.3; ipxe net/udp/tftp.c"),
		},
	},
	{
		ID: "http", Name: "HTTP boot and images", Phase: Provisioning, Platforms: on(MAAS, XCAT, Generic),
		Ports: []Port{tcp(80), udp(80).as(Listed)},
		From:  roles(Node, BMC), To: roles(Rack, Region),
		Answer: Answered,
		Note:   "cobbler's autoinstall files and xCAT's /install and /tftpboot come this way too",
		Rows: []Row{
			maas(3, maasCore, "HTTP boot / images", "node → rack", "TCP", "80", "node, rack", "Preferred over TFTP on UEFI systems").
				corrected("MAAS serves boot files from the rack on 5248 (service maas-http-boot) and rack metrics on 5249; a filter for 80 sees none of it", "MAAS rackd.nginx.conf.template, kernel_opts.py"),
			xcat(19, "80", "tcp", "", "www-tcp", "required"),
			xcat(20, "80", "udp", "", "www-udp", "required").
				corrected("listed for firewalls, not expected on the wire: HTTP is tcp", "RFC 9112"),
		},
	},
	{
		ID: "https", Name: "HTTPS boot", Phase: Provisioning, Platforms: on(MAAS, Generic),
		Ports: []Port{tcp(443)},
		From:  roles(Node, BMC), To: roles(Rack, Region),
		Answer: Answered,
		Rows: []Row{
			maas(4, maasCore, "HTTPS boot (optional)", "node → rack", "TCP", "443", "node, rack", "If you serve boot artifacts over TLS"),
		},
	},
	{
		ID: "maas-http-boot", Name: "MAAS HTTP boot", Phase: Provisioning, Platforms: on(MAAS),
		Ports: []Port{tcp(5248)},
		From:  roles(Node), To: roles(Rack),
		Answer: Answered,
		Note:   "kernel, initrd, squashfs, ipxe.cfg and grub.cfg; the rack also passes metadata on to the region here",
		Rows: []Row{
			own(MAAS, "MAAS HTTP boot", "TCP", "5248", "node → rack", "node, rack", "the rack's web server for boot files", "MAAS rackd.nginx.conf.template"),
		},
	},
	{
		ID: "dns", Name: "DNS", Phase: Provisioning, Platforms: on(MAAS, XCAT, Generic),
		Ports: []Port{udp(53), tcp(53)},
		From:  roles(Node, BMC, Rack, Region, Host, Admin), To: roles(Rack, Region),
		Answer: Answered,
		Rows: []Row{
			maas(6, maasCore, "DNS", "node → rack/region", "UDP/TCP", "53", "node, rack/region", "Name resolution during all phases"),
			xcat(11, "53", "tcp", "", "domain-tcp", "optional"),
			xcat(12, "53", "udp", "", "domain-udp", "optional"),
		},
	},
	{
		ID: "ntp", Name: "NTP", Phase: Provisioning, Platforms: on(MAAS, Generic),
		Ports: []Port{udp(123)},
		From:  roles(Node, BMC, Rack, Region, Host), To: roles(TimeSrv, Rack, Region),
		Answer: ByMessage,
		Note:   "mode 3 wants an answer, broadcasts (mode 5) do not; peers and old clients speak from 123 to 123",
		Rows: []Row{
			maas(7, maasCore, "NTP / Time Sync", "node → ntp", "UDP", "123", "node, ntp", "Clock skew breaks token auth and TLS"),
		},
	},
	{
		ID: "http-proxy", Name: "HTTP proxy", Phase: Provisioning, Also: []Phase{Day2, Enterprise}, Platforms: on(MAAS, Foreman),
		Ports: []Port{tcp(3128), tcp(8000)},
		From:  roles(Node), To: roles(Rack, Region, Proxy),
		Answer: Answered,
		Note:   "packages come last in a deployment: a broken proxy shows as one that never finishes",
		Rows: []Row{
			maas(8, maasCore, "Proxy (HTTP/S)", "node → rack", "TCP", "3128", "node, rack", "MAAS built-in proxy on rack").
				corrected("nodes are told to use 8000; 3128 is the transparent port, and squid runs with the region", "MAAS proxy template; discourse.maas.io/t/proxy/3036"),
			maas(21, maasEnterprise, "HTTP proxies with auth", "node → proxy", "TCP", "3128", "node, proxy", "Inject APT auth via cloud-init"),
			own(MAAS, "MAAS proxy", "TCP", "8000", "node → region", "node, region", "the port that MAAS puts into the nodes' configuration", "MAAS proxy template"),
		},
	},
}
