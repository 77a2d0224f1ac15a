# shellcheck shell=bash disable=SC2154
#: proves   handshakes that end in a fatal alert three times: the client's (unknown CA), then the server's (protocol version)
#: needs    dnsmasq-base udhcpc openssl curl
#: takes    15
#: capture  https-alert-client.pcap
#: finding  ok dhcp-ok 52:54:00:0a:08:0b
#: counts   tcp.connections 3
#: counts   tcp.refused 0
#: filter   dhcp https --complete
#: later    error tls-handshake-failed 52:54:00:0a:08:0b
#: never    tcp-syn-unanswered tcp-refused
#: capture  https-alert-server.pcap
#: counts   tcp.connections 3
#: counts   tcp.refused 0
#: filter   https --complete
#: later    error tls-handshake-failed 52:54:00:0a:08:0b
#: never    tcp-syn-unanswered tcp-refused

scenario() {
  node_segment 52:54:00:0a:08:0b
  tls_server www -tls1_2
  capture https-alert-client.pcap sw
  initramfs node
  for _ in 1 2 3; do
    client node 5 curl -s -S -o /run/x https://10.20.0.6/kernel
    grep -q 'certificate' "$lastlog" || die "not refused: $(cat "$lastlog")"
    sleep 1
  done
  stop_captures
  capture https-alert-server.pcap sw
  host new sw 52:54:00:00:00:07 10.20.0.7/24
  tls_server new -tls1_3
  for _ in 1 2 3; do
    client node 5 curl -s -S -k --tls-max 1.2 -o /run/x https://10.20.0.7/kernel
    grep -q 'alert protocol version' "$lastlog" || die "no alert: $(cat "$lastlog")"
    sleep 1
  done
}
