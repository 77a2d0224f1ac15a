# shellcheck shell=bash disable=SC2154
#: proves   a hung HTTP server: the kernel of it accepts and acknowledges, nothing is answered
#: needs    dnsmasq-base udhcpc busybox curl
#: takes    26
#: capture  http-hung.pcap
#: finding  ok dhcp-ok 52:54:00:0a:08:07
#: counts   tcp.connections 1
#: counts   tcp.syn_unanswered 0
#: filter   dhcp http --complete
#: later    warning http-stalled 52:54:00:0a:08:07
#: never    tcp-syn-unanswered tcp-refused path-mtu-black-hole http-file-missing

scenario() {
  node_segment 52:54:00:0a:08:07
  capture http-hung.pcap sw
  http_server www
  kill -STOP "$last"
  life sw
  initramfs node
  client node 20 curl -s -m 18 -o /run/x http://10.20.0.6/kernel
}
