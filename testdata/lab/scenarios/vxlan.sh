# shellcheck shell=bash disable=SC2154
#: proves   a boot inside VXLAN, captured on the underlay
#: needs    dnsmasq-base busybox udhcpc curl
#: takes    6
#: quick
#: capture  vxlan.pcap
#: node     52:54:00:0a:09:05 booted http
#: finding  ok dhcp-ok 52:54:00:0a:09:05
#: count    other

scenario() {
  segment underlay
  host srv underlay 52:54:00:00:00:12 172.16.0.1/24
  host node underlay 52:54:00:00:00:13 172.16.0.2/24
  local h peer
  for h in srv node; do
    ns $h ip link set dev eth0 down
    ns $h ip link set dev eth0 name under0
    peer=2
    [ $h = srv ] || peer=1
    ns $h ip link add eth0 type vxlan id 120 dstport 4789 dev under0 remote 172.16.0.$peer
  done
  ns srv ip link set dev eth0 address 52:54:00:00:00:02
  ns srv ip addr add 10.20.0.2/24 dev eth0
  ns node ip link set dev eth0 address 52:54:00:0a:09:05
  for h in srv node; do
    ns $h ip link set dev under0 up
    ns $h ip link set dev eth0 up
  done
  capture vxlan.pcap underlay
  os_server
  os_boot node
}
