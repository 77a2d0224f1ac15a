# shellcheck shell=bash disable=SC2154
#: proves   a capture on the server itself, with checksum and segmentation offload on: wrong checksums and giant frames are no fault
#: needs    dnsmasq-base busybox udhcpc curl
#: takes    8
#: quick
#: capture  offload.pcap
#: node     52:54:00:0a:09:02 booted http
#: finding  ok dhcp-ok 52:54:00:0a:09:02
#: filter   dhcp tftp http --complete
#: count    dhcp tftp http arp
#: never    bad-udp-checksum-reply path-mtu-black-hole

scenario() {
  export LAB_OFFLOAD=1
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:09:02
  capture offload.pcap srv
  os_server
  os_boot node
}
