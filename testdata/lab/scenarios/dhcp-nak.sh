# shellcheck shell=bash disable=SC2154
#: proves   a machine asks for the address of another network, is refused and takes what it is offered
#: needs    isc-dhcp-server isc-dhcp-client
#: takes    14
#: quick
#: capture  dhcp-nak.pcap
#: node     52:54:00:0a:05:01 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:05:01
#: filter   dhcp --complete
#: count    dhcp
#: never    dhcp-nak dhcp-request-unanswered dhcp-no-offer

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:05:01
  isc_dhcpd srv
  foreign_lease
  capture dhcp-nak.pcap sw
  printf 'initial-interval 3;\n' >"$SRV/state/dhclient.conf"
  client node 30 dhclient -4 -d -1 -cf /srv/state/dhclient.conf -lf /srv/state/old -pf /srv/state/pid -sf /bin/true eth0 &
  until_ok 25 log_says "$SRV/state/old" 'fixed-address 10.20' || die 'no lease after the NAK'
}
