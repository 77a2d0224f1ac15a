package catalog

import (
	"slices"
	"testing"
)

func TestRefine(t *testing.T) {
	c := Default()
	for _, tt := range []struct {
		name           string
		proto          Proto
		port           uint16
		client, server Role
		want           string
	}{
		{"nothing known", TCP, 443, NoRole, NoRole, "https"},
		{"a client alone decides nothing", TCP, 443, Admin, NoRole, "https"},
		{"node at the rack", TCP, 443, Node, Rack, "https"},
		{"rack at a BMC", TCP, 443, Rack, BMC, "redfish"},
		{"someone at a BMC", TCP, 443, NoRole, BMC, "redfish"},
		{"administrator at a BMC", TCP, 443, Admin, BMC, "bmc-web"},
		{"administrator at a BMC, plain", TCP, 80, Admin, BMC, "bmc-web"},
		{"node at a BMC, plain", TCP, 80, Node, BMC, "bmc-web"},
		{"node at a mirror", TCP, 80, Node, Mirror, "apt"},
		{"node at the rack, plain", TCP, 80, Node, Rack, "http"},
		{"virtual host that serves DHCP", UDP, 67, Node, Host, "libvirt-dnsmasq"},
		{"rack that serves DHCP", UDP, 67, Node, Rack, "dhcp"},
		{"LXD host", TCP, 8443, Rack, Host, "lxd"},
		{"smart proxy on LXD's port", TCP, 8443, Node, Rack, "foreman-proxy"},
		{"a role that fits nothing", TCP, 443, Node, LogSrv, "https"},
		{"a port of one service", TCP, 22, Admin, BMC, "ssh"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i, _ := c.Lookup(uint8(tt.proto), 40000, tt.port)
			if got := c.At(c.Refine(i, uint8(tt.proto), tt.port, tt.client, tt.server)).ID; got != tt.want {
				t.Errorf("%s/%d from %q to %q: got %q, want %q", tt.proto, tt.port, tt.client, tt.server, got, tt.want)
			}
		})
	}
}

func TestAlternatives(t *testing.T) {
	c := Default()
	for _, tt := range []struct {
		proto Proto
		port  uint16
		want  []string
	}{
		{TCP, 80, []string{"http", "bmc-web", "apt"}},
		{TCP, 443, []string{"https", "redfish", "bmc-web", "apt", "snap"}},
		{TCP, 514, []string{"syslog", "rsh"}},
		{UDP, 67, []string{"dhcp", "libvirt-dnsmasq"}},
		{UDP, 69, []string{"tftp"}},
		{UDP, 40000, nil},
	} {
		var got []string
		for _, i := range c.Alternatives(uint8(tt.proto), tt.port) {
			got = append(got, c.At(i).ID)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s/%d: got %v, want %v", tt.proto, tt.port, got, tt.want)
		}
	}
}

func TestAgainst(t *testing.T) {
	for _, tt := range []struct {
		id             string
		client, server Role
		want           bool
	}{
		{"maas-rpc", Rack, Region, false},
		{"maas-rpc", Region, Rack, true},
		{"maas-region", Node, Region, false},
		{"maas-region", Region, Node, true},
		{"xcatd", Rack, Node, false}, // discovery calls back
		{"ipmi", BMC, Rack, true},
		{"ipmi", Node, BMC, false}, // not the row's direction, but not its reverse
		{"http", Rack, Rack, false},
		{"http", NoRole, Rack, false},
		{"http", Node, NoRole, false},
	} {
		if got := Default().ByID(tt.id).Against(tt.client, tt.server); got != tt.want {
			t.Errorf("%s from %q to %q: got %v, want %v", tt.id, tt.client, tt.server, got, tt.want)
		}
	}
}

func TestLookupFrames(t *testing.T) {
	c := Default()
	for _, tt := range []struct {
		got  Index
		want string
	}{
		{c.LookupEther(0x0806), "arp"},
		{c.LookupEther(0x88cc), "lldp"},
		{c.LookupEther(0x8809), "lacp"},
		{c.LookupEther(0x888e), "eapol"},
		{c.LookupEther(0x0800), ""},
		{c.LookupEther(0), ""},
		{c.LookupICMP(1, 3), "icmp"},
		{c.LookupICMP(58, 134), "icmpv6-ra"},
		{c.LookupICMP(58, 135), "icmpv6"},
		{c.LookupICMP(0, 0), ""},
	} {
		got := ""
		if s := c.At(tt.got); s != nil {
			got = s.ID
		}
		if got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
