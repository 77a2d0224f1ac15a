# shellcheck shell=bash disable=SC2154
#: proves   NFSv4 needs neither portmap nor MOUNT
#: needs    dnsmasq-base udhcpc nfs-ganesha nfs-ganesha-vfs rpcbind libnfs-utils
#: takes    8
#: capture  nfs-v4.pcap
#: node     52:54:00:0a:07:03 booted nfs
#: finding  ok dhcp-ok 52:54:00:0a:07:03
#: finding  ok nfs-v4-no-portmap
#: filter   dhcp nfs --complete
#: count    dhcp nfs arp

scenario() {
  nfs_segment 52:54:00:0a:07:03
  nfs_server nfs
  capture nfs-v4.pcap sw
  initramfs node
  client node 10 nfs-cat 'nfs://10.20.0.4/nfs/nbp?version=4'
}
