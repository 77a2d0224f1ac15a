# shellcheck shell=bash disable=SC2154
#: proves   the gateway of the lease does not exist: nobody answers ARP
#: needs    dnsmasq-base udhcpc curl
#: takes    16
#: capture  arp-unanswered.pcap
#: node     52:54:00:0a:08:04 stopped dhcp arp-no-answer
#: finding  error arp-no-answer 52:54:00:0a:08:04
#: finding  ok dhcp-ok 52:54:00:0a:08:04
#: filter   dhcp --complete
#: never    tcp-syn-unanswered tcp-refused

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host www sw 52:54:00:00:00:06 10.20.0.6/24
  host node sw 52:54:00:0a:08:04
  capture arp-unanswered.pcap sw
  life sw
  initramfs node 10.20.0.1
  client node 12 curl -s --retry 2 --retry-delay 1 --retry-all-errors http://10.40.0.6/kernel
  sleep 2
}
