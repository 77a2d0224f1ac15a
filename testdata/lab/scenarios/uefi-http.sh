# shellcheck shell=bash disable=SC2154
#: proves   UEFI HTTP boot, after PXE over IPv4 and IPv6 found nothing for it
#: needs    qemu-system-x86 ovmf dnsmasq-base busybox grub-common grub-efi-amd64-bin
#: takes    120
#: capture  uefi-http.pcap
#: node     52:54:00:0a:0a:02 booted http
#: finding  ok dhcp-ok 52:54:00:0a:0a:02
#: filter   --phase provisioning
#: may      tftp-file-not-found dhcpv6-no-answer
#: never    httpboot-bad-offer dhcp-no-boot-info dhcp-offer-ignored

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  mkdir -p "$SRV/http/boot"
  grub_that_halts "$SRV/http/boot/grubx64.efi"
  capture uefi-http.pcap sw
  # PXE over IPv4 fails at once with a file that is not there.
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-vendorclass=set:h,HTTPClient --dhcp-option-force=tag:h,60,HTTPClient \
    --dhcp-boot=tag:h,http://10.20.0.2/boot/grubx64.efi --dhcp-boot=tag:!h,nothing.efi
  http_server srv
  uefi sw 52:54:00:0a:0a:02
  until_ok 240 log_says "$console" 'Welcome to GRUB|starting Boot[0-9A-F]+ "UEFI HTTPv4' || die "no GRUB: $(tail -c 400 "$console")"
  sleep 2
  machine_off
}
