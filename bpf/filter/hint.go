package filter

import (
	"regexp"

	"github.com/pxescope/pxescope/classify/catalog"
)

var reRange = regexp.MustCompile(`^[0-9]+-[0-9]+$`)

// portHint offers the catalog's service of that name.
func portHint(name string) string {
	c := catalog.Default()
	s := c.ByID(name)
	if near := c.Near(name); s == nil && len(near) > 0 {
		s = c.ByID(near[0])
	}
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
	case "inbound", "outbound", "ifindex", "on", "ifname":
		return "it depends on the interface; choose the interface or use 'ether src' and 'ether dst'"
	case "ipx", "netbeui", "iso", "clnp", "isis", "esis", "atalk", "aarp":
		return "test the bytes, as 'ether[12:2] = 0x8137'"
	}
	return ""
}
