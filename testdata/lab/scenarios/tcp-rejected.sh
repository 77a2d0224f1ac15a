# shellcheck shell=bash disable=SC2154
#: proves   a firewall rejects what goes to the HTTP server: ICMP administratively prohibited
#: needs    dnsmasq-base udhcpc curl
#: takes    14
#: capture  tcp-rejected.pcap
#: node     52:54:00:0a:08:03 stopped http blocked-by-firewall
#: finding  error blocked-by-firewall 52:54:00:0a:08:03
#: finding  ok dhcp-ok 52:54:00:0a:08:03
#: filter   dhcp http --complete
#: may      tcp-syn-unanswered
#: never    tcp-refused arp-no-answer

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host www sw 52:54:00:00:00:06 10.20.0.6/24
  host node sw 52:54:00:0a:08:03
  drop www input tcp dport 80 reject with icmp type admin-prohibited
  capture tcp-rejected.pcap sw
  initramfs node
  client node 12 curl -s --retry 2 --retry-delay 1 --retry-all-errors http://10.20.0.6/kernel
}
