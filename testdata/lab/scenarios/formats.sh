# shellcheck shell=bash disable=SC2154
#: proves   one healthy boot reads the same in every form a capture can have
#: needs    dnsmasq-base busybox udhcpc curl wireshark-common
#: takes    10
#: quick
#: capture  format-any-sll.pcap
#: node     52:54:00:0a:09:01 booted http
#: finding  ok dhcp-ok 52:54:00:0a:09:01
#: quality  any-interface
#: filter   dhcp tftp http --complete -y LINUX_SLL
#: capture  format-any-sll2.pcap
#: node     52:54:00:0a:09:01 booted http
#: finding  ok dhcp-ok 52:54:00:0a:09:01
#: quality  any-interface
#: filter   dhcp tftp http --complete -y LINUX_SLL2
#: capture  format-server-sll2.pcap
#: node     52:54:00:0a:09:01 booted http
#: finding  ok dhcp-ok 52:54:00:0a:09:01
#: filter   dhcp tftp http --complete -y LINUX_SLL2
#: capture  format-three-interfaces.pcapng
#: node     52:54:00:0a:09:01 booted http
#: finding  ok dhcp-ok 52:54:00:0a:09:01
#: filter   dhcp tftp http --complete
#: capture  format-snap96.pcap
#: node     52:54:00:0a:09:01 booted http
#: quality  snaplen
#: filter   dhcp tftp http --complete
#: capture  format-nanoseconds.pcap
#: node     52:54:00:0a:09:01 booted http
#: finding  ok dhcp-ok 52:54:00:0a:09:01
#: filter   dhcp tftp http --complete
#: filter   http leaves dhcp tftp arp
#: count    dhcp tftp http arp

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:09:01
  capture format-any-sll.pcap sw -i any -y LINUX_SLL
  capture format-any-sll2.pcap sw -i any -y LINUX_SLL2
  capture format-server-sll2.pcap srv -i any -y LINUX_SLL2
  capture format-snap96.pcap sw -s 96
  capture format-nanoseconds.pcap sw --time-stamp-precision=nano
  capture_ng format-three-interfaces.pcapng sw p0 p1 sw0
  os_server
  os_boot node
}
