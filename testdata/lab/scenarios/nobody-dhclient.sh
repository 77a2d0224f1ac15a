# shellcheck shell=bash disable=SC2154
#: proves   dhclient that hears no DHCP server
#: needs    isc-dhcp-client
#: takes    38
#: capture  nobody-dhclient.pcap
#: node     52:54:00:0a:01:03 stopped dhcp dhcp-no-offer
#: finding  error dhcp-no-offer 52:54:00:0a:01:03
#: filter   dhcp --complete

scenario() {
  segment sw
  host node sw 52:54:00:0a:01:03
  capture nobody-dhclient.pcap sw
  life sw
  # Without the cut-off its random gaps may leave two DISCOVERs in this time.
  printf 'timeout 28;\ninitial-interval 3;\nbackoff-cutoff 6;\n' >"$SRV/state/dhclient.conf"
  client node 40 dhclient -4 -d -1 -cf /srv/state/dhclient.conf -lf /srv/state/leases -pf /srv/state/pid -sf /bin/true eth0
  sleep 6
}
