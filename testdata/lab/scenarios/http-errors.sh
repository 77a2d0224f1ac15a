# shellcheck shell=bash disable=SC2154
#: proves   an HTTP server answers 404: there is no tracker of HTTP yet, and nothing of TCP is wrong
#: needs    dnsmasq-base udhcpc busybox curl
#: takes    5
#: capture  http-errors.pcap
#: finding  ok dhcp-ok 52:54:00:0a:08:06
#: counts   tcp.connections 2
#: counts   tcp.refused 0
#: counts   tcp.syn_unanswered 0
#: filter   dhcp http --complete
#: later    error http-file-missing 52:54:00:0a:08:06
#: never    http-server-error http-stalled

scenario() {
  node_segment 52:54:00:0a:08:06
  capture http-errors.pcap sw
  http_server www
  initramfs node
  client node 5 curl -s -o /run/x http://10.20.0.6/kernel
  client node 5 curl -s -o /run/x http://10.20.0.6/initrd
  sleep 1
}
