# shellcheck shell=bash disable=SC2154
#: proves   the boot file that DHCP names does not exist on the TFTP server
#: needs    qemu-system-x86 ipxe-qemu dnsmasq-base
#: takes    25
#: quick
#: capture  tftp-missing.pcap
#: node     52:54:00:0a:03:01 stopped tftp tftp-file-not-found
#: finding  error tftp-file-not-found 52:54:00:0a:03:01
#: finding  ok dhcp-ok 52:54:00:0a:03:01
#: filter   dhcp tftp --complete
#: count    dhcp tftp arp
#: never    tftp-no-answer tftp-stalled

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  capture tftp-missing.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=images/undionly.kpxe
  bios sw 52:54:00:0a:03:01
  machine_ends 90
}
