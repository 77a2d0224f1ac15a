# shellcheck shell=bash disable=SC2154
#: proves   no rpcbind on the server: RST over TCP, ICMP port unreachable over UDP
#: needs    dnsmasq-base udhcpc rpcbind nfs-ganesha nfs-ganesha-vfs klibc-utils
#: takes    20
#: capture  portmap-closed.pcap
#: node     52:54:00:0a:07:15 stopped mount rpc-portmap-no-answer
#: finding  error rpc-portmap-no-answer 52:54:00:0a:07:15
#: finding  ok dhcp-ok 52:54:00:0a:07:15
#: filter   dhcp portmap --complete
#: may      tcp-refused
#: never    rpc-program-not-registered blocked-by-firewall

scenario() {
  nfs_segment 52:54:00:0a:07:15
  capture portmap-closed.pcap sw
  initramfs node
  nfsmount node 12 udp,vers=3 10.20.0.4:/srv/nfs
  sleep 4
}
