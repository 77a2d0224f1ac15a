# shellcheck shell=bash disable=SC2154
#: proves   nothing listens on the HTTP server's port
#: needs    dnsmasq-base udhcpc curl
#: takes    14
#: capture  tcp-refused.pcap
#: node     52:54:00:0a:08:01 stopped http tcp-refused
#: finding  error tcp-refused 52:54:00:0a:08:01
#: finding  ok dhcp-ok 52:54:00:0a:08:01
#: filter   dhcp http --complete
#: count    dhcp http arp
#: never    tcp-syn-unanswered blocked-by-firewall arp-no-answer

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host www sw 52:54:00:00:00:06 10.20.0.6/24
  host node sw 52:54:00:0a:08:01
  capture tcp-refused.pcap sw
  initramfs node
  client node 12 curl -s --retry 3 --retry-connrefused --retry-delay 1 http://10.20.0.6/kernel
}
