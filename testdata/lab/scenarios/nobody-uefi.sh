# shellcheck shell=bash disable=SC2154
#: proves   UEFI firmware that hears no server of any kind: PXE over IPv4 and IPv6, HTTP boot over both
#: needs    qemu-system-x86 ovmf
#: takes    260
#: capture  nobody-uefi.pcap
#: node     52:54:00:0a:01:05 stopped dhcp dhcp-no-offer
#: finding  error dhcp-no-offer 52:54:00:0a:01:05
#: filter   dhcp dhcp6 --complete
#: may      dhcpv6-no-answer

scenario() {
  segment sw
  capture nobody-uefi.pcap sw
  life sw
  uefi sw 52:54:00:0a:01:05
  until_ok 400 log_says "$console" 'HTTP Boot over IPv6|HTTPv6' || die "no HTTP boot over IPv6: $(tail -c 400 "$console")"
  sleep 30
  machine_off
}
