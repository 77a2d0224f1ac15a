package catalog

// Hosts of virtual machines.
var hostServices = []Service{
	{
		ID: "lxd", Name: "LXD remote API", Phase: Virtualization, Platforms: on(MAAS),
		Ports: []Port{tcp(8443)},
		From:  roles(Rack, Region), To: roles(Host),
		Answer: Answered,
		Note:   "Foreman's smart proxy has the same default port: the TLS server name tells them apart",
		Rows: []Row{
			maas(17, maasVirtual, "LXD remote API", "maas/rack → lxd host", "TCP", "8443", "rack, lxd", "For LXD-based pods"),
		},
	},
	{
		ID: "libvirt", Name: "libvirt", Phase: Virtualization, Platforms: on(MAAS),
		Ports: []Port{tcp(16509), tcp(16514)},
		From:  roles(Rack, Region), To: roles(Host),
		Answer: Answered,
		Rows: []Row{
			maas(18, maasVirtual, "Libvirt (QEMU+TCP)", "maas/rack → libvirtd", "TCP", "16509", "rack, libvirt", "If managing KVM pods directly"),
			own(MAAS, "libvirt over TLS", "TCP", "16514", "rack → host", "rack, libvirt", "the encrypted form of 16509", "libvirt.org/remote.html"),
		},
	},
	{
		ID: "libvirt-dnsmasq", Name: "libvirt's dnsmasq", Phase: Virtualization, Platforms: on(MAAS, Generic),
		Ports: []Port{udp(67).as(Shared), udp(68).as(Shared)},
		From:  roles(Node), To: roles(Host),
		Answer: ByMessage,
		Note:   "DHCP that a virtualization host serves, harmful outside its own bridge; on ports alone it is dhcp",
		Rows: []Row{
			maas(19, maasVirtual, "Libvirt dnsmasq (conflict)", "host → vlan", "UDP", "67,68", "host, vlan", "Must be disabled on production VLANs"),
		},
	},
}
