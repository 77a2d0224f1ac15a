# shellcheck shell=bash disable=SC2154
#: proves   a switch (snmpd) answers its community; with a wrong one it is silent by design
#: needs    dnsmasq-base udhcpc snmpd snmp
#: takes    14
#: capture  snmp.pcap
#: node     52:54:00:0a:09:15 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:15
#: service  snmp
#: filter   dhcp snmp --complete
#: later    warning snmp-no-answer 52:54:00:0a:09:15
#: never    blocked-by-firewall

scenario() {
  node_segment 52:54:00:0a:09:15
  capture snmp.pcap sw
  snmp_agent www
  initramfs node
  client node 6 snmpget -v2c -c public 10.20.0.6 1.3.6.1.2.1.1.3.0 || die "no answer"
  client node 12 snmpget -v2c -c private 10.20.0.6 1.3.6.1.2.1.1.3.0
}
