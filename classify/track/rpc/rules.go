package rpc

import "github.com/pxescope/pxescope/classify/finding"

// RulePortmapNoAnswer is FM-23.
var RulePortmapNoAnswer = &finding.Rule{
	ID: "rpc-portmap-no-answer", Ref: "FM-23", Severity: finding.Error, Confidence: finding.Certain,
	Title: "Portmap answers no call",
	Detect: "Calls to program 100000, or connections to port 111, from one client to one server fail over every transport that was tried: rpc_tries_udp calls over UDP and " +
		"rpc_grace_udp after the last of these; a call over TCP for rpc_grace_tcp; syn_tries SYNs from one port for syn_grace. An ICMP port unreachable or a TCP reset from the " +
		"server counts at once, or after rpc_grace_udp when only one transport was tried. It is a warning when only locks (nlm) were asked for and a note for statd (nsm). Any reply of portmap, or an NFSv4 mount from the same server, takes it back.",
	Means: "rpcbind does not run on the server, or a firewall drops port 111 (firewalld: service rpc-bind), or the server offers NFSv4 only, which needs no portmap. A reset or an ICMP " +
		"port unreachable means the host is there and nothing listens. Silence means a firewall, or the wrong address.",
	Next: "On the server: systemctl status rpcbind.socket, rpcinfo -p, and the firewall's rpc-bind, mountd and nfs services. If the server is meant for NFSv4 alone, mount with vers=4.2.",
	Traps: "CALLIT broadcasts are answered by nobody who has nothing to say. Clients try TCP and then UDP: one failing is normal. A port scan sends one SYN from each port. A capture of one " +
		"direction shows no replies at all.",
	References: []string{"RFC 1833 sections 2 and 3", "RFC 5531 section 9", "RFC 7530 section 3.1 (version 4 needs no portmap)"},
	Absence:    true, Rank: finding.RankRoot,
}

// RuleNotRegistered is FM-24.
var RuleNotRegistered = &finding.Rule{
	ID: "rpc-program-not-registered", Ref: "FM-24", Severity: finding.Error, Confidence: finding.Certain,
	Title: "The server does not offer the RPC program",
	Detect: "GETPORT answers port 0, GETADDR an empty address, or a call is answered PROG_UNAVAIL or PROG_MISMATCH, for mount (100005), nfs (100003) or nlm (100021), versions up to 4; and " +
		"no other version or transport of that program succeeds within 5 s after it, or did in the 5 s before. At the end of the capture it is reported at once, with less confidence.",
	Means: "nfs-server is not started, or is still starting. mountd does not offer this version (manage-gids, vers3=n in nfs.conf). NFS over UDP is switched off, as it is by default since Linux " +
		"5.6. On the client's console this is \"Protocol not supported\" or \"requested NFS version or transport protocol is not supported\".",
	Next: "rpcinfo -p SERVER shows what is registered. Start nfs-server, or ask for a version and transport that is there: vers=3,proto=tcp or vers=4.2.",
	Traps: "Clients look for the best version: v3 before v2, UDP before TCP, version 4 before 3. Zeros on the way are normal when something follows that succeeds. Scanners ask for " +
		"absurd versions in order to be told the right ones.",
	References: []string{"RFC 1833 section 3.2 (GETPORT), section 2.2.1 (GETADDR)", "RFC 5531 section 9 (accept_stat)", "xcat2/xcat-core#5558"},
	Rank:       finding.RankRoot,
}

// RuleMountNoAnswer is FM-25.
var RuleMountNoAnswer = &finding.Rule{
	ID: "rpc-mount-no-answer", Ref: "FM-25", Severity: finding.Error, Confidence: finding.Certain,
	Title: "mountd did not answer",
	Detect: "Calls to program 100005, or connections to the port that portmap told, stay without a reply over every transport that was tried: rpc_tries_udp calls over UDP for rpc_grace_udp, a call over TCP " +
		"for rpc_grace_tcp, syn_tries SYNs for syn_grace; a reset or an ICMP port unreachable from the server counts after rpc_grace_udp, because the client may ask portmap again. " +
		"The port is recognized by the program number in the call when the capture began after GETPORT.",
	Means: "A firewall opens 111 and 2049 but not mountd's port, which changes with each start unless it is pinned. Next: mountd died or was restarted and the client holds an old port; " +
		"some servers answer nothing at all when they deny access.",
	Next: "Pin mountd to port 20048 (nfs.conf, [mountd] port=20048) and open it for UDP and TCP, or mount with vers=4.2, which needs 2049 alone.",
	Traps: "After a restart of the server the first MOUNT may go to the old port; the client asks portmap again and succeeds. UMNT at shutdown is not waited for. " +
		"Ports 623 and 664 are swallowed by BMCs that share the network card: a client that binds one of them gets no replies.",
	References: []string{"RFC 1813 section 5", "RFC 1833 section 3", "Sun document 1010907.1 (ports 623 and 664)"},
	Absence:    true, Rank: finding.RankRoot,
}

// RuleMountDenied is FM-26.
var RuleMountDenied = &finding.Rule{
	ID: "nfs-mount-denied", Ref: "FM-26", Severity: finding.Error, Confidence: finding.Certain,
	Title: "The server refused the mount",
	Detect: "A MNT reply with a status other than 0, and within 5 s neither an accepted MNT of the same path nor an NFSv4 mount from the same server. A later success takes it back. At the " +
		"end of the capture it is reported at once, with less confidence.",
	Means: "Status 13 ACCES: the client's address is not in the export's list, its reverse name is missing, or it has an address of the wrong subnet from a rogue lease. Status 2 NOENT: the image " +
		"is not packed or not exported, or a typing error. Status 1 PERM: root squash, or a source port of 1024 and above. Status 20 NOTDIR: a file is exported.",
	Next:       "On the server: exportfs -v and the mountd lines of the log for this client and path. Compare the client's address with the export's list, and check its reverse DNS.",
	Traps:      "A client that is denied with version 3 and then mounts with version 4 is fine; only the last attempt counts.",
	References: []string{"RFC 1813 section 5.1.5 (mountstat3), section 5.2.1 (MNT)", "RFC 1094 appendix A", "exports(5)"},
	Rank:       finding.RankRoot,
}

// RulePrivilegedPort is FM-69, the part of RPC.
var RulePrivilegedPort = &finding.Rule{
	ID: "privileged-port-refused", Ref: "FM-69", Severity: finding.Error, Confidence: finding.Likely,
	Title: "Refused, and the source port is not privileged",
	Detect: "A MNT reply with status 1 or 13, or AUTH_ERROR 5 AUTH_TOOWEAK, to a call from source port 1024 or above, when the server neither accepted a MNT from such a port nor refused one from a port " +
		"below 1024 of this client.",
	Means:      "NFS exports want a source port below 1024 unless they are marked insecure. The port was changed on the way by NAT (a container, a virtual network), or the client is an unprivileged program.",
	Next:       "Keep the source port: mount as root without noresvport, take the client out of NAT. Or mark the export insecure.",
	Traps:      "The client may be refused for another reason as well: see the mount's status. A refusal from a privileged port too rules this out.",
	References: []string{"exports(5), option secure", "RFC 5531 section 9 (AUTH_TOOWEAK)", "RFC 1813 section 5.1.5"},
	Rank:       finding.RankRoot,
}

// RuleNotResponding is FM-30.
var RuleNotResponding = &finding.Rule{
	ID: "nfs-server-not-responding", Ref: "FM-30", Severity: finding.Error, Confidence: finding.Certain,
	Title: "NFS server not responding",
	Detect: "No reply to any NFS call of the client for nfs_grace_tcp after the first call since the last reply; over UDP nfs_tries_udp repetitions without a reply and rpc_grace_udp; an ICMP port " +
		"unreachable from the server; or syn_tries SYNs to 2049 of a server that had answered before. One call without an answer among others that are answered does not count. A reply takes it back; " +
		"after more than twice the grace a warning of the stall stays.",
	Means: "The server hangs: its disk, its threads, a failover. When its TCP still acknowledges, the host lives and nfsd does not. Otherwise the network between is cut. On the client: " +
		"\"nfs: server X not responding, still trying\"; hard mounts wait forever.",
	Next:       "Compare nodes: all of them at one time is the server, one alone is its network. On the server: nfsd threads (/proc/net/rpc/nfsd), blocked tasks in dmesg, the exported disk.",
	Traps:      "JUKEBOX, DELAY and GRACE are answers. A long flush keeps one call waiting while others are answered. A client that closes the connection waits no more.",
	References: []string{"RFC 7530 section 3.1.1 (retransmission)", "nfs(5), timeo and retrans", "xcat2/xcat-core#6015"},
	Absence:    true, Rank: finding.RankRoot,
}

// RuleNFSError is FM-31.
var RuleNFSError = &finding.Rule{
	ID: "nfs-error", Ref: "FM-31", Severity: finding.Error, Confidence: finding.Certain,
	Title: "NFS answers with errors",
	Detect: "STALE once (a warning; 3 within 60 s are an error); 3 within 60 s of BADHANDLE, IO, version 4's EXPIRED or WRONGSEC, or as a warning ROFS or NOSPC; PERM or ACCES to FSINFO, or to a COMPOUND that " +
		"enters the server's root, once; JUKEBOX or DELAY for 30 s, or GRACE for 90 s, with no other result between, as a warning.",
	Means: "STALE and BADHANDLE: the image was rebuilt, or the export changed, under running nodes. ROFS: a node writes where it may only read. NOSPC: the overlay or state directory is full. " +
		"WRONGSEC: sec= does not match. EXPIRED: the client lost its lease. ACCES at the root: the export does not list the client.",
	Next: "Reboot or remount the node after the image was rebuilt; check exportfs -v, df and dmesg on the server.",
	Traps: "NOENT, EXIST, NOTEMPTY and ACCES of single files are everyday business. GRACE is normal for up to 90 s after a restart of the server. MINOR_VERS_MISMATCH and one WRONGSEC are " +
		"how version 4 agrees on terms.",
	References: []string{"RFC 1813 section 2.6", "RFC 7530 section 13.1", "RFC 8881 section 15.1"},
	Rank:       finding.RankRoot,
}

// RuleAuthError is FM-32.
var RuleAuthError = &finding.Rule{
	ID: "rpc-auth-error", Ref: "FM-32", Severity: finding.Error, Confidence: finding.Certain,
	Title: "RPC calls are denied for their authentication",
	Detect: "Two or more replies MSG_DENIED with AUTH_ERROR from one program within 60 s, and no call of that program accepted within 5 s. At the end of the capture it is reported at once, with " +
		"less confidence.",
	Means: "The mount's sec= and the export's do not match; the export wants a privileged source port (AUTH_TOOWEAK); an old server denies a squashed root so; a Kerberos ticket or keytab is wrong " +
		"or expired (RPCSEC_GSS states 13 and 14).",
	Next:       "Compare sec= of the mount with exportfs -v. For 5 AUTH_TOOWEAK check the source port, for 13 and 14 the node's keytab and its clock.",
	Traps:      "A GSS context is refreshed with one such reply. Clients offer flavors until one is accepted.",
	References: []string{"RFC 5531 section 9 (auth_stat)", "RFC 2203 section 5.3.3.3"},
	Rank:       finding.RankRoot,
}

// RuleV4NoPortmap explains that nothing is missing.
var RuleV4NoPortmap = &finding.Rule{
	ID: "nfs-v4-no-portmap", Severity: finding.OK, Confidence: finding.Certain,
	Title:      "NFSv4 mount without portmap and mountd",
	Detect:     "A COMPOUND that enters the server's root (PUTROOTFH) is answered NFS4_OK, and the client has called neither portmap nor mountd of this server.",
	Means:      "Normal: version 4 goes over TCP port 2049 alone.",
	Next:       "Nothing. A firewall for such nodes needs to open 2049 only; a mount with version 3 would need 111 and mountd's port too.",
	Traps:      "A capture that began after GETPORT shows the same for version 3, but no PUTROOTFH.",
	References: []string{"RFC 7530 section 3.1", "RFC 8881 section 2.9.3"},
}

// nfsNext is what to do next by status.
var nfsNext = map[uint32]string{
	statusStale:   "The file behind the handle is gone: was the image rebuilt or the export changed while the node ran? Reboot or remount the node.",
	statusBadFH:   "The server does not know the handle as its own: was it replaced, or the exported file system? Remount on the node.",
	statusRofs:    "The node writes to a read-only export: check rw in the export and that the node's overlay or state directory covers the path.",
	statusNospc:   "The exported file system is full: df -h and df -i on the server.",
	statusIO:      "The server's disk has errors: dmesg on the server.",
	statusWrong:   "sec= of the mount and of the export do not match: exportfs -v.",
	statusExpired: "The client lost its lease: was the network between cut for longer than the lease time? Remount on the node.",
	statusAcces:   "The export does not list this client: exportfs -v, and the client's address and reverse name.",
	statusPerm:    "The export does not permit this client: exportfs -v, root_squash and secure.",
	statusDelay:   "The server puts the client off: storage that is recalled, a delegation that is not returned. Look at the server's load.",
	statusGrace:   "The server is in its grace period for longer than a restart takes: is nfsd restarted again and again? journalctl -u nfs-server.",
}
