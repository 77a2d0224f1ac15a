package filter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/capture"
)

// A Target is what a program runs on.
type Target struct {
	Link capture.LinkType
	// Live is a socket of the Linux kernel, where the outermost VLAN tag is
	// beside the packet. The zero value is the bytes of a file.
	Live bool
	// Snaplen is how many bytes to keep of a packet that matches; 0 is 262144,
	// tcpdump's default.
	Snaplen uint32
}

// Ethernet is a capture file of an Ethernet interface, the usual Target.
var Ethernet = Target{Link: capture.LinkEthernet}

// DefaultSnaplen is what a program returns for a packet that matches.
const DefaultSnaplen = 262144

// links are the link types that there is code for, and what their packets
// start with.
var links = map[capture.LinkType]layout{
	capture.LinkEthernet: {media: ethernet, typ: 12, payload: 14},
	capture.LinkSLL:      {media: cooked, typ: 14, payload: 16},
	capture.LinkSLL2:     {media: cooked2, typ: 0, payload: 20},
	capture.LinkRaw:      {media: rawIP},
	capture.LinkRawBSD:   {media: rawIP},
	capture.LinkIPv4:     {media: onlyIPv4},
	capture.LinkIPv6:     {media: onlyIPv6},
	// The address family of these four bytes has another number on each
	// system: the version in the IP header says the same everywhere.
	capture.LinkNull: {media: rawIP, payload: 4},
	capture.LinkLoop: {media: rawIP, payload: 4},
}

// LinkTypes are those that Compile and Match know.
func LinkTypes() []capture.LinkType {
	var out []capture.LinkType
	for l := range links {
		out = append(out, l)
	}
	slices.Sort(out)
	return out
}

// ParseLinkType reads libpcap's name of a link type, in any case, with or
// without DLT_.
func ParseLinkType(name string) (capture.LinkType, error) {
	want := strings.TrimPrefix(strings.ToUpper(name), "DLT_")
	var names []string
	for _, l := range LinkTypes() {
		if l == capture.LinkRawBSD {
			continue // the other RAW
		}
		if l.String() == want {
			return l, nil
		}
		names = append(names, l.String())
	}
	return 0, fmt.Errorf("link type %q: choose one of %s", name, strings.Join(names, ", "))
}

func (t Target) layout() (layout, error) {
	l, ok := links[t.Link]
	if !ok {
		return l, &Error{Msg: fmt.Sprintf("no filters for link type %s", t.Link), Hint: "EN10MB, LINUX_SLL, LINUX_SLL2, RAW, IPV4, IPV6, NULL and LOOP are supported"}
	}
	return l, nil
}

type media uint8

const (
	ethernet media = iota
	cooked
	cooked2
	rawIP
	onlyIPv4
	onlyIPv6
	ppp // inside PPPoE
)

// A layout says where things are in a packet. vlan, mpls and pppoes change it
// for all that stands to their right.
type layout struct {
	media   media
	head    uint32 // where the link layer's header starts
	typ     uint32 // its type field
	payload uint32 // what follows it
	labels  uint32 // of MPLS, between link header and IP
	tags    int    // vlan words so far
	beside  bool   // the outermost tag is known to be beside the packet
	live    bool
}

// ip is where the IP header starts.
func (l *layout) ip() uint32 { return l.payload + 4*l.labels }
