# shellcheck shell=bash disable=SC2154
#: proves   a node sets its clock from an NTP server; then the server hangs
#: needs    dnsmasq-base udhcpc chrony
#: takes    14
#: capture  ntp.pcap
#: node     52:54:00:0a:09:16 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:16
#: counts   ntp.requests 4+
#: counts   ntp.unanswered 2+
#: filter   dhcp ntp --complete
#: later    warning clock-wrong 52:54:00:0a:09:16
#: never    blocked-by-firewall

scenario() {
  node_segment 52:54:00:0a:09:16
  capture ntp.pcap sw
  printf "local stratum 8\nallow 10.20.0.0/24\ncmdport 0\n" >"$SRV/state/chrony.conf"
  daemon www chronyd -d -x -U -u root -f /srv/state/chrony.conf
  local server=$last
  wait_port www u 123
  initramfs node
  client node 8 chronyd -Q -x -t 6 -U -u root "server 10.20.0.6 iburst" "cmdport 0" || die "no time"
  kill -STOP "$server"
  client node 8 chronyd -Q -x -t 6 -U -u root "server 10.20.0.6 iburst" "cmdport 0"
}
