# shellcheck shell=bash disable=SC2154
#: proves   two servers that give different gateways and name servers: which one a machine gets is chance
#: needs    dnsmasq-base isc-dhcp-client
#: takes    10
#: capture  two-servers-disagree.pcap
#: node     52:54:00:0a:05:08 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:05:08
#: finding  warning dhcp-answers-disagree
#: filter   dhcp --complete
#: may      dhcp-rogue-server dhcp-several-servers
#: never    dhcp-rogue-libvirt

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host peer sw 52:54:00:00:00:03 10.20.0.3/24
  host node sw 52:54:00:0a:05:08
  capture two-servers-disagree.pcap sw
  dnsmasq srv --no-ping --dhcp-range=10.20.0.100,10.20.0.120,255.255.255.0,30m --dhcp-option=3,10.20.0.1 --dhcp-option=6,10.20.0.2
  dnsmasq peer --no-ping --dhcp-range=10.20.0.130,10.20.0.150,255.255.255.0,2h --dhcp-option=3,10.20.0.254 --dhcp-option=6,10.20.0.3
  client node 20 dhclient -4 -d -1 -lf /srv/state/mine -pf /srv/state/pid -sf /bin/true eth0 &
  until_ok 20 log_says "$SRV/state/mine" fixed-address || die "no lease"
  sleep 1
}
