# shellcheck shell=bash disable=SC2154
#: proves   a BMC (ipmi_sim) is asked with a wrong password, over RMCP+ and IPMI 1.5
#: needs    dnsmasq-base udhcpc openipmi ipmitool
#: takes    25
#: capture  ipmi-wrong-password.pcap
#: node     52:54:00:0a:09:1a booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:1a
#: service  ipmi
#: filter   dhcp ipmi --complete
#: later    error ipmi-auth-failed 52:54:00:0a:09:1a
#: never    ipmi-no-answer blocked-by-firewall

scenario() {
  node_segment 52:54:00:0a:09:1a
  bmc www
  capture ipmi-wrong-password.pcap sw
  initramfs node
  for _ in 1 2; do
    client node 10 ipmitool -I lanplus -C 3 -R 2 -N 1 -H 10.20.0.6 -U admin -P wrong mc info && die "the wrong password is right"
  done
  client node 10 ipmitool -I lan -R 2 -N 1 -H 10.20.0.6 -U admin -P wrong mc info && die "the wrong password is right"
  sleep 1
}
