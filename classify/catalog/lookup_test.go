package catalog

import "testing"

func TestLookup(t *testing.T) {
	c := Default()
	const tcp, udp = uint8(TCP), uint8(UDP)
	for _, tt := range []struct {
		name     string
		proto    uint8
		src, dst uint16
		want     string // service id, empty for none
		toServer bool
	}{
		{"dhcp request", udp, 68, 67, "dhcp", true},
		{"dhcp reply", udp, 67, 68, "dhcp", false},
		{"dhcp relay", udp, 67, 67, "dhcp", true},
		{"dhcp reply from a wrong port", udp, 387, 68, "dhcp", false},
		{"dhcp from a client to a wrong port", udp, 68, 6700, "dhcp", true},
		{"dhcp renewal through NAT", udp, 40000, 67, "dhcp", true},
		{"binl from 4011", udp, 4011, 4011, "proxydhcp", true},
		{"binl from 68", udp, 68, 4011, "proxydhcp", true},
		{"binl reply to 68", udp, 4011, 68, "proxydhcp", false},
		{"dhcp6 request", udp, 546, 547, "dhcp6", true},
		{"dhcp6 reply", udp, 547, 546, "dhcp6", false},
		{"dhcp6 relay", udp, 547, 547, "dhcp6", true},
		{"tftp request", udp, 2070, 69, "tftp", true},
		{"tftp request from a port of the catalog", udp, 3001, 69, "tftp", true},
		{"tftp answer of a single-port server", udp, 69, 3001, "tftp", false},
		{"tftp data", udp, 40001, 2070, "", false},
		{"ntp between peers", udp, 123, 123, "ntp", true},
		{"ntp reply", udp, 123, 50000, "ntp", false},
		{"dns reply to a port of the catalog", udp, 53, 5353, "dns", false},
		{"findme", udp, 301, 3001, "xcatd-udp", true},
		{"xcatd calls back", tcp, 45000, 300, "xcat-credentials", true},
		{"beacon", udp, 5240, 5240, "maas-beacon", true},
		{"region rpc, last port", tcp, 40000, 5259, "maas-rpc", true},
		{"behind the last rpc port", tcp, 40000, 5260, "", false},
		{"boot from the rack", tcp, 1031, 5248, "maas-http-boot", true},
		{"rsh", tcp, 1023, 514, "rsh", true},
		{"rsh reply", tcp, 514, 1023, "rsh", false},
		{"rsh, first port", tcp, 1, 514, "rsh", true},
		{"rsh client on the port of rsync", tcp, 873, 514, "rsh", true},
		{"rsh reply to the port of rsync", tcp, 514, 873, "rsh", false},
		{"rsyslogd", tcp, 1024, 514, "syslog", true},
		{"rsyslogd reply", tcp, 514, 1024, "syslog", false},
		{"syslog over udp from a low port", udp, 514, 514, "syslog", true},
		{"nfs from a reserved port", tcp, 782, 2049, "nfs", true},
		{"nfs reply to a reserved port", tcp, 2049, 782, "nfs", false},
		{"nfs reply to the port of rmc", tcp, 2049, 657, "nfs", false},
		{"nfs over udp to the port of ipmi", udp, 2049, 623, "nfs", false},
		{"portmap reply to the port of ipmi", udp, 111, 664, "portmap", false},
		{"mountd on Linux", udp, 20048, 873, "rpc-mount", false},
		{"udp rsync is an rpc client", udp, 873, 34567, "", false},
		{"tcp ipmi is an rpc client", tcp, 623, 34567, "", false},
		{"listed for firewalls: tcp dhcp", tcp, 40000, 67, "dhcp", true},
		{"listed for firewalls: tcp tftp", tcp, 40000, 69, "tftp", true},
		{"listed for firewalls: tcp pxe", tcp, 40000, 4011, "proxydhcp", true},
		{"a listed port yields", tcp, 4011, 5248, "maas-http-boot", true},
		{"and in the reply", tcp, 5248, 4011, "maas-http-boot", false},
		{"port zero", tcp, 0, 0, "", false},
		{"no service", udp, 33000, 34000, "", false},
		{"sctp", 132, 80, 80, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i, toServer := c.Lookup(tt.proto, tt.src, tt.dst)
			got := ""
			if s := c.At(i); s != nil {
				got = s.ID
			}
			if got != tt.want || toServer != tt.toServer {
				t.Errorf("Lookup(%d, %d, %d): got %q toServer %v, want %q %v", tt.proto, tt.src, tt.dst, got, toServer, tt.want, tt.toServer)
			}
		})
	}
}

func TestPort(t *testing.T) {
	for _, tt := range []struct {
		proto    Proto
		src, dst uint16
		want     uint16
	}{
		{UDP, 68, 67, 67},
		{UDP, 67, 68, 67},
		{UDP, 387, 68, 68},
		{TCP, 2049, 782, 2049},
		{TCP, 782, 2049, 2049},
		{TCP, 5255, 40000, 5255},
		{UDP, 40000, 40001, 0},
		{132, 80, 80, 0},
	} {
		if got := Default().Port(uint8(tt.proto), tt.src, tt.dst); got != tt.want {
			t.Errorf("%s %d -> %d: got port %d, want %d", tt.proto, tt.src, tt.dst, got, tt.want)
		}
	}
}
