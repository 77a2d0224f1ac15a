# shellcheck shell=bash disable=SC2154
#: proves   a firewall on the machine drops what the TFTP server sends: both sides repeat
#: needs    dnsmasq-base udhcpc busybox
#: takes    26
#: capture  tftp-reply-dropped-at-client.pcap
#: node     52:54:00:0a:03:12 stopped tftp tftp-stalled
#: finding  error tftp-stalled 52:54:00:0a:03:12
#: filter   dhcp tftp --complete
#: never    tftp-no-answer blocked-by-firewall

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:03:12
  boot_program "$SRV/tftp/vmlinuz" 40000
  capture tftp-reply-dropped-at-client.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=vmlinuz
  lease node 20
  drop node input udp sport 1024-65535
  client node 20 busybox tftp -g -r vmlinuz -l /run/x 10.20.0.2
  sleep 2
}
