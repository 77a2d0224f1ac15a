#!/bin/sh
# pxescope firewall: phase provisioning, platform xcat, hook input
# Run as root, once; 'firewall-cmd --reload' at the end makes it count. To run it again, first
# take out what it made, with firewall-cmd --permanent --delete-zone=pxescope
# (--delete-policy=pxescope for forward) and --delete-service=pxescope-tftp.
# A rich rule matches one port, and either its source or its destination: source ports
# stand in the comments only.
#
# What these rules cannot say:
# - only traffic from the nodes is judged; what this machine starts itself, and what comes from
#   elsewhere, is not
# - no --region is given: the region is taken to run on this machine too
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
# - dhcp: ISC dhcpd and Kea read broadcasts before any rule here; the rules count for unicast,
#   relays and other servers
# - arp, LLDP, STP, LACP and 802.1X are no IP: these rules do not see them; do not drop them
#   elsewhere
# - not opened for want of their addresses: flows from bmc, admin, region (--bmc-net, --admin-net,
#   --rack, --region)
# - no rule, since no flow of theirs passes here as far as addresses are given: dhcp-failover,
#   omapi, xcat-credentials

set -e
firewall-cmd --permanent --new-zone=pxescope
firewall-cmd --permanent --zone=pxescope --set-target=DROP
firewall-cmd --permanent --zone=pxescope --add-source=10.0.0.0/24
firewall-cmd --permanent --zone=pxescope --add-source=fd00::/64
# tftp: the service carries the conntrack helper.
firewall-cmd --permanent --new-service=pxescope-tftp
firewall-cmd --permanent --service=pxescope-tftp --add-port=69/udp
firewall-cmd --permanent --service=pxescope-tftp --add-helper=tftp
# dhcp: DHCP from a client, which has no address yet; from source port 68, not matched
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" destination address="255.255.255.255" port port="67" protocol="udp" accept'
# dhcp: DHCP renewal, unicast to the server; from source port 68, not matched
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="67" protocol="udp" accept'
# dhcp: DHCP from a relay, whichever of its addresses it speaks from; from source port 67, not matched
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" destination address="10.0.0.2" port port="67" protocol="udp" accept'
# proxydhcp: ProxyDHCP and PXE boot server (BINL), node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="4011" protocol="udp" accept'
# proxydhcp: ProxyDHCP and PXE boot server (BINL), node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="4011" protocol="udp" accept'
# dhcp6: DHCPv6 from a client, multicast on the link
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fe80::/10" destination address="ff02::1:2" port port="547" protocol="udp" accept'
# dhcp6: DHCPv6 from a relay
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" destination address="fd00::2" port port="547" protocol="udp" accept'
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" destination address="ff05::1:3" port port="547" protocol="udp" accept'
# tftp: TFTP, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" service name="pxescope-tftp" accept'
# tftp: TFTP, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" service name="pxescope-tftp" accept'
# mtftp: Multicast TFTP, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="1759" protocol="udp" accept'
# mtftp: Multicast TFTP, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="1759" protocol="udp" accept'
# http: HTTP boot and images, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="80" protocol="tcp" accept'
# http: HTTP boot and images, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" port port="80" protocol="tcp" accept'
# https: HTTPS boot, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="443" protocol="tcp" accept'
# https: HTTPS boot, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" port port="443" protocol="tcp" accept'
# dns: DNS, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="53" protocol="udp" accept'
# dns: DNS, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" port port="53" protocol="udp" accept'
# dns: DNS, rack to region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" port port="53" protocol="udp" accept'
# dns: DNS, rack to region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::2" port port="53" protocol="udp" accept'
# dns: DNS, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="53" protocol="tcp" accept'
# dns: DNS, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" port port="53" protocol="tcp" accept'
# dns: DNS, rack to region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" port port="53" protocol="tcp" accept'
# dns: DNS, rack to region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::2" port port="53" protocol="tcp" accept'
# ntp: NTP, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="123" protocol="udp" accept'
# ntp: NTP, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" port port="123" protocol="udp" accept'
# ntp: NTP, rack to region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" port port="123" protocol="udp" accept'
# ntp: NTP, rack to region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::2" port port="123" protocol="udp" accept'
# xcatd: xcatd, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="3001" protocol="tcp" accept'
# xcatd: xcatd, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="3001" protocol="tcp" accept'
# xcatd-udp: xcatd discovery, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="3001" protocol="udp" accept'
# xcatd-udp: xcatd discovery, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="3001" protocol="udp" accept'
# xcat-monitor: xCAT install monitor, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="3002" protocol="tcp" accept'
# xcat-monitor: xCAT install monitor, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="3002" protocol="tcp" accept'
# portmap: Portmap (rpcbind), node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="111" protocol="udp" accept'
# portmap: Portmap (rpcbind), node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="111" protocol="udp" accept'
# portmap: Portmap (rpcbind), node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="111" protocol="tcp" accept'
# portmap: Portmap (rpcbind), node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="111" protocol="tcp" accept'
# rpc-mount: RPC mount (mountd), node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="20048" protocol="udp" accept'
# rpc-mount: RPC mount (mountd), node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="20048" protocol="udp" accept'
# rpc-mount: RPC mount (mountd), node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="20048" protocol="tcp" accept'
# rpc-mount: RPC mount (mountd), node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="20048" protocol="tcp" accept'
# nfs: NFS, node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="2049" protocol="udp" accept'
# nfs: NFS, node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="2049" protocol="udp" accept'
# nfs: NFS, node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="2049" protocol="tcp" accept'
# nfs: NFS, node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="2049" protocol="tcp" accept'
# iscsi: iSCSI, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="3260" protocol="tcp" accept'
# iscsi: iSCSI, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="3260" protocol="tcp" accept'
# smb: SMB, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="445" protocol="tcp" accept'
# smb: SMB, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="445" protocol="tcp" accept'
# rsync: rsync, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="873" protocol="tcp" accept'
# rsync: rsync, node to rack
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="873" protocol="tcp" accept'
# icmp: echo; errors (too big, unreachable) have passed as related
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" protocol value="icmp" accept'
# icmpv6-ra: router discovery on the link
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" protocol value="ipv6-icmp" accept'
# icmpv6: echo, neighbour discovery, multicast listeners; errors have passed as related
# syslog: Syslog, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="514" protocol="udp" accept'
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="5247" protocol="udp" accept'
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="6514" protocol="udp" accept'
# syslog: Syslog, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" port port="514" protocol="udp" accept'
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" port port="5247" protocol="udp" accept'
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" port port="6514" protocol="udp" accept'
# syslog: Syslog, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="514" protocol="tcp" accept'
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="5247" protocol="tcp" accept'
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="6514" protocol="tcp" accept'
# syslog: Syslog, node to rack/region
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" port port="514" protocol="tcp" accept'
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" port port="5247" protocol="tcp" accept'
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" port port="6514" protocol="tcp" accept'
# nim: NIM, node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="1058" protocol="tcp" accept'
# nim: NIM, node to rack; from source port 1-1023, not matched
firewall-cmd --permanent --zone=pxescope --add-rich-rule='rule family="ipv6" source address="fd00::/64" destination address="fd00::2" port port="1058" protocol="tcp" accept'
firewall-cmd --reload
