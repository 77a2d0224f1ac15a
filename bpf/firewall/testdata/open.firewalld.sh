#!/bin/sh
# pxescope firewall: phase provisioning, platform all, hook forward
# Run as root, once; 'firewall-cmd --reload' at the end makes it count. To run it again, first
# take out what it made, with firewall-cmd --permanent --delete-zone=pxescope
# (--delete-policy=pxescope for forward) and --delete-service=pxescope-tftp.
# A rich rule matches one port, and either its source or its destination: source ports
# stand in the comments only.
#
# What these rules cannot say:
# - no node side is given: all else that is forwarded is dropped, whoever sends it; restrict with
#   --iface or --node-net
# - tftp: data runs between two other ports; it passes as related thanks to the helper, which needs
#   the kernel module nf_conntrack_tftp
# - tftp: through NAT it needs nf_nat_tftp as well, and no rule here can see to that; a server that
#   answers from another address is never related
# - rpc-mount: mountd takes any port unless it is pinned; for 20048 write port=20048 under [mountd]
#   in /etc/nfs.conf and restart it; see rpcinfo -p
# - nlm, nsm: ports come from portmap at run time and cannot be expressed; pin them under [lockd]
#   and [statd] in /etc/nfs.conf, then add them, or mount with nolock or NFS version 4
# - source ports 1-1023 are matched where the service's clients bind them; NFS mounts with
#   noresvport do not
# - mtftp: data is multicast to a group that the boot server chooses; it is not opened
# - dhcp: a router forwards no broadcast; a relay on this router itself needs rules for input and
#   output; the broadcast rules count on a bridge (br_netfilter)
# - arp, LLDP, STP, LACP and 802.1X are no IP: these rules do not see them; do not drop them
#   elsewhere

set -e
firewall-cmd --permanent --new-policy=pxescope
firewall-cmd --permanent --policy=pxescope --add-ingress-zone=ANY
firewall-cmd --permanent --policy=pxescope --add-egress-zone=ANY
# tftp: the service carries the conntrack helper.
firewall-cmd --permanent --new-service=pxescope-tftp
firewall-cmd --permanent --service=pxescope-tftp --add-port=69/udp
firewall-cmd --permanent --service=pxescope-tftp --add-helper=tftp
# dhcp: DHCP from a client, which has no address yet; from source port 68, not matched
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" destination address="255.255.255.255" port port="67" protocol="udp" accept'
# dhcp: DHCP renewal, unicast to the server; from source port 68, not matched
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" port port="67" protocol="udp" accept'
# dhcp: DHCP from a relay, whichever of its addresses it speaks from; from source port 67, not matched
# dhcp: DHCP answer and NAK to a client, broadcast or to the address offered; from source port 67, not matched
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" port port="68" protocol="udp" accept'
# proxydhcp: ProxyDHCP and PXE boot server (BINL), node to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="4011" protocol="udp" accept'
# dhcp6: DHCPv6 from a client, multicast on the link
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv6" source address="fe80::/10" destination address="ff02::1:2" port port="547" protocol="udp" accept'
# dhcp6: DHCPv6 from a relay
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv6" port port="547" protocol="udp" accept'
# dhcp6: DHCPv6 answer to a client on a bridged link
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv6" source address="fe80::/10" destination address="fe80::/10" port port="546" protocol="udp" accept'
# tftp: TFTP, node/bmc/device to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule service name="pxescope-tftp" accept'
# mtftp: Multicast TFTP, node to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="1759" protocol="udp" accept'
# http: HTTP boot and images, node/bmc to rack/region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="80" protocol="tcp" accept'
# https: HTTPS boot, node/bmc to rack/region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="443" protocol="tcp" accept'
# maas-http-boot: MAAS HTTP boot, node to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="5248" protocol="tcp" accept'
# dns: DNS, node/bmc/host/admin to rack/region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="53" protocol="udp" accept'
# dns: DNS, node/bmc/host/admin to rack/region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="53" protocol="tcp" accept'
# ntp: NTP, node/bmc/host to ntp/rack/region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="123" protocol="udp" accept'
# http-proxy: HTTP proxy, node to rack/region/proxy
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="3128" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="8000" protocol="tcp" accept'
# maas-region: MAAS API and metadata, node/rack/admin to region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="5240" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="5443" protocol="tcp" accept'
# maas-rpc: MAAS region RPC, rack to region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="5250-5259" protocol="tcp" accept'
# maas-internal: MAAS internal HTTP, rack to region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="5242" protocol="tcp" accept'
# maas-beacon: MAAS beacons, rack to region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="5240" protocol="udp" accept'
# maas-beacon: MAAS beacons, rack to its multicast group
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" destination address="224.0.0.118" port port="5240" protocol="udp" accept'
# maas-beacon: MAAS beacons, rack to its multicast group
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv6" destination address="ff02::15a" port port="5240" protocol="udp" accept'
# dhcp-failover: DHCP failover, rack to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="647" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="847" protocol="tcp" accept'
# omapi: OMAPI, rack to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="7911" protocol="tcp" accept'
# xcatd: xcatd, node to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="3001" protocol="tcp" accept'
# xcatd-udp: xcatd discovery, node to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="3001" protocol="udp" accept'
# xcat-monitor: xCAT install monitor, node to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="3002" protocol="tcp" accept'
# xcat-credentials: xCAT credential check, rack to node
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="300" protocol="tcp" accept'
# portmap: Portmap (rpcbind), node to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="111" protocol="udp" accept'
# portmap: Portmap (rpcbind), node to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="111" protocol="tcp" accept'
# rpc-mount: RPC mount (mountd), node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="20048" protocol="udp" accept'
# rpc-mount: RPC mount (mountd), node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="20048" protocol="tcp" accept'
# nfs: NFS, node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="2049" protocol="udp" accept'
# nfs: NFS, node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="2049" protocol="tcp" accept'
# iscsi: iSCSI, node to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="3260" protocol="tcp" accept'
# smb: SMB, node to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="445" protocol="tcp" accept'
# rsync: rsync, node to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="873" protocol="tcp" accept'
# icmp: echo; errors (too big, unreachable) have passed as related
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" protocol value="icmp" accept'
# icmpv6-ra: router discovery on the link
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv6" protocol value="ipv6-icmp" accept'
# icmpv6: echo, neighbour discovery, multicast listeners; errors have passed as related
# syslog: Syslog, node/bmc/device/host to log/rack/region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="514" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="5247" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="6514" protocol="udp" accept'
# syslog: Syslog, node/bmc/device/host to log/rack/region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="514" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="5247" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="6514" protocol="tcp" accept'
# nim: NIM, node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="1058" protocol="tcp" accept'
# ironic: Ironic API, node/admin to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="6385" protocol="tcp" accept'
# ironic-inspector: Ironic inspector, node/admin to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="5050" protocol="tcp" accept'
# ironic-agent: Ironic agent, rack to node
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="9999" protocol="tcp" accept'
# ironic-images: Ironic image server, node/bmc to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="6180" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="6183" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="8080" protocol="tcp" accept'
# cobbler: Cobbler XML-RPC, node/admin to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="25151" protocol="tcp" accept'
# foreman-proxy: Foreman smart proxy, node/region to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="8443" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="8448" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="9090" protocol="tcp" accept'
# smee: Smee HTTP, node to rack
# warewulf: Warewulf, node to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="9873" protocol="tcp" accept'
# all else
# (left out: without addresses it would drop the traffic of everybody)
firewall-cmd --reload
