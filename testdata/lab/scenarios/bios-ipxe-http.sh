# shellcheck shell=bash disable=SC2154
#: proves   a BIOS machine with iPXE in its ROM gets a lease, a script over TFTP and a program over HTTP
#: needs    qemu-system-x86 ipxe-qemu dnsmasq-base busybox
#: takes    25
#: quick
#: capture  bios-ipxe-http.pcap
#: node     52:54:00:0a:00:01 booted http
#: finding  ok dhcp-ok 52:54:00:0a:00:01
#: filter   --phase provisioning
#: filter   dhcp tftp --complete leaves http
#: count    dhcp tftp http arp other
#: never    dhcp-rogue-libvirt dhcp-offer-ignored no-load-after-ack

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  printf '#!ipxe\nchain http://10.20.0.2/boot/nbp\n' >"$SRV/tftp/boot.ipxe"
  boot_program "$SRV/http/boot/nbp" 24000
  capture bios-ipxe-http.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=boot.ipxe
  http_server srv
  bios sw 52:54:00:0a:00:01
  machine_ends 90
}
