package capture

import "strconv"

// A LinkType says what a packet starts with, by the numbers of
// https://www.tcpdump.org/linktypes.html.
type LinkType uint16

// The link types that wire.Decode reads.
const (
	LinkNull       LinkType = 0
	LinkEthernet   LinkType = 1
	LinkPPP        LinkType = 9
	LinkRawBSD     LinkType = 12 // DLT_RAW of most systems, written to files by some tools
	LinkRawOpenBSD LinkType = 14
	LinkPPPHDLC    LinkType = 50
	LinkPPPEther   LinkType = 51
	LinkRaw        LinkType = 101
	LinkLoop       LinkType = 108
	LinkSLL        LinkType = 113
	LinkUser2      LinkType = 149 // macOS writes PKTAP under it
	LinkIPv4       LinkType = 228
	LinkIPv6       LinkType = 229
	LinkNFLOG      LinkType = 239
	LinkPKTAP      LinkType = 258
	LinkSLL2       LinkType = 276
)

var linkNames = map[LinkType]string{
	LinkNull: "NULL", LinkEthernet: "EN10MB", LinkPPP: "PPP", LinkRawBSD: "RAW", LinkRawOpenBSD: "RAW",
	LinkPPPHDLC: "PPP_SERIAL", LinkPPPEther: "PPP_ETHER", LinkRaw: "RAW", LinkLoop: "LOOP",
	LinkSLL: "LINUX_SLL", LinkUser2: "USER2", LinkIPv4: "IPV4", LinkIPv6: "IPV6", LinkNFLOG: "NFLOG",
	LinkPKTAP: "PKTAP", LinkSLL2: "LINUX_SLL2",
}

// String is libpcap's name for l, or its number.
func (l LinkType) String() string {
	if s, ok := linkNames[l]; ok {
		return s
	}
	return "LINKTYPE_" + strconv.Itoa(int(l))
}
