package filter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/classify/catalog"
)

// A Request says what traffic a filter is for. The zero value selects nothing.
type Request struct {
	Catalog  *catalog.Catalog // nil: the built-in one
	Names    []string         // crib names and ids of services
	Phase    catalog.Phase    // and all services of a phase
	Platform catalog.Platform // narrows Phase
	Exclude  []string         // ids of services

	// Rack and Region narrow services that those machines serve; Hosts and Nets
	// narrow everything. DHCP and other traffic of machines without an address
	// stays, whatever the addresses.
	Racks, Regions, Hosts []netip.Addr
	Nets                  []netip.Prefix
	MACs                  [][6]byte

	VLAN     VLANChoice
	VLANID   uint16 // for VLANOne
	Expr     *Expr  // and-ed to everything
	Complete bool   // lose nothing of a conversation
	Link     capture.LinkType
	Live     bool
}

// A VLANChoice says which frames a filter is for.
type VLANChoice uint8

// Choices. VLANDefault is VLANAny for a complete filter, else untagged frames
// of a file, and those of every VLAN where the kernel took the tag off.
const (
	VLANDefault VLANChoice = iota
	VLANNone               // untagged only
	VLANAny                // untagged, tagged, tagged twice
	VLANOne                // tagged with VLANID
)

// A Filter is what a Request gives.
type Filter struct {
	Text    string // for tcpdump
	Expr    *Expr
	Caveats []Caveat
	// Control and Bulk are the parts of Expr that are worth whole packets, and
	// headers only. Either may be nil.
	Control, Bulk *Expr
	Services      bool // the filter is for services, not for addresses alone
	// Dissectors are display filter names of what has no port of its own;
	// Wireshark follows those conversations. Empty when addresses narrow them.
	Dissectors []string
}

// A Caveat is what a filter cannot keep, or keeps beside what was asked for.
type Caveat struct {
	ID   string // a slug
	Text string
	Do   string // what to do instead, or about it
}

// A crib is one line of the MAAS document's capture crib.
type crib struct {
	name, text string
	service    string
	port       uint16       // the one port of the line, where the service has more
	role       catalog.Role // whose address the line needs
}

var cribs = []crib{
	{"dhcp", "(port 67 or port 68)", "dhcp", 0, ""},
	{"tftp", "udp port 69", "tftp", 0, ""},
	{"dns", "port 53", "dns", 0, ""},
	{"http-rack", "tcp port 80 and host %s", "http", 80, catalog.Rack},
	{"metadata", "tcp port 5240 and host %s", "maas-region", 5240, catalog.Region},
	{"ntp", "udp port 123", "ntp", 0, ""},
}

// CribNames are the names that are not ids of services but mean one.
func CribNames() []string {
	var out []string
	for _, c := range cribs {
		out = append(out, c.name)
	}
	return out
}

func cribNamed(name string) *crib {
	for i := range cribs {
		if cribs[i].name == name {
			return &cribs[i]
		}
	}
	return nil
}

// address is the one that a crib's line names.
func (r *Request) address(c *crib) (netip.Addr, error) {
	list := r.Racks
	if c.role == catalog.Region {
		list = r.Regions
	}
	if len(list) == 0 {
		return netip.Addr{}, &Error{Msg: fmt.Sprintf("%s needs an address", c.name), Hint: fmt.Sprintf("add --%s ADDRESS", c.role)}
	}
	return list[0], nil
}

// AsWritten is the text of crib lines as the MAAS document has them, with what
// they lose.
func AsWritten(r *Request) (string, error) {
	var out []string
	for _, n := range r.Names {
		c := cribNamed(n)
		if c == nil {
			return "", &Error{Msg: fmt.Sprintf("%q is no line of the crib", n), Hint: "the crib has " + strings.Join(CribNames(), ", ")}
		}
		text := c.text
		if c.role != "" {
			a, err := r.address(c)
			if err != nil {
				return "", err
			}
			text = fmt.Sprintf(text, a)
		}
		if len(r.Names) > 1 && strings.Contains(text, " and ") {
			text = "(" + text + ")"
		}
		out = append(out, text)
	}
	if len(out) == 0 {
		return "", &Error{Msg: "no line of the crib named", Hint: "the crib has " + strings.Join(CribNames(), ", ")}
	}
	return strings.Join(out, " or "), nil
}

// A selected service, with the addresses that narrow it.
type selected struct {
	*catalog.Service
	hosts []netip.Addr
	port  uint16 // of a crib line; 0: all of the service's
}

// services resolves names and phase, in the catalog's order.
func (r *Request) services() (want []selected, not []*catalog.Service, err error) {
	c := r.Catalog
	if c == nil {
		c = catalog.Default()
	}
	chosen := make(map[catalog.Index]selected)
	for _, n := range r.Names {
		s := c.ByID(n)
		var only []netip.Addr
		var port uint16
		if crib := cribNamed(n); crib != nil {
			s, port = c.ByID(crib.service), crib.port
			if crib.role != "" {
				a, err := r.address(crib)
				if err != nil {
					return nil, nil, err
				}
				only = []netip.Addr{a}
			}
		}
		if s == nil {
			return nil, nil, unknownService(c, n)
		}
		have, again := chosen[s.Index]
		if again && have.port != port {
			port = 0
		}
		chosen[s.Index] = selected{s, append(have.hosts, only...), port}
	}
	if r.Phase != "" {
		for _, s := range c.ForPhase(r.Phase) {
			if s.On(r.Platform) {
				chosen[s.Index] = selected{s, chosen[s.Index].hosts, 0}
			}
		}
	}
	for _, n := range r.Exclude {
		s := c.ByID(n)
		if crib := cribNamed(n); s == nil && crib != nil {
			s = c.ByID(crib.service)
		}
		if s == nil {
			return nil, nil, unknownService(c, n)
		}
		if _, ok := chosen[s.Index]; ok {
			delete(chosen, s.Index)
			continue
		}
		not = append(not, s)
	}
	for i := range c.Services() {
		s := &c.Services()[i]
		sel, ok := chosen[s.Index]
		if !ok {
			continue
		}
		hosts := sel.hosts
		if len(hosts) == 0 && !unaddressed(s) {
			if slices.Contains(s.To, catalog.Rack) {
				hosts = append(hosts, r.Racks...)
			}
			if slices.Contains(s.To, catalog.Region) {
				hosts = append(hosts, r.Regions...)
			}
		}
		want = append(want, selected{s, hosts, sel.port})
	}
	if len(want) == 0 && (r.Phase != "" || len(r.Names) > 0) {
		return nil, nil, &Error{Msg: "no service is left to filter for"}
	}
	return want, not, nil
}

func unknownService(c *catalog.Catalog, name string) error {
	e := &Error{Msg: fmt.Sprintf("no service or crib line %q", name), Hint: "'pxescope catalog' lists the services; the crib has " + strings.Join(CribNames(), ", ")}
	if near := c.Near(name, CribNames()...); len(near) > 0 {
		e.Hint = "did you mean " + strings.Join(near, " or ") + "? " + e.Hint
	}
	return e
}

// unaddressed services are spoken by machines without an address, or to
// groups: an address would lose them.
func unaddressed(s *catalog.Service) bool {
	switch s.ID {
	case "dhcp", "proxydhcp", "dhcp6", "mtftp", "mdns", "ssdp", "maas-beacon", "wol", "libvirt-dnsmasq", "xcatd-udp":
		return true
	}
	return len(s.Frames) > 0
}

// bulk services carry files: their headers tell what a diagnosis needs.
func bulk(s *catalog.Service) bool {
	switch s.ID {
	case "http", "https", "maas-http-boot", "http-proxy", "nfs", "iscsi", "smb", "rsync", "apt", "snap", "registry", "ironic-images", "smee", "ssh", "warewulf":
		return true
	}
	return false
}
