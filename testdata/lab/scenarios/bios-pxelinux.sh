# shellcheck shell=bash disable=SC2154
#: proves   PXELINUX's search for its configuration is no fault, though most names do not exist
#: needs    qemu-system-x86 ipxe-qemu dnsmasq-base busybox pxelinux syslinux-common
#: takes    25
#: capture  bios-pxelinux.pcap
#: node     52:54:00:0a:00:02 booted http
#: finding  ok dhcp-ok 52:54:00:0a:00:02
#: finding  ok search-list-miss
#: filter   --phase provisioning
#: never    tftp-file-not-found tftp-error

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  cp /usr/lib/PXELINUX/lpxelinux.0 /usr/lib/syslinux/modules/bios/ldlinux.c32 "$SRV/tftp/"
  mkdir -p "$SRV/tftp/pxelinux.cfg"
  printf 'DEFAULT boot\nLABEL boot\n  PXE http://10.20.0.2/boot/nbp\n' >"$SRV/tftp/pxelinux.cfg/default"
  boot_program "$SRV/http/boot/nbp" 6000
  capture bios-pxelinux.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=lpxelinux.0
  http_server srv
  bios sw 52:54:00:0a:00:02
  # The jump from PXELINUX does not end the machine: wait for the GET.
  until_ok 90 log_says "$OUT/bios-pxelinux.pcap" 'GET /boot/nbp' || die 'no GET from PXELINUX'
  sleep 1
  machine_off
}
