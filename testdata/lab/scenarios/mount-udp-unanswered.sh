# shellcheck shell=bash disable=SC2154
#: proves   portmap answers over UDP, mountd's port does not: a firewall that opens 111 only
#: needs    dnsmasq-base udhcpc rpcbind nfs-ganesha nfs-ganesha-vfs klibc-utils
#: takes    25
#: quick
#: capture  mount-udp-unanswered.pcap
#: node     52:54:00:0a:07:10 stopped mount rpc-mount-no-answer
#: finding  error rpc-mount-no-answer 52:54:00:0a:07:10
#: finding  ok dhcp-ok 52:54:00:0a:07:10
#: filter   dhcp portmap rpc-mount --complete
#: filter   portmap --complete leaves dhcp
#: count    dhcp portmap rpc-mount arp
#: never    rpc-portmap-no-answer rpc-program-not-registered

scenario() {
  nfs_segment 52:54:00:0a:07:10
  nfs_server nfs
  drop nfs input udp dport 20048
  capture mount-udp-unanswered.pcap sw
  initramfs node
  nfsmount node 14 udp,vers=3 10.20.0.4:/srv/nfs
  sleep 4
}
