# shellcheck shell=bash disable=SC2154
#: proves   libvirt's default network on the segment, but the machine boots from the boot server: the rogue is named all the same
#: needs    qemu-system-x86 ipxe-qemu dnsmasq-base busybox
#: takes    30
#: capture  rogue-libvirt-loses.pcap
#: node     52:54:00:0a:02:02 booted http
#: finding  error dhcp-rogue-libvirt 192.168.122.1
#: finding  ok dhcp-ok 52:54:00:0a:02:02
#: filter   --phase provisioning
#: may      dhcp-answers-disagree dhcp-nak dhcp-several-servers
#: never    dhcp-no-offer dhcp-no-boot-info

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host virt sw 52:54:00:5e:00:01 192.168.122.1/24
  printf '#!ipxe\nimgfetch http://10.20.0.2/boot/kernel && exit\n' >"$SRV/tftp/boot.ipxe"
  boot_program "$SRV/http/boot/kernel" 9000
  capture rogue-libvirt-loses.pcap sw
  # The boot server is the later one.
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=boot.ipxe --dhcp-reply-delay=1
  libvirt_network virt --no-ping
  http_server srv
  bios sw 52:54:00:0a:02:02
  machine_ends 90
}
