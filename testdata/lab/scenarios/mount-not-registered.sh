# shellcheck shell=bash disable=SC2154
#: proves   rpcbind runs, mountd does not: port 0; klibc then tries port 627, which is a consequence
#: needs    dnsmasq-base udhcpc rpcbind nfs-ganesha nfs-ganesha-vfs klibc-utils
#: takes    15
#: quick
#: capture  mount-not-registered.pcap
#: node     52:54:00:0a:07:14 stopped mount rpc-program-not-registered
#: finding  error rpc-program-not-registered 52:54:00:0a:07:14
#: finding  ok dhcp-ok 52:54:00:0a:07:14
#: filter   --phase provisioning
#: count    dhcp portmap arp icmp
#: may      rpc-mount-no-answer
#: never    rpc-portmap-no-answer

scenario() {
  nfs_segment 52:54:00:0a:07:14
  rpcbind nfs
  capture mount-not-registered.pcap sw
  initramfs node
  nfsmount node 8 udp,vers=3 10.20.0.4:/srv/nfs
  sleep 6
}
