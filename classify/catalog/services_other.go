package catalog

// Other provisioning systems, for whoever runs one beside or instead.
var otherServices = []Service{
	{
		ID: "ironic", Name: "Ironic API", Phase: Provisioning, Platforms: on(Ironic),
		Ports: []Port{tcp(6385)},
		From:  roles(Node, Admin), To: roles(Rack),
		Answer: Answered,
		Note:   "the ramdisk's lookup and heartbeat",
		Rows: []Row{
			own(Ironic, "Ironic API", "TCP", "6385", "node → rack", "node, conductor", "lookup and heartbeat of the agent", "OpenStack Ironic: agent API"),
		},
	},
	{
		ID: "ironic-inspector", Name: "Ironic inspector", Phase: Provisioning, Platforms: on(Ironic),
		Ports: []Port{tcp(5050)},
		From:  roles(Node, Admin), To: roles(Rack),
		Answer: Answered,
		Rows: []Row{
			own(Ironic, "Ironic inspector", "TCP", "5050", "node → rack", "node, inspector", "inventory sent by the ramdisk", "OpenStack ironic-inspector: HTTP API"),
		},
	},
	{
		ID: "ironic-agent", Name: "Ironic agent", Phase: Provisioning, Platforms: on(Ironic),
		Ports: []Port{tcp(9999)},
		From:  roles(Rack), To: roles(Node),
		Answer: Answered,
		Note:   "the conductor connects to the node",
		Rows: []Row{
			own(Ironic, "Ironic agent", "TCP", "9999", "rack → node", "conductor, node", "commands for the ramdisk", "OpenStack ironic-python-agent"),
		},
	},
	{
		ID: "ironic-images", Name: "Ironic image server", Phase: Provisioning, Platforms: on(Ironic),
		Ports: []Port{tcp(6180), tcp(6183), tcp(8080).as(Shared)},
		From:  roles(Node, BMC), To: roles(Rack),
		Answer: Answered,
		Rows: []Row{
			own(Ironic, "Ironic images", "TCP", "6180,6183,8080", "node → rack", "node, conductor", "6183 over TLS; BMCs read virtual media here", "openshift/openshift-docs: bare-metal network requirements"),
		},
	},
	{
		ID: "cobbler", Name: "Cobbler XML-RPC", Phase: Provisioning, Platforms: on(Cobbler),
		Ports: []Port{tcp(25151)},
		From:  roles(Node, Admin, Rack), To: roles(Rack),
		Answer: Answered,
		Note:   "autoinstall files come over http, under /cblr/svc",
		Rows: []Row{
			own(Cobbler, "Cobbler XML-RPC", "TCP", "25151", "node → rack", "node, cobblerd", "", "cobbler/cobbler services.py"),
		},
	},
	{
		ID: "foreman-proxy", Name: "Foreman smart proxy", Phase: Provisioning, Platforms: on(Foreman),
		Ports: []Port{tcp(8448), tcp(9090), tcp(8000).as(Shared), tcp(8443).as(Shared)},
		From:  roles(Node, Region), To: roles(Rack),
		Answer: Answered,
		Note:   "8000 is taken for a MAAS proxy and 8443 for LXD until a catalog of the site says otherwise",
		Rows: []Row{
			own(Foreman, "Foreman smart proxy", "TCP", "8000,8443,8448,9090", "node → rack", "node, smart proxy", "templates and /httpboot", "theforeman/smart-proxy settings; community.theforeman.org/t/15127"),
		},
	},
	{
		ID: "smee", Name: "Smee HTTP", Phase: Provisioning, Platforms: on(Tinkerbell),
		Ports: []Port{tcp(8080)},
		From:  roles(Node), To: roles(Rack),
		Answer: Answered,
		Note:   "iPXE binaries under /ipxe/; the script comes over http",
		Rows: []Row{
			own(Tinkerbell, "Smee HTTP", "TCP", "8080", "node → rack", "node, smee", "", "tinkerbell/smee cmd/smee/flag.go"),
		},
	},
	{
		ID: "warewulf", Name: "Warewulf", Phase: Provisioning, Platforms: on(Warewulf),
		Ports: []Port{tcp(9873)},
		From:  roles(Node), To: roles(Rack),
		Answer: Answered,
		Note:   "with secure on, runtime overlays are given only to a source port below 1024",
		Rows: []Row{
			own(Warewulf, "Warewulf", "TCP", "9873", "node → rack", "node, warewulfd", "iPXE script, kernel, image, overlays", "warewulf/warewulf internal/pkg/warewulfd/server"),
		},
	},
}
