package tftp

import "github.com/pxescope/pxescope/classify/finding"

// Rules are all rules of this package, in the order of a transfer.
var Rules = []*finding.Rule{
	RuleNoAnswer, RuleWrongSource, RuleNotFound, RuleError, RuleNameGarbage, RuleStalled, RuleSizeLimit,
	RuleSizeProbe, RuleSearchListMiss,
}

// RuleNoAnswer: silence, or "nobody listens here".
var RuleNoAnswer = &finding.Rule{
	ID: "tftp-no-answer", Ref: "FM-05", Severity: finding.Error, Confidence: finding.Certain,
	Title: "TFTP request got no answer",
	Detect: "Requests of one client for one file to one server, whatever their source ports; tftp_open_grace passed after a request and nothing came back to its port. " +
		"One such request is a note, tftp_open_warning of them a warning, tftp_open_error or a series of tftp_open_span an error. " +
		"An ICMP port unreachable from the server itself decides at once.",
	Means: "In order of likelihood: the TFTP service is not running or listens on another address; a host firewall on the server drops UDP 69; the node was given the wrong next server; " +
		"the node has no route to the server (other subnet, no router in the lease); a stateful firewall lets the request in and drops the answer, which comes from a new port.",
	Next: "Fetch the file from another host of the same VLAN. Capture on the server: when the request arrives and an answer leaves from a high port, load the TFTP connection tracking helper on what is between; " +
		"when no answer leaves, look at the service and at the host firewall. When the request does not arrive, compare the address asked with option 66, siaddr and the route.",
	Traps: "A capture filter `port 69` hides every answer, because answers come from a new port. A mirror of one direction hides them too. Answers from another address of the server are tftp-reply-wrong-source. " +
		"Answers that come but are never acknowledged are tftp-stalled.",
	References: []string{"RFC 1350 section 4", "RFC 2347", "RFC 792"},
	Absence:    true, Rank: finding.RankLoad,
}

// RuleWrongSource: answered from an address that the client did not ask.
var RuleWrongSource = &finding.Rule{
	ID: "tftp-reply-wrong-source", Ref: "FM-12", Severity: finding.Error, Confidence: finding.Certain,
	Title: "TFTP answer comes from another address",
	Detect: "DATA, OACK, ACK or ERROR to the client's port from an address other than the one it asked, and the client refuses it (ERROR 5, ICMP port unreachable) or does not go on with it within tftp_open_grace. " +
		"When the client takes it, it is a note.",
	Means: "The server has several addresses and answers from that of the outgoing interface; or it sits behind a virtual address, container or NAT that does not follow TFTP.",
	Next: "Bind the TFTP service to the address that the nodes ask, or hand out the address that it answers from as next server. Behind NAT or a service address use the TFTP connection tracking helper, " +
		"or run the service in the host's network.",
	Traps:      "Some clients go on with any source; the boot then works and this is only worth a note. A request to a broadcast address is rightly answered from a unicast one.",
	References: []string{"RFC 1350 section 4", "RFC 1123 section 4.2.3"},
	Rank:       finding.RankLoad,
}

// RuleNotFound: ERROR 1 for what the boot needs.
var RuleNotFound = &finding.Rule{
	ID: "tftp-file-not-found", Ref: "FM-06", Severity: finding.Error, Confidence: finding.Certain,
	Title: "TFTP server does not have the file",
	Detect: "ERROR 1 (or ERROR 0 whose text says so) for a name, and within tftp_sibling neither this file nor an alternative was served to the client. An error for loaders, kernels, configurations and for the first file of a client, " +
		"else a note. Names of known search lists count only when the last element of the list is missing too.",
	Means: "The boot image was not imported or not for this architecture; the path has a prefix that the server's root does not have, or lacks one; upper and lower case or backslashes differ; " +
		"the partner server of a pair was not synchronized.",
	Next:       "Look for exactly this path under the TFTP root of this server. Compare with the similar file that it does serve, when the facts name one.",
	Traps:      "PXELINUX, GRUB, shim and iPXE ask for many files that are not there before they find one: see search-list-miss.",
	References: []string{"RFC 1350 appendix I", "syslinux core/fs/pxe", "MAAS provisioningserver/boot"},
	Rank:       finding.RankLoad,
}

// RuleError: any other refusal.
var RuleError = &finding.Rule{
	ID: "tftp-error", Ref: "FM-50", Severity: finding.Error, Confidence: finding.Certain,
	Title: "TFTP transfer refused with an error",
	Detect: "An ERROR other than 1 and 5 from the server, and no retry that worked within tftp_sibling; an ERROR other than 0, 5 and 8 from the client; " +
		"or an ERROR 8 from the client after the OACK and no further request of the client within size_probe.",
	Means: "Code 0: read the text. Code 2: file permissions, or a path outside of the server's root. Code 3: no room. Code 4: the server does not know the transfer mode, or got garbage. Code 6: an upload over an existing file. " +
		"Code 8: an option was refused; from the client this usually is the block size.",
	Next:       "Read the quoted text, then the server's log at this time. For code 2 look at the permissions of the file and of every directory above it; for code 8 limit the block size of the server.",
	Traps:      "ERROR 8 or 0 of a client right after the OACK, followed by a new request for the same file, only asked for the size: see tftp-size-probe. PXELINUX and GRUB close files with ERROR 0. ERROR 5 answers a duplicate.",
	References: []string{"RFC 1350 appendix I", "RFC 2347"},
	Rank:       finding.RankLoad,
}

// RuleNameGarbage: the name itself is broken.
var RuleNameGarbage = &finding.Rule{
	ID: "tftp-name-garbage", Ref: "FM-52", Severity: finding.Error, Confidence: finding.Certain,
	Title: "TFTP file name holds garbage",
	Detect: "A requested name with control characters or bytes that are no UTF-8; or an ERROR 1 for the name of a loader that this server serves plus letters or digits behind its end. " +
		"An error when the server refuses it, a warning otherwise, nothing when it serves it.",
	Means: "The firmware reads option 67 up to the next NUL and takes what follows in the packet (a trailing 0xff is the end option) as part of the name; or shim derived the name of the second stage from such a buffer; " +
		"or a path prefix (option 210) is joined wrongly.",
	Next:       "End option 67 with an explicit NUL, or hand the name out in the `file` field of the DHCP header as well.",
	Traps:      "Names in UTF-8 are fine.",
	References: []string{"RFC 2132 section 9.5", "rhboot/shim#524", "rhboot/shim#696", "RFC 5071"},
	Rank:       finding.RankLoad,
}

// RuleStalled: a transfer that was answered and does not go on.
var RuleStalled = &finding.Rule{
	ID: "tftp-stalled", Ref: "FM-11", Severity: finding.Error, Confidence: finding.Certain,
	Title: "TFTP transfer stalled",
	Detect: "Before the last block: the same DATA or OACK tftp_stall_repeats times, or the same ACK as often without any DATA, over at least a second and with no progress; or no packet of the transfer for tftp_stall_quiet; " +
		"or the transfer started over from the beginning tftp_stall_repeats times. Taken back when it goes on or a retry gets the whole file. " +
		"A note when every DATA and every ACK is sent twice (Sorcerer's Apprentice).",
	Means: "The direction is a fact. DATA lost on the way to the receiver: the path carries small packets only (MTU, fragments), or loses packets. No sign of the client after the first answer: a firewall or NAT between does not follow TFTP, " +
		"and the answer from its new port does not arrive. ACKs lost: loss on the way back, a half-duplex port. One side silent: it crashed, was switched off, or forgot the transfer.",
	Next: "Capture at the side that the facts call silent. Set the block size to 1024 or 512: when that works, look for the MTU and lost fragments on the path. Look for a firewall or NAT between without a TFTP helper. " +
		"Check duplex and error counters of the ports.",
	Traps: "A client that got the size only, and says so or not. The missing ACK of the last block: the client has jumped into the image. Waiting at a menu comes between files. Windows: one ACK for several DATA is what RFC 7440 wants.",
	References: []string{
		"RFC 1350 section 6", "RFC 1123 section 4.2.3.1", "RFC 7440 section 4", "firehol/firehol#529", "facebookarchive/fbtftp#51", "moby/moby#22837",
	},
	Absence: true, Rank: finding.RankTransfer,
}

// RuleSizeLimit: 16-bit block numbers ran out.
var RuleSizeLimit = &finding.Rule{
	ID: "tftp-size-limit", Ref: "FM-51", Severity: finding.Error, Confidence: finding.Likely,
	Title:  "TFTP transfer ends where block numbers run out",
	Detect: "A transfer that stalls, is given up or starts over with its highest block between 65530 and 65537.",
	Means:  "Block numbers have 16 bits. One side does not count on after 65535, or one goes on with 0 and the other with 1. Without roll-over 512-byte blocks reach 32 MiB, 1468-byte blocks 92 MiB.",
	Next:   "Let both sides negotiate a larger blksize, make the image smaller, or load it over HTTP.",
	Traps:  "A file that happens to end there and was received completely is not reported; nor is a transfer whose start is not in the capture.",
	References: []string{
		"RFC 1350 section 5", "RFC 2348", "edk2 Mtftp4Dxe/Mtftp4Rrq.c",
	},
	Absence: true, Rank: finding.RankTransfer,
}

// RuleSizeProbe explains a frightening log line.
var RuleSizeProbe = &finding.Rule{
	ID: "tftp-size-probe", Severity: finding.OK, Confidence: finding.Certain,
	Title:  "Client asked for the size of the file first",
	Detect: "The client broke the transfer off with ERROR 0 or 8 before it acknowledged any DATA, and asked for the same file again within size_probe.",
	Means: "UEFI firmware, BIOS ROMs and iPXE ask with option tsize, learn the size from the OACK, and end that transfer with an ERROR (\"User aborted the transfer\", \"TFTP Aborted\") before they fetch the file. " +
		"Servers log this as an error. It is none.",
	Next:       "Nothing.",
	Traps:      "Without a second request an ERROR 8 is a refusal: tftp-error.",
	References: []string{"RFC 2349", "edk2 UefiPxeBcDxe/PxeBcMtftp.c", "poseidon/matchbox#245"},
}

// RuleSearchListMiss explains the others.
var RuleSearchListMiss = &finding.Rule{
	ID: "search-list-miss", Severity: finding.OK, Confidence: finding.Certain,
	Title:  "Files not found while a loader searches",
	Detect: "ERROR for elements of a known search list (PXELINUX, GRUB, iPXE, shim, Windows) whose last element was not missing, or for a file in whose place the client got another one within tftp_sibling.",
	Means:  "Loaders ask for the most particular file first (by UUID, MAC, address) and end with a default; optional files are asked for as well. These misses are normal.",
	Next:   "Nothing, unless the node should have had a file of its own.",
	Traps:  "When the last element of the list is missing too, it is tftp-file-not-found.",
	References: []string{
		"syslinux core/fs/pxe", "MAAS provisioningserver/boot/ipxe.py", "GRUB grub-core/normal",
	},
}
