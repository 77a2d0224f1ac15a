# shellcheck shell=bash disable=SC2154
#: proves   the same for UEFI firmware, which asks port 4011 itself
#: needs    qemu-system-x86 ovmf ipxe dnsmasq-base busybox
#: takes    45
#: capture  proxydhcp-uefi.pcap
#: node     52:54:00:0a:06:02 booted http
#: finding  ok dhcp-ok 52:54:00:0a:06:02
#: filter   --phase provisioning
#: never    dhcp-no-boot-info proxydhcp-4011-no-answer proxydhcp-conflict dhcp-rogue-server dhcp-several-servers tftp-error

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host pxe sw 52:54:00:00:00:03 10.20.0.3/24
  cp /usr/lib/ipxe/snponly.efi "$SRV/tftp/"
  printf '#!ipxe\nimgfetch http://10.20.0.3/boot/kernel && exit\n' >"$SRV/tftp/boot.ipxe"
  boot_program "$SRV/http/boot/kernel" 9000
  capture proxydhcp-uefi.pcap sw
  dnsmasq srv --no-ping --dhcp-range=10.20.0.100,10.20.0.150,255.255.255.0,30m --dhcp-option=3,10.20.0.2
  dnsmasq pxe --dhcp-range=10.20.0.0,proxy --dhcp-userclass=set:ipxe,iPXE --dhcp-boot=tag:ipxe,boot.ipxe,,10.20.0.3 \
    --pxe-service=tag:!ipxe,X86-64_EFI,Install,snponly.efi --enable-tftp --tftp-root=/srv/tftp
  http_server pxe
  uefi sw 52:54:00:0a:06:02
  until_ok 150 log_says "$OUT/proxydhcp-uefi.pcap" 'GET /boot/kernel' || die "no GET from iPXE: $(tail -c 400 "$console")"
  sleep 2
  machine_off
}
