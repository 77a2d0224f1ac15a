# shellcheck shell=bash disable=SC2154
#: proves   IPMI over LAN is asked at an address that has none: ICMP port unreachable, the machine's own word
#: needs    dnsmasq-base udhcpc ipmitool
#: takes    12
#: capture  ipmi-closed.pcap
#: node     52:54:00:0a:09:1b booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:1b
#: service  ipmi icmp
#: filter   dhcp ipmi --complete
#: later    error ipmi-no-answer 52:54:00:0a:09:1b
#: never    ipmi-auth-failed blocked-by-firewall

scenario() {
  node_segment 52:54:00:0a:09:1b
  capture ipmi-closed.pcap sw
  life sw
  initramfs node
  client node 10 ipmitool -I lanplus -R 3 -N 1 -H 10.20.0.6 -U admin -P secret mc info && die "there is a BMC"
  sleep 6
}
