# shellcheck shell=bash disable=SC2154
#: proves   a firewall drops what goes to the name server: three queries, no reply, no ICMP
#: needs    dnsmasq-base udhcpc bind9-dnsutils
#: takes    20
#: capture  dns-dropped.pcap
#: node     52:54:00:0a:09:18 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:18
#: counts   dns.queries 3
#: counts   dns.unanswered 3
#: filter   dhcp dns --complete
#: count    dhcp dns arp
#: later    error dns-no-answer 52:54:00:0a:09:18
#: never    blocked-by-firewall arp-no-answer

scenario() {
  node_segment 52:54:00:0a:09:18
  name_server www
  drop www input udp dport 53
  capture dns-dropped.pcap sw
  life sw
  initramfs node
  client node 15 dig +tries=3 +time=3 @10.20.0.6 boot.internal
  sleep 6
}
