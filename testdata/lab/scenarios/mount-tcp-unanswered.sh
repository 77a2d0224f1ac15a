# shellcheck shell=bash disable=SC2154
#: proves   portmap answers over TCP, the connection to mountd's port does not come about
#: needs    dnsmasq-base udhcpc rpcbind nfs-ganesha nfs-ganesha-vfs klibc-utils
#: takes    25
#: capture  mount-tcp-unanswered.pcap
#: node     52:54:00:0a:07:11 stopped mount rpc-mount-no-answer
#: finding  error rpc-mount-no-answer 52:54:00:0a:07:11
#: finding  ok dhcp-ok 52:54:00:0a:07:11
#: filter   dhcp portmap rpc-mount --complete
#: may      tcp-syn-unanswered
#: never    rpc-portmap-no-answer rpc-program-not-registered

scenario() {
  nfs_segment 52:54:00:0a:07:11
  nfs_server nfs
  drop nfs input tcp dport 20048
  capture mount-tcp-unanswered.pcap sw
  initramfs node
  nfsmount node 14 tcp,vers=3 10.20.0.4:/srv/nfs
}
