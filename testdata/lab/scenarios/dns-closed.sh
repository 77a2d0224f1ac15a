# shellcheck shell=bash disable=SC2154
#: proves   no name server runs: ICMP port unreachable, which is the name server's own word and no firewall's
#: needs    dnsmasq-base udhcpc bind9-dnsutils
#: takes    20
#: capture  dns-closed.pcap
#: node     52:54:00:0a:09:12 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:12
#: may      dns-no-answer
#: never    blocked-by-firewall

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host www sw 52:54:00:00:00:06 10.20.0.6/24
  host node sw 52:54:00:0a:09:12
  capture dns-closed.pcap sw
  initramfs node
  client node 12 dig +tries=3 +time=3 @10.20.0.6 boot.internal
  sleep 1
}
