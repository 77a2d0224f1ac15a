# shellcheck shell=bash disable=SC2154
#: proves   a node logs to a syslog server, over UDP and TCP: nobody answers, and this is normal
#: needs    dnsmasq-base udhcpc bsdutils rsyslog
#: takes    5
#: quick
#: capture  syslog.pcap
#: node     52:54:00:0a:09:17 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:17
#: counts   tcp.connections 1
#: filter   dhcp syslog --complete
#: count    dhcp syslog arp

scenario() {
  node_segment 52:54:00:0a:09:17
  capture syslog.pcap sw
  cat >"$SRV/state/rsyslog.conf" <<'CONF'
module(load="imudp")
module(load="imtcp")
input(type="imudp" port="514")
input(type="imtcp" port="514")
*.* /srv/state/messages
CONF
  daemon www rsyslogd -n -f /srv/state/rsyslog.conf -i /run/rsyslogd.pid
  wait_port www t 514
  initramfs node
  local i
  for i in 1 2 3 4 5; do client node 3 logger -n 10.20.0.6 -P 514 -d -t cloud-init "stage $i"; done
  client node 3 logger -n 10.20.0.6 -P 514 -T -t cloud-init "the end"
}
