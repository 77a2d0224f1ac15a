# shellcheck shell=bash disable=SC2154
#: proves   an HTTP server (nginx) answers 500 to each of three tries
#: needs    dnsmasq-base udhcpc nginx-light curl
#: takes    8
#: capture  http-server-error.pcap
#: finding  ok dhcp-ok 52:54:00:0a:08:09
#: counts   tcp.connections 3
#: counts   tcp.refused 0
#: counts   tcp.syn_unanswered 0
#: filter   dhcp http --complete
#: count    dhcp http arp
#: later    error http-server-error 52:54:00:0a:08:09
#: never    http-file-missing http-stalled

scenario() {
  node_segment 52:54:00:0a:08:09
  nginx www
  capture http-server-error.pcap sw
  initramfs node
  for _ in 1 2 3; do
    client node 5 curl -s -w '%{http_code}' -o /run/x http://10.20.0.6/broken/kernel
    grep -q 500 "$lastlog" || die "not 500"
    sleep 1
  done
}
