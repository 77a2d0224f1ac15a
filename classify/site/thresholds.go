package site

import "time"

// Thresholds are the graces and counts of judgement. The yaml name is what a
// site file overrides under "thresholds". Reasons stand in Table.
type Thresholds struct {
	OfferGrace       time.Duration `yaml:"offer_grace"`
	DiscoverNote     int           `yaml:"discover_note"`
	DiscoverWarning  int           `yaml:"discover_warning"`
	DiscoverError    int           `yaml:"discover_error"`
	DiscoverSpan     time.Duration `yaml:"discover_span"`
	BurstGap         time.Duration `yaml:"burst_gap"`
	SelectGrace      time.Duration `yaml:"select_grace"`
	AckGrace         time.Duration `yaml:"ack_grace"`
	NakGrace         time.Duration `yaml:"nak_grace"`
	BINLGrace        time.Duration `yaml:"binl_grace"`
	BINLTries        int           `yaml:"binl_tries"`
	LoadGrace        time.Duration `yaml:"load_grace"`
	TFTPOpenGrace    time.Duration `yaml:"tftp_open_grace"`
	TFTPOpenWarning  int           `yaml:"tftp_open_warning"`
	TFTPOpenError    int           `yaml:"tftp_open_error"`
	TFTPOpenSpan     time.Duration `yaml:"tftp_open_span"`
	TFTPStallRepeats int           `yaml:"tftp_stall_repeats"`
	TFTPStallQuiet   time.Duration `yaml:"tftp_stall_quiet"`
	TFTPSibling      time.Duration `yaml:"tftp_sibling"`
	SizeProbe        time.Duration `yaml:"size_probe"`
	RPCGraceUDP      time.Duration `yaml:"rpc_grace_udp"`
	RPCTriesUDP      int           `yaml:"rpc_tries_udp"`
	RPCGraceTCP      time.Duration `yaml:"rpc_grace_tcp"`
	NFSGraceTCP      time.Duration `yaml:"nfs_grace_tcp"`
	NFSTriesUDP      int           `yaml:"nfs_tries_udp"`
	SYNTries         int           `yaml:"syn_tries"`
	SYNGrace         time.Duration `yaml:"syn_grace"`
	RefusedTries     int           `yaml:"refused_tries"`
	RefusedWindow    time.Duration `yaml:"refused_window"`
	ARPTries         int           `yaml:"arp_tries"`
	ARPSpan          time.Duration `yaml:"arp_span"`
	ARPConflict      time.Duration `yaml:"arp_conflict"`
	Duplicate        time.Duration `yaml:"duplicate"`
	SlowOffer        time.Duration `yaml:"slow_offer"`
	ClockBack        time.Duration `yaml:"clock_back"`
	ClockForward     time.Duration `yaml:"clock_forward"`
	RebootWindow     time.Duration `yaml:"reboot_window"`
	RebootCount      int           `yaml:"reboot_count"`
	SiteNodes        int           `yaml:"site_nodes"`
	Fragments        int           `yaml:"fragments"`
	OneSidedRequests int           `yaml:"one_sided_requests"`
	FilteredPackets  int           `yaml:"filtered_packets"`
	DuplicateShare   float64       `yaml:"duplicate_share"`
}

// DefaultThresholds are the values of Table.
func DefaultThresholds() Thresholds {
	return Thresholds{
		OfferGrace: 5 * time.Second, DiscoverNote: 1, DiscoverWarning: 2, DiscoverError: 4, DiscoverSpan: 15 * time.Second,
		BurstGap: 40 * time.Second, SelectGrace: 13 * time.Second, AckGrace: 4 * time.Second, NakGrace: 30 * time.Second,
		BINLGrace: 10 * time.Second, BINLTries: 2, LoadGrace: 20 * time.Second,
		TFTPOpenGrace: 6 * time.Second, TFTPOpenWarning: 2, TFTPOpenError: 4, TFTPOpenSpan: 15 * time.Second,
		TFTPStallRepeats: 3, TFTPStallQuiet: 5 * time.Second, TFTPSibling: 10 * time.Second, SizeProbe: 5 * time.Second,
		RPCGraceUDP: 3 * time.Second, RPCTriesUDP: 2, RPCGraceTCP: 10 * time.Second, NFSGraceTCP: 60 * time.Second, NFSTriesUDP: 3,
		SYNTries: 3, SYNGrace: 3 * time.Second, RefusedTries: 2, RefusedWindow: 10 * time.Second,
		ARPTries: 3, ARPSpan: 2 * time.Second, ARPConflict: 60 * time.Second,
		Duplicate: 20 * time.Millisecond, SlowOffer: 3500 * time.Millisecond,
		ClockBack: time.Second, ClockForward: 300 * time.Second,
		RebootWindow: 30 * time.Minute, RebootCount: 3, SiteNodes: 3, Fragments: 3,
		OneSidedRequests: 10, FilteredPackets: 20, DuplicateShare: 0.3,
	}
}

// A Threshold documents one field of Thresholds.
type Threshold struct {
	Name   string // yaml name
	Symbol string // name in the field catalogue, where it has one
	Reason string
}

// Table documents every threshold, in the order of the fields; a test holds it
// against the struct.
var Table = []Threshold{
	{"offer_grace", "G_OFFER", "after the last DISCOVER of a burst; the longest server ping check is 3.0 s (dnsmasq)"},
	{"discover_note", "N_DISCOVER", "unanswered DISCOVERs that make a note"},
	{"discover_warning", "N_DISCOVER", "unanswered DISCOVERs that make a warning"},
	{"discover_error", "N_DISCOVER", "unanswered DISCOVERs that make an error; a PXE ROM gives up after 4 sends"},
	{"discover_span", "N_DISCOVER", "or this long a burst; iPXE gives up at 15 s"},
	{"burst_gap", "", "DISCOVERs of one client closer than this are one burst; the longest timer of a PXE ROM is 32 s"},
	{"select_grace", "G_SELECT", "from OFFER to REQUEST; the PXE specification waits through the 4 and 8 s timers"},
	{"ack_grace", "G_ACK", "REQUEST retries are 0.25 to 4 s"},
	{"nak_grace", "", "a NAK is healthy when an ACK follows within this"},
	{"binl_grace", "G_4011", "after the last try on port 4011; edk2 sends 4 within 8.3 s"},
	{"binl_tries", "G_4011", "tries on port 4011 before silence counts"},
	{"load_grace", "G_LOAD", "from ACK to the first loader packet; iPXE took 13 s"},
	{"tftp_open_grace", "G_TFTP_OPEN", "after the last read request"},
	{"tftp_open_warning", "G_TFTP_OPEN", "unanswered read requests that make a warning"},
	{"tftp_open_error", "G_TFTP_OPEN", "unanswered read requests that make an error"},
	{"tftp_open_span", "G_TFTP_OPEN", "or this long a series; iPXE gives up after 15.75 s"},
	{"tftp_stall_repeats", "G_TFTP_STALL", "the same block sent this often with no higher ACK"},
	{"tftp_stall_quiet", "G_TFTP_STALL", "or no packet of the transfer for this long; the edk2 timer is 4 s"},
	{"tftp_sibling", "", "a missing file is a probe when a sibling is found within this"},
	{"size_probe", "", "an aborted transfer is a size probe when the same file is asked for again within this"},
	{"rpc_grace_udp", "G_RPC", "mount.nfs gives up after 3 s"},
	{"rpc_tries_udp", "G_RPC", "calls over UDP before silence counts"},
	{"rpc_grace_tcp", "G_RPC", "TCP repeats for the application, so one call is enough"},
	{"nfs_grace_tcp", "", "the Linux NFS client's major timeout over TCP"},
	{"nfs_tries_udp", "", "retransmitted NFS calls over UDP before silence counts"},
	{"syn_tries", "G_SYN", "SYNs before silence counts; Linux 6 repeats each second at first"},
	{"syn_grace", "G_SYN", "after the first SYN"},
	{"refused_tries", "", "refused connections that make a finding"},
	{"refused_window", "", "within this time"},
	{"arp_tries", "G_ARP", "ARP requests before silence counts; PXE-E11 comes after 4"},
	{"arp_span", "G_ARP", "and at least this long"},
	{"arp_conflict", "", "two MACs claiming one address within this are a conflict"},
	{"duplicate", "W_DUP", "identical datagrams closer than this are copies; the fastest honest retry is 200 ms"},
	{"slow_offer", "", "an OFFER later than this is slow; ping checks take 1, 2 or 3 s"},
	{"clock_back", "", "a larger step back of the timestamps is a clock step, a smaller one is multi-queue capture"},
	{"clock_forward", "", "a larger step forward is a clock step or a pause of the capture"},
	{"reboot_window", "", "boots counted together for a loop"},
	{"reboot_count", "", "boots within the window that make a loop"},
	{"site_nodes", "", "nodes with the same finding and server that make it a finding of the site"},
	{"fragments", "", "incomplete datagrams of one flow that make a finding"},
	{"one_sided_requests", "", "requests without any packet from a server side before a capture counts as one-sided"},
	{"filtered_packets", "", "packets all of one service before a capture counts as filtered"},
	{"duplicate_share", "", "share of copies that is worth a note"},
}

// A Profile is how a kind of client repeats its DHCPDISCOVER.
type Profile struct {
	Name   string
	Gaps   []time.Duration // between DISCOVERs; the last one repeats
	GiveUp time.Duration   // after the first DISCOVER; 0: never
	Note   string
}

// DefaultProfiles are the retry curves measured or read in the clients' code.
func DefaultProfiles() []Profile {
	s := func(x ...float64) []time.Duration {
		d := make([]time.Duration, len(x))
		for i, v := range x {
			d[i] = time.Duration(v * float64(time.Second))
		}
		return d
	}
	return []Profile{
		{"ipxe", s(1, 2, 4), 15 * time.Second, "iPXE; the same xid for all of DORA, secs is coded"},
		{"pxe-rom", s(4, 8, 16, 32), 60 * time.Second, "PXE 2.1: BIOS ROMs, iPXE of RHEL, UEFI HTTP boot"},
		{"uefi-edk2", s(3.5, 8, 16), 60 * time.Second, "UEFI PXE (edk2)"},
		{"intel-undi", s(2, 4, 8), 20 * time.Second, "some Intel UNDI ROMs"},
		{"udhcpc", s(3, 3, 20), 0, "busybox; a new xid after each pause"},
		{"networkd", s(3.5, 4.5, 8.6, 16.7), 0, "systemd-networkd"},
		{"dhclient", s(5.5, 13.3, 10.2, 16.9), 300 * time.Second, "ISC dhclient 4.4, random"},
		{"grub", s(0.2, 0.4, 0.8, 1.6, 3.2, 6.4), 12600 * time.Millisecond, "GRUB 2 net_dhcp"},
		{"kernel-ip", s(2.5, 4.4, 7.7, 13.4, 23.4, 30), 90 * time.Second, "Linux ip=dhcp"},
		{"rfc2131", s(4, 8, 16, 32, 64), 0, "RFC 2131 section 4.1, Windows"},
	}
}
