# shellcheck shell=bash disable=SC2154
#: proves   a node sets its clock from an NTP server; then the server is gone
#: needs    dnsmasq-base udhcpc chrony
#: takes    14
#: capture  ntp.pcap
#: finding  ok dhcp-ok 52:54:00:0a:09:16
#: may      clock-wrong
#: never    blocked-by-firewall

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host www sw 52:54:00:00:00:06 10.20.0.6/24
  host node sw 52:54:00:0a:09:16
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
