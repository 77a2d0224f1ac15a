# shellcheck shell=bash disable=SC2154
#: proves   two servers that say the same, with pools of their own, are a pair and no rogue
#: needs    dnsmasq-base isc-dhcp-client
#: takes    10
#: capture  two-servers.pcap
#: node     52:54:00:0a:05:07 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:05:07
#: filter   dhcp --complete
#: never    dhcp-rogue-server dhcp-rogue-libvirt dhcp-answers-disagree

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host peer sw 52:54:00:00:00:03 10.20.0.3/24
  host node sw 52:54:00:0a:05:07
  capture two-servers.pcap sw
  dnsmasq srv --no-ping --dhcp-range=10.20.0.100,10.20.0.120,255.255.255.0,30m --dhcp-option=3,10.20.0.1 --dhcp-option=6,10.20.0.1
  dnsmasq peer --no-ping --dhcp-range=10.20.0.130,10.20.0.150,255.255.255.0,30m --dhcp-option=3,10.20.0.1 --dhcp-option=6,10.20.0.1
  client node 20 dhclient -4 -d -1 -lf /srv/state/mine -pf /srv/state/pid -sf /bin/true eth0 &
  until_ok 20 log_says "$SRV/state/mine" fixed-address || die "no lease"
  sleep 1
}
