# shellcheck shell=bash disable=SC2154
#: proves   the address of a lease is in use by another host: the machine declines it
#: needs    dnsmasq-base udhcpc
#: takes    20
#: capture  dhcp-decline.pcap
#: node     52:54:00:0a:05:02 stopped dhcp duplicate-address
#: finding  error duplicate-address
#: filter   dhcp --complete
#: never    dhcp-no-offer dhcp-request-unanswered

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host squatter sw 52:54:00:77:00:01 10.20.0.100/24
  host node sw 52:54:00:0a:05:02
  capture dhcp-decline.pcap sw
  dnsmasq srv --no-ping --dhcp-range=10.20.0.100,10.20.0.101,255.255.255.0,30m --dhcp-host=52:54:00:0a:05:02,10.20.0.100
  lease node 14 -a -t 3
  sleep 2
}
