# shellcheck shell=bash disable=SC2154
#: proves   the server refuses the export to this node
#: needs    dnsmasq-base udhcpc rpcbind nfs-ganesha nfs-ganesha-vfs klibc-utils
#: takes    10
#: quick
#: capture  mount-denied.pcap
#: node     52:54:00:0a:07:13 stopped mount nfs-mount-denied
#: finding  error nfs-mount-denied 52:54:00:0a:07:13
#: finding  ok dhcp-ok 52:54:00:0a:07:13
#: filter   dhcp portmap rpc-mount --complete
#: count    dhcp portmap rpc-mount arp
#: never    rpc-mount-no-answer

scenario() {
  nfs_segment 52:54:00:0a:07:13
  nfs_server nfs
  capture mount-denied.pcap sw
  initramfs node
  nfsmount node 8 tcp,vers=3 10.20.0.4:/srv/denied
}
