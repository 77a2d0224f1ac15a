# shellcheck shell=bash disable=SC2154
#: proves   the name server knows no such name (NXDOMAIN), and is none for another (REFUSED)
#: needs    dnsmasq-base udhcpc bind9-dnsutils
#: takes    6
#: capture  dns-name-error.pcap
#: node     52:54:00:0a:09:19 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:19
#: counts   dns.queries 3
#: counts   dns.unanswered 0
#: filter   dhcp dns --complete
#: later    warning dns-name-error 52:54:00:0a:09:19
#: never    dns-no-answer blocked-by-firewall

scenario() {
  node_segment 52:54:00:0a:09:19
  capture dns-name-error.pcap sw
  name_server www --local=/maas/
  initramfs node
  client node 5 dig @10.20.0.6 rack.maas
  grep -q NXDOMAIN "$lastlog" || die "not NXDOMAIN"
  client node 5 dig @10.20.0.6 AAAA rack.maas
  client node 5 dig @10.20.0.6 mirror.internal
  grep -q REFUSED "$lastlog" || die "not REFUSED"
}
