# shellcheck shell=bash disable=SC2154
#: proves   a relay whose server does not run: silence for the machine, ICMP port unreachable to the relay
#: needs    isc-dhcp-relay isc-dhcp-server udhcpc
#: takes    25
#: capture  relay-dead-client-side.pcap
#: node     52:54:00:0a:04:02 stopped dhcp dhcp-no-offer
#: finding  error dhcp-no-offer 52:54:00:0a:04:02
#: filter   dhcp --complete
#: never    dhcp-offer-ignored
#: capture  relay-dead-server-side.pcap
#: node     52:54:00:0a:04:02 stopped dhcp dhcp-no-offer
#: finding  error dhcp-no-offer 52:54:00:0a:04:02
#: filter   dhcp --complete
#: count    dhcp icmp
#: may      dhcp-relay-broken
#: never    dhcp-offer-ignored

scenario() {
  relayed_segments 52:54:00:0a:04:02
  capture relay-dead-client-side.pcap sw
  capture relay-dead-server-side.pcap core
  life sw
  background life2 ip netns exec "$LAB_PREFIX-relay" busybox ping 10.20.0.2
  relay_agent
  lease node 30 -t 5 -T 3
  sleep 6
}
