package filter

// keywords of pcap-filter(7), with the synonyms mapped to one spelling.
var keywords = map[string]string{
	"and": "and", "or": "or", "not": "!",
	"src": "src", "dst": "dst",
	"host": "host", "net": "net", "mask": "mask", "port": "port", "portrange": "portrange",
	"proto": "proto", "protochain": "protochain", "gateway": "gateway",
	"ether": "ether", "link": "ether", "ppp": "ether", "slip": "ether", "fddi": "ether", "tr": "ether", "wlan": "ether",
	"ip": "ip", "ip6": "ip6", "arp": "arp", "rarp": "rarp",
	"tcp": "tcp", "udp": "udp", "sctp": "sctp", "icmp": "icmp", "icmp6": "icmp6",
	"igmp": "igmp", "pim": "pim", "vrrp": "vrrp", "ah": "ah", "esp": "esp", "stp": "stp",
	"broadcast": "broadcast", "multicast": "multicast",
	"less": "less", "greater": "greater", "len": "len", "length": "len",
	"vlan": "vlan", "mpls": "mpls", "pppoed": "pppoed", "pppoes": "pppoes",
}

// unsupported are keywords of media and protocols that no link type here has,
// or that need what a program for files cannot know.
var unsupported = set("igrp", "carp", "radio", "atalk", "aarp", "decnet", "lat", "sca", "moprc", "mopdl",
	"iso", "esis", "es-is", "isis", "is-is", "l1", "l2", "iih", "lsp", "snp", "csnp", "psnp", "clnp", "ipx", "netbeui",
	"type", "subtype", "direction", "dir", "address1", "addr1", "address2", "addr2", "address3", "addr3", "address4", "addr4", "ra", "ta",
	"byte", "inbound", "outbound", "ifindex", "geneve", "llc",
	"lane", "metac", "bcc", "oam", "oamf4", "oamf4ec", "oamf4sc", "sc", "ilmic", "vpi", "vci", "connectmsg", "metaconnect",
	"on", "ifname", "rset", "ruleset", "rnr", "rulenum", "srnr", "subrulenum", "reason", "action",
	"fisu", "lssu", "lsu", "msu", "hfisu", "hlssu", "hmsu", "sio", "opc", "dpc", "sls", "hsio", "hopc", "hdpc", "hsls")

func set(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}

// constants are named offsets and values.
var constants = map[string]uint32{
	"icmptype": 0, "icmpcode": 1,
	"icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4, "icmp-redirect": 5, "icmp-echo": 8,
	"icmp-routeradvert": 9, "icmp-routersolicit": 10, "icmp-timxceed": 11, "icmp-paramprob": 12,
	"icmp-tstamp": 13, "icmp-tstampreply": 14, "icmp-ireq": 15, "icmp-ireqreply": 16, "icmp-maskreq": 17, "icmp-maskreply": 18,
	"icmp6type": 0, "icmp6code": 1,
	"icmp6-destinationunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4,
	"icmp6-echo": 128, "icmp6-echoreply": 129, "icmp6-multicastlistenerquery": 130, "icmp6-multicastlistenerreportv1": 131,
	"icmp6-multicastlistenerdone": 132, "icmp6-routersolicit": 133, "icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135,
	"icmp6-neighboradvert": 136, "icmp6-redirect": 137, "icmp6-routerrenum": 138, "icmp6-nodeinformationquery": 139,
	"icmp6-nodeinformationresponse": 140, "icmp6-ineighbordiscoverysolicit": 141, "icmp6-ineighbordiscoveryadvert": 142,
	"icmp6-multicastlistenerreportv2": 143, "icmp6-homeagentdiscoveryrequest": 144, "icmp6-homeagentdiscoveryreply": 145,
	"icmp6-mobileprefixsolicit": 146, "icmp6-mobileprefixadvert": 147, "icmp6-certpathsolicit": 148, "icmp6-certpathadvert": 149,
	"icmp6-multicastrouteradvert": 151, "icmp6-multicastroutersolicit": 152, "icmp6-multicastrouterterm": 153,
	"tcpflags": 13, "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16, "tcp-urg": 32, "tcp-ece": 64, "tcp-cwr": 128,
}

// ipProtocols are IANA protocol numbers, of the names with a meaning of their
// own in expressions and of what may be written as 'proto \name'.
var ipProtocols = map[word]uint32{
	"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "esp": 50, "ah": 51, "icmp6": 58, "pim": 103, "vrrp": 112, "sctp": 132,
}

// EtherTypes (IEEE registration authority), and the 802.2 service access
// point of spanning tree.
const (
	typeIP     = 0x0800
	typeARP    = 0x0806
	typeRARP   = 0x8035
	typeVLAN   = 0x8100
	typeIPv6   = 0x86dd
	typeMPLS   = 0x8847
	typePPPoED = 0x8863
	typePPPoES = 0x8864
	typeQinQ   = 0x88a8
	typeQinQ91 = 0x9100
	sapSTP     = 0x42
)

var etherTypes = map[word]uint32{"ip": typeIP, "ip6": typeIPv6, "arp": typeARP, "rarp": typeRARP}
