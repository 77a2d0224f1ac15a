# shellcheck shell=bash disable=SC2154
#: proves   a BMC (ipmi_sim) is asked over IPMI 1.5 and RMCP+, with the right password
#: needs    dnsmasq-base udhcpc openipmi ipmitool
#: takes    10
#: quick
#: capture  ipmi.pcap
#: node     52:54:00:0a:09:13 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:13
#: service  ipmi
#: filter   dhcp ipmi --complete
#: count    dhcp ipmi arp
#: never    ipmi-auth-failed ipmi-no-answer

scenario() {
  node_segment 52:54:00:0a:09:13
  bmc www
  capture ipmi.pcap sw
  initramfs node
  client node 8 ipmitool -I lan -H 10.20.0.6 -U admin -P secret mc info || die "IPMI 1.5: $(cat "$lastlog")"
  client node 8 ipmitool -I lanplus -C 3 -H 10.20.0.6 -U admin -P secret mc info || die "RMCP+: $(cat "$lastlog")"
}
