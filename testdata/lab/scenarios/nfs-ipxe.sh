# shellcheck shell=bash disable=SC2154
#: proves   iPXE loads a program over NFSv3: portmap, MOUNT, READ
#: needs    qemu-system-x86 ipxe-qemu dnsmasq-base nfs-ganesha nfs-ganesha-vfs rpcbind
#: takes    30
#: capture  nfs-ipxe.pcap
#: node     52:54:00:0a:07:01 booted nfs
#: finding  ok dhcp-ok 52:54:00:0a:07:01
#: filter   --phase provisioning
#: never    rpc-program-not-registered nfs-error rpc-mount-no-answer

scenario() {
  nfs_segment 52:54:00:77:00:07
  printf '#!ipxe\nchain nfs://10.20.0.4/srv/nfs/nbp\n' >"$SRV/tftp/boot.ipxe"
  nfs_server nfs
  capture nfs-ipxe.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=boot.ipxe
  bios sw 52:54:00:0a:07:01
  machine_ends 120
}
