# shellcheck shell=bash disable=SC2154
#: proves   UEFI PXE over IPv6: router advertisement, DHCPv6, TFTP over IPv6; IPv4 is not served, and this is no fault of the node
#: needs    qemu-system-x86 ovmf dnsmasq-base grub-common grub-efi-amd64-bin
#: takes    110
#: capture  uefi-ipv6.pcap
#: node     52:54:00:0a:0a:01 booted tftp
#: filter   --phase provisioning
#: may      dhcp-no-offer
#: never    dhcpv6-no-answer tftp-no-answer tftp-stalled

scenario() {
  export LAB_IPV6=1
  segment sw
  host srv sw 52:54:00:00:00:02 fd20::2/64
  grub_that_halts "$SRV/tftp/grubx64.efi"
  sleep 3 # duplicate address detection; nothing passes while the capture begins
  capture uefi-ipv6.pcap sw
  dnsmasq srv --enable-ra --dhcp-range=fd20::100,fd20::1ff,64,10m --enable-tftp --tftp-root=/srv/tftp \
    --dhcp-option='option6:bootfile-url,tftp://[fd20::2]/grubx64.efi'
  uefi sw 52:54:00:0a:0a:01
  until_ok 240 log_says "$console" 'Welcome to GRUB|starting Boot[0-9A-F]+ "UEFI PXEv6' || die "no GRUB: $(tail -c 400 "$console")"
  sleep 2
  machine_off
}
