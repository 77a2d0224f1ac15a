# shellcheck shell=bash disable=SC2154
#: proves   names are looked up at dnsmasq, in UDP and TCP
#: needs    dnsmasq-base udhcpc bind9-dnsutils
#: takes    6
#: quick
#: capture  dns.pcap
#: node     52:54:00:0a:09:11 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:11
#: counts   dns.queries 3
#: counts   dns.unanswered 0
#: counts   tcp.connections 1
#: filter   dhcp dns --complete
#: filter   dhcp leaves dns arp
#: count    dhcp dns arp

scenario() {
  node_segment 52:54:00:0a:09:11
  capture dns.pcap sw
  name_server www
  initramfs node
  client node 5 dig @10.20.0.6 boot.internal || die "no answer over UDP"
  client node 5 dig +tcp @10.20.0.6 boot.internal || die "no answer over TCP"
  client node 5 dig @10.20.0.6 other.internal
}
