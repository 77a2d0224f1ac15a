# shellcheck shell=bash disable=SC2154
#: proves   a pool of one address: the first machine gets it, two others get nothing
#: needs    dnsmasq-base udhcpc
#: takes    30
#: capture  dhcp-pool-empty.pcap
#: node     52:54:00:0a:05:03 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:05:03
#: node     52:54:00:0a:05:04 stopped dhcp dhcp-no-offer
#: node     52:54:00:0a:05:05 stopped dhcp dhcp-no-offer
#: finding  error dhcp-pool-exhausted
#: finding  error dhcp-no-offer 52:54:00:0a:05:04
#: finding  error dhcp-no-offer 52:54:00:0a:05:05
#: filter   dhcp --complete

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host first sw 52:54:00:0a:05:03
  host second sw 52:54:00:0a:05:04
  host third sw 52:54:00:0a:05:05
  capture dhcp-pool-empty.pcap sw
  life sw
  dnsmasq srv --no-ping --dhcp-range=10.20.0.100,10.20.0.100,255.255.255.0,30m
  lease first 10
  lease second 20 -t 5 -T 3 &
  lease third 20 -t 5 -T 3
  sleep 10
}
