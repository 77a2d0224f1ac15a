# shellcheck shell=bash disable=SC2154
#: proves   a DHCP server without boot information, and a proxyDHCP server with a boot menu, asked on port 4011, for BIOS
#: needs    qemu-system-x86 ipxe-qemu dnsmasq-base
#: takes    35
#: capture  proxydhcp-bios.pcap
#: node     52:54:00:0a:06:01 booted tftp
#: finding  ok dhcp-ok 52:54:00:0a:06:01
#: filter   dhcp proxydhcp tftp --complete
#: count    dhcp proxydhcp tftp arp
#: never    dhcp-no-boot-info proxydhcp-4011-no-answer proxydhcp-conflict dhcp-rogue-server dhcp-several-servers

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host pxe sw 52:54:00:00:00:03 10.20.0.3/24
  boot_program "$SRV/tftp/nbp.0" 6000
  capture proxydhcp-bios.pcap sw
  dnsmasq srv --no-ping --dhcp-range=10.20.0.100,10.20.0.150,255.255.255.0,30m --dhcp-option=3,10.20.0.2
  dnsmasq pxe --dhcp-range=10.20.0.0,proxy --pxe-prompt=Boot,2 --pxe-service=x86PC,Install,nbp \
    --enable-tftp --tftp-root=/srv/tftp
  bios sw 52:54:00:0a:06:01
  machine_ends 120
}
