# shellcheck shell=bash disable=SC2154
#: proves   libvirt's default network on the segment answers after the boot server: iPXE takes the last offer and has nothing to boot
#: needs    qemu-system-x86 ipxe-qemu dnsmasq-base
#: takes    30
#: quick
#: capture  rogue-libvirt-wins.pcap
#: node     52:54:00:0a:02:01 stopped dhcp dhcp-rogue-libvirt
#: finding  error dhcp-rogue-libvirt 192.168.122.1
#: filter   --phase provisioning
#: filter   dhcp --mac 52:54:00:0a:02:01 --complete
#: count    dhcp arp
#: may      dhcp-answers-disagree dhcp-nak dhcp-no-boot-info dhcp-several-servers
#: never    dhcp-no-offer

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host virt sw 52:54:00:5e:00:01 192.168.122.1/24
  printf '#!ipxe\nexit\n' >"$SRV/tftp/boot.ipxe"
  capture rogue-libvirt-wins.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=boot.ipxe
  # A second of delay and no ping check: its offer is always the later one.
  libvirt_network virt --no-ping --dhcp-reply-delay=1
  bios sw 52:54:00:0a:02:01
  machine_ends 90
}
