# shellcheck shell=bash disable=SC2154
#: proves   blocks larger than a frame: one machine gets them from one server, another machine loses all fragments but the first from another
#: needs    dnsmasq-base udhcpc curl tftpd-hpa
#: takes    35
#: capture  tftp-fragments-lost.pcap
#: node     52:54:00:0a:03:16 stopped tftp tftp-stalled
#: node     52:54:00:0a:03:17 booted tftp
#: finding  error fragments-lost
#: finding  error tftp-stalled 52:54:00:0a:03:16
#: filter   dhcp tftp --complete
#: count    dhcp tftp arp
#: never    tftp-no-answer

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host hpa sw 52:54:00:00:00:03 10.20.0.3/24
  host node sw 52:54:00:0a:03:16
  host other sw 52:54:00:0a:03:17
  boot_program "$SRV/tftp/vmlinuz" 40000
  capture tftp-fragments-lost.pcap sw
  tftpd srv
  tftpd hpa
  initramfs node
  lease other 20
  # Without a later fragment anywhere a capture might have been filtered by port.
  client other 10 curl -s -o /run/x --tftp-blksize 8192 tftp://10.20.0.3/vmlinuz || die "no vmlinuz for other"
  egress srv "ip frag-off & 0x1fff != 0"
  client node 25 curl -s -m 22 -o /run/x --tftp-blksize 8192 tftp://10.20.0.2/vmlinuz
  sleep 1
}
