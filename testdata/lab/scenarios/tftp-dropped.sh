# shellcheck shell=bash disable=SC2154
#: proves   a firewall on the TFTP server lets requests in and replies, which have another port, not out
#: needs    qemu-system-x86 ipxe-qemu dnsmasq-base
#: takes    50
#: capture  tftp-dropped.pcap
#: node     52:54:00:0a:03:03 stopped tftp tftp-no-answer
#: finding  error tftp-no-answer 52:54:00:0a:03:03
#: filter   dhcp tftp --complete
#: count    dhcp tftp arp
#: never    blocked-by-firewall tftp-stalled no-load-after-ack

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  boot_program "$SRV/tftp/undionly.kpxe" 9000
  capture tftp-dropped.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=undionly.kpxe
  drop srv output udp sport 1024-65535
  bios sw 52:54:00:0a:03:03
  machine_ends 120
  sleep 6
}
