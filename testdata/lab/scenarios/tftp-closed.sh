# shellcheck shell=bash disable=SC2154
#: proves   no TFTP server runs at the next server: it answers with ICMP port unreachable
#: needs    qemu-system-x86 ipxe-qemu dnsmasq-base
#: takes    45
#: capture  tftp-closed.pcap
#: node     52:54:00:0a:03:02 stopped tftp tftp-no-answer
#: finding  error tftp-no-answer 52:54:00:0a:03:02
#: filter   dhcp tftp --complete
#: never    blocked-by-firewall tftp-stalled no-load-after-ack

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host tftp sw 52:54:00:00:00:03 10.20.0.3/24
  capture tftp-closed.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=undionly.kpxe,tftp,10.20.0.3
  bios sw 52:54:00:0a:03:02
  machine_ends 120
}
