# shellcheck shell=bash disable=SC2154
#: proves   the initramfs's ipconfig (klibc) that hears no DHCP server
#: needs    klibc-utils
#: takes    33
#: capture  nobody-klibc.pcap
#: node     52:54:00:0a:01:04 stopped dhcp dhcp-no-offer
#: finding  error dhcp-no-offer 52:54:00:0a:01:04
#: filter   dhcp --complete

scenario() {
  segment sw
  host node sw 52:54:00:0a:01:04
  capture nobody-klibc.pcap sw
  life sw
  client node 40 /usr/lib/klibc/bin/ipconfig -t 24 -c dhcp eth0
  sleep 6
}
