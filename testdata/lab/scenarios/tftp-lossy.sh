# shellcheck shell=bash disable=SC2154
#: proves   every ninth packet of the server is lost: slow, but the file arrives
#: needs    dnsmasq-base udhcpc curl
#: takes    40
#: capture  tftp-lossy.pcap
#: node     52:54:00:0a:03:13 booted tftp
#: finding  ok dhcp-ok 52:54:00:0a:03:13
#: filter   dhcp tftp --complete
#: count    dhcp tftp arp
#: never    tftp-stalled tftp-no-answer

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:03:13
  boot_program "$SRV/tftp/vmlinuz" 40000
  capture tftp-lossy.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=vmlinuz
  lease node 20
  drop srv output udp sport 1024-65535 numgen inc mod 9 == 0
  client node 60 curl -s -m 55 -o /run/x --tftp-blksize 1400 tftp://10.20.0.2/vmlinuz || die "no file"
}
