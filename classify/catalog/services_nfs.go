package catalog

// footnotes of SeedXCAT.
const (
	footnoteNA = "On AIX, the mountd port range is usually determined at the time of the mount request. Part of the communication flow within a mount command is to query the remote mountd server and find out what ports it is using. " +
		"The mountd ports are selected dynamically each time the mountd server is initialized. Therefore, the port numbers will vary from one boot to another, or when mountd is stopped and restarted."
	footnoteUDP = "The rpc-mount service differs from the other service definitions because is no associated protocol, because by definition it is UDP based. There is no source port."
)

// Root file systems and files over the network.
var nfsServices = []Service{
	{
		ID: "portmap", Name: "Portmap (rpcbind)", Phase: Provisioning, Platforms: on(XCAT, Warewulf),
		Ports: []Port{udp(111), tcp(111)}, Programs: []uint32{100000},
		From: roles(Node, Rack), To: roles(Rack, Node),
		Answer: Answered,
		Rows: []Row{
			xcat(23, "111", "udp", "", "sunrpc-udp", "required on linux statelite and AIX").
				corrected("rpcbind answers on tcp 111 as well, and clients fall back to it", "RFC 1833 section 3"),
			own(XCAT, "rpcbind over tcp", "TCP", "111", "node → rack", "node, rack", "same calls as over udp", "RFC 1833 section 3"),
		},
	},
	{
		ID: "rpc-mount", Name: "RPC mount (mountd)", Phase: Provisioning, Platforms: on(XCAT, Warewulf),
		Ports: []Port{udp(20048), tcp(20048)}, ClientPorts: Reserved, Programs: []uint32{100005},
		From: roles(Node), To: roles(Rack),
		Answer: Answered,
		Note:   "the port is learnt from portmap replies; 20048 is what Linux usually has",
		Rows: []Row{
			xcat(35, "100005", "[udp]_", "", "rpc-mount", "required on linux statelite and AIX").noted(footnoteUDP).
				corrected("an ONC RPC program number, not a port; the port is learnt from portmap replies, and mountd serves tcp as well as udp", "RFC 1833 section 3, RFC 1813 section 5"),
			xcat(36, "[na]_", "tcp", "", "mount-tcp", "required on linux statelite and AIX").noted(footnoteNA).
				corrected("the port of ONC RPC program 100005 over tcp, learnt from portmap replies", "RFC 1833 section 3, RFC 1813 section 5"),
			xcat(37, "[na]_", "udp", "", "mount-udp", "required on linux statelite and AIX").noted(footnoteNA).
				corrected("the port of ONC RPC program 100005 over udp, learnt from portmap replies", "RFC 1833 section 3, RFC 1813 section 5"),
			own(XCAT, "mountd on Linux", "UDP/TCP", "20048", "node → rack", "node, rack", "registered, and used unless configured otherwise", "IANA service names: mountd"),
		},
	},
	{
		ID: "nfs", Name: "NFS", Phase: Provisioning, Platforms: on(XCAT, Warewulf),
		Ports: []Port{udp(2049), tcp(2049)}, ClientPorts: Reserved, Programs: []uint32{100003, 100227},
		From: roles(Node), To: roles(Rack),
		Answer: Answered,
		Note:   "version 4 needs tcp 2049 alone, without portmap and mount; program 100227 is the ACL side protocol",
		Rows: []Row{
			xcat(32, "2049", "tcp", "1-1023", "nfsd-tcp", "required on linux statelite and AIX"),
			xcat(33, "2049", "udp", "1-1023", "nfsd-udp", "required on linux statelite and AIX"),
		},
	},
	{
		ID: "nlm", Name: "NFS locks (NLM)", Phase: Provisioning, Platforms: on(XCAT, Warewulf),
		Programs: []uint32{100021},
		From:     roles(Node, Rack), To: roles(Rack, Node),
		Answer: ByMessage,
		Note:   "the port is learnt from portmap replies; the server calls back to grant a lock",
		Rows: []Row{
			own(XCAT, "NLM", "UDP/TCP", "", "node → rack", "node, rack", "RPC program 100021, for NFS version 3 with locks", "RFC 1813 section 6"),
		},
	},
	{
		ID: "nsm", Name: "NFS status (NSM, statd)", Phase: Provisioning, Platforms: on(XCAT, Warewulf),
		Programs: []uint32{100024},
		From:     roles(Node, Rack), To: roles(Rack, Node),
		Answer: ByMessage,
		Note:   "the port is learnt from portmap replies",
		Rows: []Row{
			own(XCAT, "NSM", "UDP/TCP", "", "node → rack", "node, rack", "RPC program 100024, tells of restarts", "RFC 1813 section 6; X/Open XNFS"),
		},
	},
	{
		ID: "iscsi", Name: "iSCSI", Phase: Provisioning, Platforms: on(Generic),
		Ports: []Port{tcp(3260)},
		From:  roles(Node), To: roles(Rack),
		Answer: Answered,
		Rows: []Row{
			own(Generic, "iSCSI", "TCP", "3260", "node → rack", "node, storage", "a root disk over the network, named by DHCP option 17", "RFC 7143 section 4.2; RFC 4173"),
		},
	},
	{
		ID: "smb", Name: "SMB", Phase: Provisioning, Platforms: on(XCAT),
		Ports: []Port{tcp(445)},
		From:  roles(Node), To: roles(Rack),
		Answer: Answered,
		Rows: []Row{
			own(XCAT, "SMB", "TCP", "445", "node → rack", "node, rack", "Windows installation files after WinPE", "MS-SMB2 section 2.1"),
		},
	},
	{
		ID: "rsync", Name: "rsync", Phase: Provisioning, Also: []Phase{Day2}, Platforms: on(XCAT, Cobbler),
		Ports: []Port{tcp(873), udp(873).as(Listed)},
		From:  roles(Node, Rack), To: roles(Rack, Node),
		Answer: Answered, ServerFirst: true,
		Rows: []Row{
			xcat(9, "873", "tcp", "", "rsync", "required"),
			xcat(10, "873", "udp", "", "rsync", "required").
				corrected("listed for firewalls, not expected on the wire: rsync is tcp; a udp packet with port 873 is an RPC client's", "rsyncd.conf(5)"),
		},
	},
}
