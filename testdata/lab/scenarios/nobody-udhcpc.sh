# shellcheck shell=bash disable=SC2154
#: proves   udhcpc that hears no DHCP server
#: needs    udhcpc
#: takes    22
#: capture  nobody-udhcpc.pcap
#: node     52:54:00:0a:01:02 stopped dhcp dhcp-no-offer
#: finding  error dhcp-no-offer 52:54:00:0a:01:02
#: filter   dhcp --complete

scenario() {
  segment sw
  host node sw 52:54:00:0a:01:02
  capture nobody-udhcpc.pcap sw
  life sw
  lease node 30 -t 5 -T 3
  sleep 6
}
