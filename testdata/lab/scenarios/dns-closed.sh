# shellcheck shell=bash disable=SC2154
#: proves   no name server runs: ICMP port unreachable, which is the name server's own word and no firewall's
#: needs    dnsmasq-base udhcpc bind9-dnsutils
#: takes    5
#: capture  dns-closed.pcap
#: node     52:54:00:0a:09:12 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:12
#: counts   dns.queries 3
#: counts   dns.unanswered 3
#: service  icmp
#: filter   dhcp dns --complete
#: later    error dns-no-answer 52:54:00:0a:09:12
#: never    blocked-by-firewall

scenario() {
  node_segment 52:54:00:0a:09:12
  capture dns-closed.pcap sw
  initramfs node
  client node 12 dig +tries=3 +time=3 @10.20.0.6 boot.internal
  sleep 1
}
