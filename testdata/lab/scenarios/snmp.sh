# shellcheck shell=bash disable=SC2154
#: proves   a switch (snmpd) answers its community; with a wrong one it is silent by design
#: needs    dnsmasq-base udhcpc snmpd snmp
#: takes    18
#: capture  snmp.pcap
#: finding  ok dhcp-ok 52:54:00:0a:09:15
#: may      snmp-no-answer
#: never    blocked-by-firewall

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host www sw 52:54:00:00:00:06 10.20.0.6/24
  host node sw 52:54:00:0a:09:15
  capture snmp.pcap sw
  printf "rocommunity public\nagentAddress udp:10.20.0.6:161\n" >"$SRV/state/snmpd.conf"
  daemon www snmpd -f -C -c /srv/state/snmpd.conf -Lo -p /run/snmpd.pid
  wait_port www u 161
  initramfs node
  client node 6 snmpget -v2c -c public 10.20.0.6 1.3.6.1.2.1.1.3.0 || die "no answer"
  client node 12 snmpget -v2c -c private 10.20.0.6 1.3.6.1.2.1.1.3.0
}
