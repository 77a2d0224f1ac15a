# shellcheck shell=bash disable=SC2154
#: proves   a relay with option 82, seen from the machine's segment and from the server's: one exchange each, and healthy
#: needs    isc-dhcp-relay isc-dhcp-server udhcpc
#: takes    12
#: quick
#: capture  relay-client-side.pcap
#: node     52:54:00:0a:04:01 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:04:01
#: filter   dhcp --complete
#: count    dhcp
#: never    dhcp-relay-broken dhcp-rogue-server dhcp-several-servers
#: capture  relay-server-side.pcap
#: node     52:54:00:0a:04:01 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:04:01
#: filter   dhcp --complete
#: count    dhcp
#: never    dhcp-relay-broken dhcp-rogue-server dhcp-several-servers

scenario() {
  relayed_segments
  isc_dhcpd srv
  capture relay-client-side.pcap sw
  capture relay-server-side.pcap core
  relay_agent
  lease node 20
  sleep 2
}
