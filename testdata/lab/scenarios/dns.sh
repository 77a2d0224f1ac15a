# shellcheck shell=bash disable=SC2154
#: proves   names are looked up at dnsmasq, in UDP and TCP
#: needs    dnsmasq-base udhcpc bind9-dnsutils
#: takes    8
#: capture  dns.pcap
#: node     52:54:00:0a:09:11 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:11

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host www sw 52:54:00:00:00:06 10.20.0.6/24
  host node sw 52:54:00:0a:09:11
  capture dns.pcap sw
  daemon www /usr/sbin/dnsmasq --conf-file=/dev/null --keep-in-foreground --user=root --pid-file= --no-hosts --no-resolv \
    --listen-address=10.20.0.6 --bind-interfaces --log-facility=- --address=/boot.internal/10.20.0.6
  wait_port www u 53
  initramfs node
  client node 5 dig @10.20.0.6 boot.internal || die "no answer over UDP"
  client node 5 dig +tcp @10.20.0.6 boot.internal || die "no answer over TCP"
  client node 5 dig @10.20.0.6 other.internal
}
