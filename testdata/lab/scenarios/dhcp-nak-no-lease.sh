# shellcheck shell=bash disable=SC2154
#: proves   a machine's request is refused, and the server that refused it offers nothing: it serves known machines only
#: needs    isc-dhcp-server isc-dhcp-client
#: takes    45
#: capture  dhcp-nak-no-lease.pcap
#: node     52:54:00:0a:05:06 stopped dhcp dhcp-nak
#: finding  error dhcp-nak 52:54:00:0a:05:06
#: filter   dhcp --complete
#: may      dhcp-no-offer
#: never    dhcp-request-unanswered dhcp-pool-exhausted

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:05:06
  ISC_POOL='deny unknown-clients;' isc_dhcpd srv
  foreign_lease
  capture dhcp-nak-no-lease.pcap sw
  life sw
  printf 'initial-interval 3;\nbackoff-cutoff 6;\ntimeout 30;\n' >"$SRV/state/dhclient.conf"
  client node 36 dhclient -4 -d -1 -cf /srv/state/dhclient.conf -lf /srv/state/old -pf /srv/state/pid -sf /bin/true eth0
  sleep 6
}
