# shellcheck shell=bash disable=SC2154
#: proves   a file is fetched from an rsync daemon
#: needs    dnsmasq-base udhcpc rsync
#: takes    6
#: capture  rsync.pcap
#: node     52:54:00:0a:09:14 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:14
#: counts   tcp.connections 1
#: filter   dhcp rsync --complete
#: count    dhcp rsync arp

scenario() {
  node_segment 52:54:00:0a:09:14
  capture rsync.pcap sw
  printf "use chroot = no\n[install]\npath = /srv/http\n" >"$SRV/state/rsyncd"
  boot_program "$SRV/http/image" 9000
  daemon www rsync --daemon --no-detach --config=/srv/state/rsyncd
  wait_port www t 873
  initramfs node
  client node 6 rsync rsync://10.20.0.6/install/image /run/ || die "no image"
}
