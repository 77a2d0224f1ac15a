# shellcheck shell=bash disable=SC2154
#: proves   iPXE that hears no DHCP server until it gives up
#: needs    qemu-system-x86 ipxe-qemu
#: takes    25
#: quick
#: capture  nobody-ipxe.pcap
#: node     52:54:00:0a:01:01 stopped dhcp dhcp-no-offer
#: finding  error dhcp-no-offer 52:54:00:0a:01:01
#: filter   dhcp --complete
#: count    dhcp icmp arp

scenario() {
  segment sw
  capture nobody-ipxe.pcap sw
  life sw
  bios sw 52:54:00:0a:01:01
  machine_ends 90
  # The last DISCOVER has a deadline of its own.
  sleep 10
}
