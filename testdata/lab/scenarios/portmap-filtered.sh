# shellcheck shell=bash disable=SC2154
#: proves   a firewall drops what goes to rpcbind
#: needs    dnsmasq-base udhcpc rpcbind nfs-ganesha nfs-ganesha-vfs klibc-utils
#: takes    30
#: capture  portmap-filtered.pcap
#: node     52:54:00:0a:07:16 stopped mount rpc-portmap-no-answer
#: finding  error rpc-portmap-no-answer 52:54:00:0a:07:16
#: finding  ok dhcp-ok 52:54:00:0a:07:16
#: filter   dhcp portmap --complete
#: count    dhcp portmap arp
#: may      tcp-syn-unanswered
#: never    rpc-program-not-registered

scenario() {
  nfs_segment 52:54:00:0a:07:16
  rpcbind nfs
  drop nfs input meta l4proto '{ tcp, udp }' th dport 111
  capture portmap-filtered.pcap sw
  initramfs node
  nfsmount node 20 udp,vers=3 10.20.0.4:/srv/nfs
}
