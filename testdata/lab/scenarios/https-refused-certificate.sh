# shellcheck shell=bash disable=SC2154
#: proves   a client refuses the certificate of an HTTPS server: a TLS alert, once
#: needs    dnsmasq-base udhcpc openssl curl
#: takes    8
#: capture  https-refused-certificate.pcap
#: finding  ok dhcp-ok 52:54:00:0a:08:08
#: may      tls-handshake-failed
#: never    tcp-syn-unanswered tcp-refused

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host www sw 52:54:00:00:00:06 10.20.0.6/24
  host node sw 52:54:00:0a:08:08
  capture https-refused-certificate.pcap sw
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=boot.internal \
    -keyout "$SRV/state/key" -out "$SRV/state/cert" >"$LOG/req" 2>&1
  daemon www openssl s_server -quiet -accept 443 -key /srv/state/key -cert /srv/state/cert -WWW
  wait_port www t 443
  initramfs node
  client node 6 curl -s -o /run/x https://10.20.0.6/kernel
  sleep 1
}
