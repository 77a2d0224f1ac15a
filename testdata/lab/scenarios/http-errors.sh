# shellcheck shell=bash disable=SC2154
#: proves   an HTTP server answers 404: there is no tracker of HTTP yet, and nothing of TCP is wrong
#: needs    dnsmasq-base udhcpc busybox curl
#: takes    6
#: capture  http-errors.pcap
#: node     52:54:00:0a:08:06 booted http
#: finding  ok dhcp-ok 52:54:00:0a:08:06

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host www sw 52:54:00:00:00:06 10.20.0.6/24
  host node sw 52:54:00:0a:08:06
  capture http-errors.pcap sw
  http_server www
  initramfs node
  client node 5 curl -s -o /run/x http://10.20.0.6/kernel
  client node 5 curl -s -o /run/x http://10.20.0.6/initrd
  sleep 1
}
