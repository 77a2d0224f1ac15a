# shellcheck shell=bash disable=SC2154
#: proves   mountd accepts the connection and never answers the call: a hung server
#: needs    dnsmasq-base udhcpc rpcbind nfs-ganesha nfs-ganesha-vfs klibc-utils
#: takes    30
#: capture  mount-hung.pcap
#: node     52:54:00:0a:07:12 stopped mount rpc-mount-no-answer
#: finding  error rpc-mount-no-answer 52:54:00:0a:07:12
#: finding  ok dhcp-ok 52:54:00:0a:07:12
#: filter   dhcp portmap rpc-mount --complete
#: never    rpc-portmap-no-answer tcp-syn-unanswered tcp-refused

scenario() {
  nfs_segment 52:54:00:0a:07:12
  nfs_server nfs
  kill -STOP "$nfs_pid"
  capture mount-hung.pcap sw
  life sw
  initramfs node
  nfsmount node 18 tcp,vers=3 10.20.0.4:/srv/nfs
}
