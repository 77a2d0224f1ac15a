# shellcheck shell=bash disable=SC2154
#: proves   full-size segments of the HTTP server are lost, small ones pass
#: needs    dnsmasq-base udhcpc busybox curl
#: takes    30
#: capture  http-mtu.pcap
#: node     52:54:00:0a:08:05 stopped http path-mtu-black-hole
#: finding  error path-mtu-black-hole
#: filter   dhcp http --complete
#: never    tcp-syn-unanswered tcp-refused

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:08:05
  boot_program "$SRV/http/initrd" 60000
  http_server srv
  # Lost behind the point of capture.
  ingress node "ip length > 1400"
  capture http-mtu.pcap sw
  initramfs node
  client node 20 curl -s -m 18 -o /run/x http://10.20.0.2/initrd
  sleep 1
}
