# shellcheck shell=bash disable=SC2154
#: proves   an HTTP server (nginx) hangs in the middle of a body: the connection stays, nothing follows
#: needs    dnsmasq-base udhcpc nginx-light curl
#: takes    30
#: capture  http-stalled.pcap
#: finding  ok dhcp-ok 52:54:00:0a:08:0a
#: counts   tcp.connections 1
#: counts   tcp.syn_unanswered 0
#: counts   tcp.refused 0
#: filter   dhcp http --complete
#: later    error http-stalled 52:54:00:0a:08:0a
#: never    path-mtu-black-hole tcp-syn-unanswered tcp-refused http-server-error

scenario() {
  node_segment 52:54:00:0a:08:0a
  boot_program "$SRV/http/slow/initrd" 60000
  nginx www
  local server=$last
  capture http-stalled.pcap sw
  life sw
  initramfs node
  daemon node curl -s -m 22 -o /srv/state/initrd http://10.20.0.6/slow/initrd
  until_ok 10 test -s "$SRV/state/initrd" || die "nothing of the file came"
  kill -STOP "$server"
  wait "$last"
  local size
  size=$(stat -c %s "$SRV/state/initrd")
  [ "$size" -lt 60000 ] || die "the whole file came"
}
