# shellcheck shell=bash disable=SC2154
#: proves   the server serves known machines only and says nothing to this one
#: needs    isc-dhcp-server udhcpc
#: takes    26
#: capture  dhcp-unknown-host.pcap
#: node     52:54:00:0a:05:09 stopped dhcp dhcp-no-offer
#: finding  error dhcp-no-offer 52:54:00:0a:05:09
#: filter   dhcp --complete
#: never    dhcp-pool-exhausted dhcp-offer-ignored

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:05:09
  ISC_POOL="deny unknown-clients;" isc_dhcpd srv
  capture dhcp-unknown-host.pcap sw
  life sw
  lease node 30 -t 5 -T 3
  sleep 6
}
