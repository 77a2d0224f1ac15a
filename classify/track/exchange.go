package track

import (
	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/wire"
)

// A Stage is a step of a node's boot, in the order in which they come.
type Stage uint8

// Stages; their names are the contract of the report.
const (
	StageUnknown Stage = iota
	StageLink
	StageDHCP
	StageProxyDHCP
	StageTFTP
	StageHTTP
	StageMount
	StageNFS
	StageMetadata
	StageInstalled
)

var stageNames = [...]string{"unknown", "link", "dhcp", "proxydhcp", "tftp", "http", "mount", "nfs", "metadata", "installed"}

func (s Stage) String() string { return stageNames[s] }

// An Outcome is what became of a request.
type Outcome uint8

// Outcomes. Open: the capture ended before the answer was due.
const (
	Open Outcome = iota
	Answered
	Refused
	Unanswered
)

var outcomeNames = [...]string{"open", "answered", "refused", "unanswered"}

func (o Outcome) String() string { return outcomeNames[o] }

// An Exchange is a request, its repetitions, and what became of it. Trackers
// report one when it is decided, and long ones (a transfer) again when more is
// known: same Service, Op, Client, Server, Subject and First.
type Exchange struct {
	Service string // catalog service id
	Op      string // DISCOVER, REQUEST, RENEW, INFORM, BOOT-SERVER, RRQ, WRQ, GETPORT, MNT, NFS, CONNECT, ARP
	Subject string // file name, export path, program, address asked for
	Reason  string // when refused: ERROR 1 "...", NAK, RST, ICMP port unreachable, status 13 ACCES

	Client, Server finding.Endpoint
	VLAN           uint16
	Stage          Stage // the small fields are together: timelines hold many of these
	Outcome        Outcome
	Complete       bool // a transfer ended with its last block
	Iface          int

	First   capture.Time // of the first request
	Last    capture.Time // of the last packet; for unanswered: the deadline
	Tries   int          // requests seen
	Overdue int          // DHCP searches: the tries whose grace passed without an answer
	Frames  []capture.FrameID

	Bytes  int64  // payload bytes of a transfer
	Detail string // a few words for the timeline
	Lease  *Lease // DHCP: what was offered or acknowledged, or what the client said of itself
}

// A ClientKind is who sends a DHCP request, told by its options.
type ClientKind uint8

// Client kinds.
const (
	ClientOther ClientKind = iota // an operating system or installer, or unknown
	ClientPXE                     // PXEClient without a loader's user class: firmware
	ClientHTTP                    // HTTPClient: UEFI HTTP boot
	ClientIPXE                    // iPXE, gPXE, xNBA and their kin: chain-loaded
	ClientBOOTP                   // no message type
	ClientProbe                   // MAAS's, xCAT's or nmap's search for servers
)

var clientKindNames = [...]string{"os", "pxe-firmware", "http-boot", "ipxe", "bootp", "probe"}

func (k ClientKind) String() string { return clientKindNames[k] }

// Boots reports whether the client wants something to boot.
func (k ClientKind) Boots() bool { return k == ClientPXE || k == ClientHTTP || k == ClientIPXE }

// A Lease is what a DHCP exchange settles, in the terms of RFC 2131 and 2132.
// Strings are as in the packet: hostile.
type Lease struct {
	MAC        wire.MAC  // chaddr
	Addr       wire.Addr // yiaddr
	Server     wire.Addr // option 54
	ServerMAC  wire.MAC
	Relay      wire.Addr // giaddr
	NextServer wire.Addr // siaddr
	ServerName string    // option 66 or sname
	File       string    // option 67 or file
	Mask       wire.Addr
	Routers    []wire.Addr
	DNS        []wire.Addr
	LeaseTime  uint32 // seconds
	Arch       int    // option 93, -1 when absent
	Kind       ClientKind
	Class      string // option 60 of the client
	UserClass  string // option 77 of the client
	Hostname   string // option 12
	// BootServers are the addresses that the file may be fetched from, the
	// likeliest first; clients disagree on siaddr, 43.8, 150 and 66.
	BootServers []wire.Addr
	BootInfo    bool // some file, URL or PXE boot server is on offer
}
