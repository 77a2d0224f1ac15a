package catalog

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rowOf is the one row of a document with a name, protocol and source range.
func rowOf(t *testing.T, source, name, protocol string) Row {
	t.Helper()
	var found []Row
	for _, r := range Default().Entries("", "") {
		if r.Source == source && r.Name == name && (protocol == "" || r.Protocol == protocol) {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("rows %q %q of %s: got %d, want 1", name, protocol, source, len(found))
	}
	return found[0]
}

// Every place where a seed misleads is corrected beside the row, and the
// service that the row belongs to does what the correction says.
func TestCorrections(t *testing.T) {
	const firewallOnly = "listed for firewalls, not expected on the wire"
	for _, tt := range []struct {
		source, name, protocol string
		service                string
		says                   string // in the correction
	}{
		{SeedXCAT, "rpc-mount", "[udp]_", "rpc-mount", "RPC program number"},
		{SeedXCAT, "mount-tcp", "tcp", "rpc-mount", "learnt from portmap replies"},
		{SeedXCAT, "mount-udp", "udp", "rpc-mount", "learnt from portmap replies"},
		{SeedXCAT, "pxe", "tcp", "proxydhcp", "on the wire: udp"},
		{SeedXCAT, "bootps", "udp", "dhcp", "all of DHCP"},
		{SeedXCAT, "bootpc", "udp", "dhcp", "DHCP"},
		{SeedXCAT, "dhcp", "tcp", "dhcp", firewallOnly},
		{SeedXCAT, "dhcpc", "tcp", "dhcp", firewallOnly},
		{SeedXCAT, "tftp-tcp", "tcp", "tftp", firewallOnly},
		{SeedXCAT, "www-udp", "udp", "http", firewallOnly},
		{SeedXCAT, "ssh-udp", "udp", "ssh", firewallOnly},
		{SeedXCAT, "rsync", "udp", "rsync", firewallOnly},
		{SeedXCAT, "xcatiport", "udp", "xcat-monitor", firewallOnly},
		{SeedXCAT, "ipmi", "tcp", "ipmi", firewallOnly},
		{SeedXCAT, "snmp", "tcp", "snmp", firewallOnly},
		{SeedXCAT, "snmptrap", "tcp", "snmp-trap", firewallOnly},
		{SeedXCAT, "tftp-udp", "udp", "tftp", "new server port"},
		{SeedXCAT, "sunrpc-udp", "udp", "portmap", "tcp 111"},
		{SeedXCAT, "shell", "tcp", "rsh", "source port"},
		{SeedXCAT, "rsyslogd", "tcp", "syslog", "source port"},
		{SeedXCAT, "xcatdport", "tcp", "xcatd", "both ways"},
		{SeedXCAT, "xcatiport", "tcp", "xcat-monitor", "3001 over TLS"},
		{SeedXCAT, "awk", "tcp", "xcat-credentials", "to the node"},
		{SeedMAAS, "DHCP Discover/Offer", "", "dhcp", "siaddr"},
		{SeedMAAS, "TFTP (legacy PXE)", "", "tftp", "new port"},
		{SeedMAAS, "HTTP boot / images", "", "http", "5248"},
		{SeedMAAS, "HTTP boot / images", "", "http", "5249"},
		{SeedMAAS, "MAAS API / metadata", "", "maas-region", "5250-5259"},
		{SeedMAAS, "WebSocket / Stream (internal)", "", "maas-region", "5250-5259"},
		{SeedMAAS, "Proxy (HTTP/S)", "", "http-proxy", "8000"},
		{SeedMAAS, "Syslog / Rsyslog (optional)", "", "syslog", "5247"},
	} {
		t.Run(tt.name+" "+tt.protocol, func(t *testing.T) {
			r := rowOf(t, tt.source, tt.name, tt.protocol)
			if r.Service != tt.service {
				t.Errorf("service: got %q, want %q", r.Service, tt.service)
			}
			if !strings.Contains(r.Correction, tt.says) || r.Reference == "" {
				t.Errorf("correction: got %q (%q), want one with %q and a reference", r.Correction, r.Reference, tt.says)
			}
			if tt.says != firewallOnly {
				return
			}
			proto := uint8(TCP)
			if tt.protocol == "udp" {
				proto = uint8(UDP)
			}
			port, err := strconv.ParseUint(r.Port, 10, 16)
			if err != nil {
				t.Fatal(err)
			}
			if p, ok := Default().ByID(tt.service).Claim(proto, uint16(port)); !ok || p.Use != Listed {
				t.Errorf("claim on %s/%s: got %v %v, want it listed", tt.protocol, r.Port, p.Use, ok)
			}
		})
	}
}

// What both seeds miss has an entry of our own.
func TestOwnEntries(t *testing.T) {
	c := Default()
	for _, id := range []string{
		"dhcp6", "icmpv6-ra", "mdns", "nlm", "nsm", "maas-http-boot", "maas-rpc", "maas-internal", "maas-metrics", "maas-beacon",
		"omapi", "dhcp-failover", "mtftp", "ironic", "ironic-agent", "cobbler", "foreman-proxy", "smee", "warewulf", "lldp",
	} {
		s := c.ByID(id)
		if s == nil {
			t.Errorf("service %q is missing", id)
			continue
		}
		for _, r := range s.Rows {
			if r.Source != Own || r.Reference == "" || r.Number == 0 {
				t.Errorf("%s: row %q: got source %q, number %d, reference %q, want ours with both", id, r.Name, r.Source, r.Number, r.Reference)
			}
		}
	}
	if _, ok := c.ByID("portmap").Claim(uint8(TCP), 111); !ok {
		t.Error("portmap does not claim tcp/111")
	}
}

var slugs = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// TestServices holds every literal to the conventions of the table.
func TestServices(t *testing.T) {
	c := Default()
	sections := map[string]Phase{
		maasCore: Provisioning, maasDay2: Day2, maasPower: Power, maasVirtual: Virtualization, maasEnterprise: Enterprise,
	}
	for i, s := range c.Services() {
		t.Run(s.ID, func(t *testing.T) {
			if s.Index != Index(i+1) || c.ByID(s.ID) != c.At(s.Index) {
				t.Errorf("index: got %d, want %d and the same service by id", s.Index, i+1)
			}
			if !slugs.MatchString(s.ID) || s.Name == "" || s.Answer == "" {
				t.Errorf("id %q, name %q, answer %q: want a slug and both others", s.ID, s.Name, s.Answer)
			}
			for _, p := range append([]Phase{s.Phase}, s.Also...) {
				if !slices.Contains(Phases(), p) {
					t.Errorf("phase %q is none", p)
				}
			}
			for _, r := range append(slices.Clone(s.From), s.To...) {
				if !slices.Contains(Roles(), r) {
					t.Errorf("role %q is none", r)
				}
			}
			if len(s.Platforms) == 0 || len(s.Rows) == 0 {
				t.Errorf("platforms %v, %d rows: want some of both", s.Platforms, len(s.Rows))
			}
			if len(s.Ports)+len(s.Programs)+len(s.Frames) == 0 {
				t.Error("nothing would ever be classified as this")
			}
			for _, r := range s.Rows {
				if r.Service != s.ID || r.Phase != s.Phase {
					t.Errorf("row %q: got service %q, phase %q", r.Name, r.Service, r.Phase)
				}
				if !s.On(r.Platform) {
					t.Errorf("row %q is of %s, its service is not", r.Name, r.Platform)
				}
				if p, ok := sections[r.Section]; r.Source == SeedMAAS && (!ok || !s.In(p)) {
					t.Errorf("row %q stands under %q: want the service in phase %q", r.Name, r.Section, p)
				}
				fromTo(t, &s, r)
			}
			documented(t, &s)
		})
	}
}

// fromTo checks a row's arrow against the service's roles.
func fromTo(t *testing.T, s *Service, r Row) {
	t.Helper()
	from, to, ok := strings.Cut(r.Direction, " → ")
	if !ok {
		if r.Direction != "" {
			t.Errorf("row %q: direction %q has no arrow", r.Name, r.Direction)
		}
		return
	}
	known := func(side string, roles []Role) {
		side = strings.TrimPrefix(strings.TrimSuffix(side, " host"), "maas/")
		for _, word := range strings.Split(side, "/") {
			role := Role(word)
			switch word {
			case "any", "vlan", "router", "libvirtd", "lxd", "snap store", "switch":
				continue // not a role, or a product's name for one
			}
			// The seed's libvirt row names who offers, not who asks.
			if s.ID != "libvirt-dnsmasq" && !slices.Contains(roles, role) {
				t.Errorf("row %q: %q of %q is not in %v", r.Name, word, r.Direction, roles)
			}
		}
	}
	known(from, s.From)
	known(to, s.To)
}

// documented checks that each claim on a port stands in a row and each row's
// ports are claimed, protocol by protocol.
func documented(t *testing.T, s *Service) {
	t.Helper()
	want := make(map[string]bool)
	for _, r := range s.Rows {
		protocols := map[string][]string{
			"tcp": {"tcp"}, "udp": {"udp"}, "udp/tcp": {"udp", "tcp"}, "https": {"tcp"}, "http/https": {"tcp"},
		}[strings.ToLower(r.Protocol)]
		if r.Port == "100005" || r.Port == "[na]_" {
			if !slices.Contains(s.Programs, 100005) {
				t.Errorf("row %q: program 100005 is not claimed", r.Name)
			}
			continue
		}
		for _, port := range strings.Split(strings.TrimSuffix(r.Port, "(default)"), ",") {
			for _, p := range protocols {
				if port != "" {
					want[p+"/"+port] = true
				}
			}
		}
	}
	for _, p := range s.Ports {
		if !want[p.String()] {
			t.Errorf("%s stands in no row", p)
		}
		delete(want, p.String())
	}
	for w := range want {
		t.Errorf("%s of a row is not claimed", w)
	}
}

// TestOwners fails when two services claim one port and nothing says which of
// them a packet belongs to.
func TestOwners(t *testing.T) {
	c := Default()
	owners := make(map[string][]string)
	for _, s := range c.Services() {
		for _, p := range s.Ports {
			for n := int(p.First); n <= int(p.Last); n++ {
				key := p.Proto.String() + "/" + strconv.Itoa(n)
				if p.Use != Shared {
					owners[key] = append(owners[key], s.ID)
				} else if _, ok := owners[key]; !ok {
					owners[key] = nil // must be filled by another
				}
			}
		}
	}
	for key, ids := range owners {
		if key == "tcp/514" { // the one port that source ports decide
			if len(ids) != 2 {
				t.Errorf("%s: got %v, want syslog and rsh", key, ids)
			}
			continue
		}
		if len(ids) != 1 {
			t.Errorf("%s: owners %v, want exactly one", key, ids)
		}
	}
	if got := len(c.Splits()); got != 1 {
		t.Errorf("splits: got %d, want 1", got)
	}
}

// TestIDs holds service ids against the committed list: they stand in people's
// filters and tickets, so the list only grows.
func TestIDs(t *testing.T) {
	b, err := os.ReadFile("testdata/ids.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(b))
	for _, id := range want {
		if Default().ByID(id) == nil {
			t.Errorf("service %q is gone: ids are never removed or renamed", id)
		}
	}
	for _, s := range Default().Services() {
		if !slices.Contains(want, s.ID) {
			t.Errorf("service %q is not in testdata/ids.txt: add it", s.ID)
		}
	}
	if !slices.IsSorted(want) || len(slices.Compact(want)) != len(want) {
		t.Error("testdata/ids.txt is not sorted without repeats")
	}
}

func TestByProgram(t *testing.T) {
	for program, want := range map[uint32]string{
		100000: "portmap", 100003: "nfs", 100005: "rpc-mount", 100021: "nlm", 100024: "nsm", 100227: "nfs",
	} {
		if s := Default().At(Default().ByProgram(program)); s == nil || s.ID != want {
			t.Errorf("program %d: got %v, want %q", program, s, want)
		}
	}
	if i := Default().ByProgram(67); i != None {
		t.Errorf("program 67: got %d, want none", i)
	}
}

func TestSelections(t *testing.T) {
	c := Default()
	ids := func(services []*Service) []string {
		var out []string
		for _, s := range services {
			out = append(out, s.ID)
		}
		return out
	}
	for _, tt := range []struct {
		name     string
		got      []string
		has, not []string
	}{
		{"provisioning", ids(c.ForPhase(Provisioning)), []string{"dhcp", "proxydhcp", "tftp", "http", "maas-http-boot", "xcatd", "portmap", "rpc-mount", "nfs", "syslog", "icmpv6-ra"}, []string{"ipmi", "ssh", "lxd", "ldap"}},
		{"day2", ids(c.ForPhase(Day2)), []string{"apt", "snap", "ssh", "syslog"}, []string{"dhcp"}},
		{"power", ids(c.ForPhase(Power)), []string{"ipmi", "redfish", "bmc-web", "snmp"}, []string{"https"}},
		{"virtualization", ids(c.ForPhase(Virtualization)), []string{"lxd", "libvirt", "libvirt-dnsmasq"}, []string{"dhcp"}},
		{"enterprise", ids(c.ForPhase(Enterprise)), []string{"ldap", "http-proxy", "registry"}, []string{"http"}},
		{"monitoring", ids(c.ForPhase(Monitoring)), []string{"snmp", "snmp-trap", "rmc"}, []string{"ipmi"}},
		{"maas", ids(c.ForPlatform(MAAS)), []string{"dhcp", "maas-rpc", "dhcp6", "lxd"}, []string{"xcatd", "nfs", "ironic"}},
		{"xcat", ids(c.ForPlatform(XCAT)), []string{"dhcp", "xcatd", "nfs", "dhcp6"}, []string{"maas-rpc", "lxd", "ironic"}},
	} {
		for _, id := range tt.has {
			if !slices.Contains(tt.got, id) {
				t.Errorf("%s: %q is missing from %v", tt.name, id, tt.got)
			}
		}
		for _, id := range tt.not {
			if slices.Contains(tt.got, id) {
				t.Errorf("%s: got %q", tt.name, id)
			}
		}
	}
	if got := len(c.ForPlatform(AllPlatforms)); got != c.Len() {
		t.Errorf("all platforms: got %d services, want %d", got, c.Len())
	}
	if got, want := c.Platforms(), []Platform{Cobbler, Foreman, Ironic, MAAS, Tinkerbell, Warewulf, XCAT}; !slices.Equal(got, want) {
		t.Errorf("platforms: got %v, want %v", got, want)
	}
}

func TestEntries(t *testing.T) {
	c := Default()
	for _, r := range c.Entries("", MAAS) {
		if r.Platform != MAAS && r.Platform != Generic {
			t.Errorf("row %q of %s among those of maas", r.Name, r.Platform)
		}
	}
	if got := len(c.Entries(Power, MAAS)); got < 4 {
		t.Errorf("power rows of maas: got %d, want IPMI, Redfish, the web UI and ours", got)
	}
	r := rowOf(t, SeedXCAT, "rpc-mount", "")
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	cells := r.Cells()
	if len(fields) != len(Columns()) || len(cells) != len(Columns()) {
		t.Errorf("got %d JSON fields, %d cells, %d columns, want the same", len(fields), len(cells), len(Columns()))
	}
	for i, name := range Columns() {
		v, ok := fields[name]
		if n, isNumber := v.(float64); isNumber {
			v = strconv.Itoa(int(n))
		}
		if !ok || v != cells[i] {
			t.Errorf("column %q: got cell %q, JSON %v", name, cells[i], v)
		}
	}
}

func TestServiceJSON(t *testing.T) {
	b, err := json.Marshal(Default().ByID("rsh"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"id":"rsh"`, `"phase":"day2"`, `"platforms":["xcat"]`,
		`"ports":[{"proto":"tcp","first":514,"last":514,"use":"server"}]`, `"client_ports":{"first":1,"last":1023}`, `"answer":"yes"`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("JSON of rsh: got %s, want %s in it", b, want)
		}
	}
}
