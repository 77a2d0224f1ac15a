# shellcheck shell=bash disable=SC2154
#: proves   a switch's access list drops SNMP: five requests, no answer, though the switch answers ARP
#: needs    dnsmasq-base udhcpc snmpd snmp
#: takes    18
#: capture  snmp-dropped.pcap
#: node     52:54:00:0a:09:1c booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:1c
#: service  snmp arp
#: filter   dhcp snmp --complete
#: count    dhcp snmp arp
#: later    warning snmp-no-answer 52:54:00:0a:09:1c
#: never    blocked-by-firewall arp-no-answer

scenario() {
  node_segment 52:54:00:0a:09:1c
  snmp_agent www
  drop www input udp dport 161
  capture snmp-dropped.pcap sw
  life sw
  initramfs node
  client node 10 snmpget -v2c -c public -t 1 -r 4 10.20.0.6 1.3.6.1.2.1.1.3.0 && die "an answer"
  sleep 6
}
