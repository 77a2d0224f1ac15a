# shellcheck shell=bash disable=SC2154
#: proves   UEFI firmware loads iPXE over TFTP, which asks DHCP again and loads a program over HTTP
#: needs    qemu-system-x86 ovmf ipxe dnsmasq-base busybox
#: takes    50
#: capture  uefi-ipxe.pcap
#: node     52:54:00:0a:00:03 booted http
#: finding  ok dhcp-ok 52:54:00:0a:00:03
#: finding  ok tftp-size-probe
#: filter   --phase provisioning
#: never    tftp-error dhcp-offer-ignored wrong-loader-for-architecture chainload-loop

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  cp /usr/lib/ipxe/snponly.efi "$SRV/tftp/"
  printf '#!ipxe\nimgfetch http://10.20.0.2/boot/kernel && exit\n' >"$SRV/tftp/boot.ipxe"
  boot_program "$SRV/http/boot/kernel" 20000
  capture uefi-ipxe.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-userclass=set:ipxe,iPXE \
    --dhcp-boot=snponly.efi --dhcp-boot=tag:ipxe,boot.ipxe
  http_server srv
  uefi sw 52:54:00:0a:00:03
  until_ok 150 log_says "$OUT/uefi-ipxe.pcap" 'GET /boot/kernel' || die "no GET from iPXE: $(tail -c 400 "$console")"
  sleep 2
  machine_off
}
