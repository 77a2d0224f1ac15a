# shellcheck shell=bash disable=SC2154
#: proves   a file is fetched from an rsync daemon
#: needs    dnsmasq-base udhcpc rsync
#: takes    8
#: capture  rsync.pcap
#: node     52:54:00:0a:09:14 booted dhcp
#: finding  ok dhcp-ok 52:54:00:0a:09:14

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host www sw 52:54:00:00:00:06 10.20.0.6/24
  host node sw 52:54:00:0a:09:14
  capture rsync.pcap sw
  printf "use chroot = no\n[install]\npath = /srv/http\n" >"$SRV/state/rsyncd"
  boot_program "$SRV/http/image" 9000
  daemon www rsync --daemon --no-detach --config=/srv/state/rsyncd
  wait_port www t 873
  initramfs node
  client node 6 rsync rsync://10.20.0.6/install/image /run/ || die "no image"
}
