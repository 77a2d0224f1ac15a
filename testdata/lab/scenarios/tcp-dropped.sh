# shellcheck shell=bash disable=SC2154
#: proves   a firewall drops what goes to the HTTP server
#: needs    dnsmasq-base udhcpc curl
#: takes    20
#: capture  tcp-dropped.pcap
#: node     52:54:00:0a:08:02 stopped http tcp-syn-unanswered
#: finding  error tcp-syn-unanswered 52:54:00:0a:08:02
#: finding  ok dhcp-ok 52:54:00:0a:08:02
#: filter   dhcp http --complete
#: never    tcp-refused blocked-by-firewall arp-no-answer

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host www sw 52:54:00:00:00:06 10.20.0.6/24
  host node sw 52:54:00:0a:08:02
  drop www input tcp dport 80
  capture tcp-dropped.pcap sw
  initramfs node
  client node 12 curl -s http://10.20.0.6/kernel
}
