package filter

import (
	"strings"

	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/classify/lazy"
)

var reRange = lazy.Regexp(`^[0-9]+-[0-9]+$`)

// named is the catalog's service of that name, or nil.
func named(name string) *catalog.Service {
	c := catalog.Default()
	s := c.ByID(name)
	if near := c.Near(name); s == nil && len(near) > 0 {
		s = c.ByID(near[0])
	}
	return s
}

// portHint offers the catalog's service of that name.
func portHint(name string) string {
	s := named(name)
	if s == nil {
		return "give its number; 'pxescope catalog' lists services and ports"
	}
	for _, p := range s.Ports {
		if p.Use == catalog.Server && p.First == p.Last {
			return "write '" + p.Proto.String() + " port " + p.Range.String() + "', or build it: pxescope filter " + s.ID
		}
	}
	return "build it: pxescope filter " + s.ID
}

// hintFor says what to do instead of an unsupported word.
func hintFor(w string) string {
	switch w {
	case "byte":
		return "write 'ether[N] = VALUE'"
	case "geneve":
		return "the outer packet is 'udp port 6081'"
	case "llc":
		return "test the length field: 'ether[12:2] <= 1500'"
	case "inbound", "outbound", "ifindex":
		return "it depends on the interface; choose the interface or use 'ether src' and 'ether dst'"
	case "on", "ifname", "rset", "ruleset", "rnr", "rulenum", "srnr", "subrulenum", "reason", "action":
		return "it is for logs of the BSD packet filter; choose the interface with -i"
	case "ipx", "netbeui", "iso", "clnp", "isis", "is-is", "esis", "es-is", "atalk", "aarp", "l1", "l2", "iih", "lsp", "snp", "csnp", "psnp":
		return "test the bytes, as 'ether[12:2] = 0x8137'"
	case "decnet", "lat", "sca", "moprc", "mopdl":
		return "write 'ether proto' and the number: decnet 0x6003, lat 0x6004, sca 0x6007, moprc 0x6002, mopdl 0x6001"
	case "igrp", "carp":
		return "write 'ip proto' and the number: igrp 9, carp 112"
	case "type", "subtype", "direction", "dir", "radio", "ra", "ta",
		"address1", "addr1", "address2", "addr2", "address3", "addr3", "address4", "addr4":
		return "it is for captures of 802.11 radio frames; a wireless interface gives Ethernet frames, see 'ether host'"
	}
	return "it is for ATM or SS7 links, whose link types are not supported"
}

// wordFor says what may stand before something that stands alone.
func wordFor(t token) string {
	switch t.kind {
	case tokDotted, tokAddr6:
		return "write 'host " + t.text + "'"
	case tokMAC:
		return "write 'ether host " + t.text + "'"
	case tokNumber:
		return "write 'port " + t.text + "'"
	}
	if hint := keywordNear(t.text); hint != "" {
		return hint
	}
	if s := named(t.text); s != nil {
		return "build it: pxescope filter " + s.ID
	}
	return "terms begin with a word such as host, net, port, tcp, udp, arp or vlan"
}

// keywordNear is a hint when a name is a keyword but for its case, or for one
// letter.
func keywordNear(name string) string {
	low := strings.ToLower(name)
	if _, ok := keywords[low]; ok {
		return "words are in lower case: '" + low + "'"
	}
	best := ""
	for k := range keywords {
		if len(k) > 2 && oneEdit(low, k) && (best == "" || k < best) {
			best = k
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean '" + best + "'?"
}

// oneEdit reports whether one letter put in, left out or replaced, or two
// neighbours swapped, make a into b.
func oneEdit(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	a, b = a[i:], b[i:]
	switch {
	case len(a) == len(b):
		return len(a) > 0 && (a[1:] == b[1:] || len(a) > 1 && a[0] == b[1] && a[1] == b[0] && a[2:] == b[2:])
	case len(a) == len(b)+1:
		return a[1:] == b
	case len(a)+1 == len(b):
		return a == b[1:]
	}
	return false
}

// signHint says what to do about a character that no expression has.
func signHint(r rune) string {
	switch r {
	case ',':
		return "write 'or' between alternatives, as 'port 67 or 68'"
	case '"', '\'', '`':
		return "quotes are for the shell: put them round the whole expression"
	case '$':
		return "a shell puts in the value of a variable in double quotes, not in single ones"
	}
	return ""
}
