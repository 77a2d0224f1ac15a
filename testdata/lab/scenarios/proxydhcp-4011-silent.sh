# shellcheck shell=bash disable=SC2154
#: proves   a DHCP server says PXEClient in option 60 and nobody listens on port 4011: UEFI firmware asks in vain
#: needs    qemu-system-x86 ovmf dnsmasq-base
#: takes    105
#: capture  proxydhcp-4011-silent.pcap
#: node     52:54:00:0a:06:03 stopped proxydhcp proxydhcp-4011-no-answer
#: finding  error proxydhcp-4011-no-answer 52:54:00:0a:06:03
#: filter   dhcp proxydhcp dhcp6 --complete
#: may      dhcp-no-boot-info httpboot-bad-offer
#: never    dhcp-no-offer tftp-no-answer no-load-after-ack

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  capture proxydhcp-4011-silent.pcap sw
  life sw
  dnsmasq srv --no-ping --dhcp-range=10.20.0.100,10.20.0.150,255.255.255.0,30m --dhcp-option=3,10.20.0.2 \
    --dhcp-option-force=60,PXEClient
  uefi sw 52:54:00:0a:06:03
  until_ok 150 log_says "$console" 'PXEv6' || die "PXE over IPv4 did not end: $(tail -c 400 "$console")"
  sleep 12
  machine_off
}
