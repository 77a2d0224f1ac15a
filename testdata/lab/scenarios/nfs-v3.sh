# shellcheck shell=bash disable=SC2154
#: proves   a node with a lease reads a file over NFSv3 (libnfs): portmap, MOUNT and NFS
#: needs    dnsmasq-base udhcpc nfs-ganesha nfs-ganesha-vfs rpcbind libnfs-utils
#: takes    8
#: quick
#: capture  nfs-v3.pcap
#: node     52:54:00:0a:07:02 booted nfs
#: finding  ok dhcp-ok 52:54:00:0a:07:02
#: filter   dhcp portmap rpc-mount nfs --complete
#: count    dhcp portmap rpc-mount nfs arp

scenario() {
  nfs_segment 52:54:00:0a:07:02
  nfs_server nfs
  capture nfs-v3.pcap sw
  initramfs node
  client node 10 nfs-cat nfs://10.20.0.4/srv/nfs/nbp
}
