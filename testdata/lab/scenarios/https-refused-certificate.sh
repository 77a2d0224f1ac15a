# shellcheck shell=bash disable=SC2154
#: proves   a client refuses the certificate of an HTTPS server: a TLS alert, once
#: needs    dnsmasq-base udhcpc openssl curl
#: takes    8
#: capture  https-refused-certificate.pcap
#: finding  ok dhcp-ok 52:54:00:0a:08:08
#: counts   tcp.connections 1
#: counts   tcp.refused 0
#: filter   dhcp https --complete
#: later    warning tls-handshake-failed 52:54:00:0a:08:08
#: never    tcp-syn-unanswered tcp-refused

scenario() {
  node_segment 52:54:00:0a:08:08
  capture https-refused-certificate.pcap sw
  tls_server www
  initramfs node
  client node 6 curl -s -o /run/x https://10.20.0.6/kernel
  sleep 1
}
