# shellcheck shell=bash disable=SC2154
#: proves   UEFI firmware loads GRUB, which searches its configuration over TFTP and loads a file over HTTP
#: needs    qemu-system-x86 ovmf grub-common grub-efi-amd64-bin dnsmasq-base busybox
#: takes    45
#: capture  uefi-grub.pcap
#: node     52:54:00:0a:00:04 booted http
#: finding  ok dhcp-ok 52:54:00:0a:00:04
#: finding  ok tftp-size-probe
#: finding  ok search-list-miss
#: filter   --phase provisioning
#: never    tftp-error tftp-file-not-found dhcp-offer-ignored

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  mkdir -p "$SRV/tftp/grub"
  grub-mkimage -O x86_64-efi -o "$SRV/tftp/grubx64.efi" -p /grub efinet tftp http net normal configfile echo halt test cat \
    >"$LOG/mkimage" 2>&1 || die "grub-mkimage: $(cat "$LOG/mkimage")"
  # shellcheck disable=SC2016
  printf 'set timeout=0\nmenuentry boot {\n  cat (http,10.20.0.2)/boot/kernel\n  halt\n}\n' >"$SRV/tftp/grub/grub.cfg"
  mkdir -p "$SRV/http/boot"
  printf 'A kernel would be here.\n%.0s' {1..400} >"$SRV/http/boot/kernel"
  capture uefi-grub.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=grubx64.efi
  http_server srv
  uefi sw 52:54:00:0a:00:04
  until_ok 150 log_says "$OUT/uefi-grub.pcap" 'GET /boot/kernel' || die "no GET from GRUB: $(tail -c 400 "$console")"
  sleep 2
  machine_off
}
