# shellcheck shell=bash disable=SC2154
#: proves   the request goes to a server's second address, the reply comes from its first; the client drops it
#: needs    dnsmasq-base tftp-hpa udhcpc
#: takes    25
#: capture  tftp-wrong-source.pcap
#: node     52:54:00:0a:03:05 stopped tftp tftp-reply-wrong-source
#: finding  error tftp-reply-wrong-source 52:54:00:0a:03:05
#: filter   dhcp tftp --complete
#: never    tftp-no-answer dhcp-no-offer

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24 10.20.0.9/24
  host node sw 52:54:00:0a:03:05
  boot_program "$SRV/tftp/grubx64.efi" 3000
  capture tftp-wrong-source.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2
  # A virtual address that is translated on the way in and not on the way out.
  ns srv nft add table ip lab
  ns srv nft add chain ip lab in '{ type filter hook prerouting priority -300; }'
  ns srv nft add rule ip lab in ip daddr 10.20.0.9 udp dport 69 ip daddr set 10.20.0.2
  lease node 20
  # tftp-hpa sends from a socket that takes anybody's reply; a client that
  # connects its socket, as firmware does, is made of it with a filter.
  drop node input udp sport 1024-65535 ip saddr != 10.20.0.9
  client node 16 tftp -m binary 10.20.0.9 -c get grubx64.efi /dev/null
  sleep 2
}
