# shellcheck shell=bash disable=SC2154
#: proves   the server hangs while a machine has a lease: its renewals and, after the lease, its DISCOVERs are not answered
#: needs    isc-dhcp-server udhcpc
#: takes    60
#: capture  dhcp-renew-unanswered.pcap
#: node     52:54:00:0a:05:10 stopped dhcp dhcp-no-offer
#: finding  ok dhcp-ok 52:54:00:0a:05:10
#: finding  error dhcp-no-offer 52:54:00:0a:05:10
#: filter   dhcp --complete
#: may      dhcp-request-unanswered second-stage-dhcp-fails
#: never    dhcp-offer-ignored dhcp-nak

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:05:10
  ISC_LEASE=30 isc_dhcpd srv
  local dhcpd=$last
  capture dhcp-renew-unanswered.pcap sw
  life sw
  udhcpc_script
  daemon node udhcpc -i eth0 -f -s /srv/state/udhcpc -t 5 -T 3 -A 5
  wait_log 15 "$lastlog" "obtained|lease of"
  kill -STOP "$dhcpd"
  sleep 52
}
