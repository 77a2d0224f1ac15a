# shellcheck shell=bash disable=SC2154
#: proves   a transfer that stops in the middle: after twelve packets nothing of the server arrives
#: needs    qemu-system-x86 ipxe-qemu dnsmasq-base
#: takes    45
#: capture  tftp-stalled.pcap
#: node     52:54:00:0a:03:04 stopped tftp tftp-stalled
#: finding  error tftp-stalled 52:54:00:0a:03:04
#: filter   dhcp tftp --complete
#: never    tftp-no-answer tftp-file-not-found

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  boot_program "$SRV/tftp/undionly.kpxe" 60000
  capture tftp-stalled.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=undionly.kpxe
  drop srv output udp sport 1024-65535 limit rate over 1/hour burst 12 packets
  bios sw 52:54:00:0a:03:04
  machine_ends 120
  sleep 3
}
