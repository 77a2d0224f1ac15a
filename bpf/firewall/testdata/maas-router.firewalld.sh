#!/bin/sh
# pxescope firewall: phase provisioning, platform maas, hook forward
# Run as root, once; 'firewall-cmd --reload' at the end makes it count. To run it again, first
# take out what it made, with firewall-cmd --permanent --delete-zone=pxescope
# (--delete-policy=pxescope for forward) and --delete-service=pxescope-tftp.
# A rich rule matches one port, and either its source or its destination: source ports
# stand in the comments only.
#
# What these rules cannot say:
# - tftp: data runs between two other ports; it passes as related thanks to the helper, which needs
#   the kernel module nf_conntrack_tftp
# - tftp: through NAT it needs nf_nat_tftp as well, and no rule here can see to that; a server that
#   answers from another address is never related
# - mtftp: data is multicast to a group that the boot server chooses; it is not opened
# - dhcp: a router forwards no broadcast; a relay on this router itself needs rules for input and
#   output; the broadcast rules count on a bridge (br_netfilter)
# - arp, LLDP, STP, LACP and 802.1X are no IP: these rules do not see them; do not drop them
#   elsewhere
# - not opened for want of their addresses: flows from bmc, admin (--bmc-net, --admin-net, --rack,
#   --region)
# - no rule, since no flow of theirs passes here as far as addresses are given: dhcp-failover, omapi

set -e
firewall-cmd --permanent --new-policy=pxescope
firewall-cmd --permanent --policy=pxescope --add-ingress-zone=ANY
firewall-cmd --permanent --policy=pxescope --add-egress-zone=ANY
# tftp: the service carries the conntrack helper.
firewall-cmd --permanent --new-service=pxescope-tftp
firewall-cmd --permanent --service=pxescope-tftp --add-port=69/udp
firewall-cmd --permanent --service=pxescope-tftp --add-helper=tftp
# dhcp: DHCP from a client, which has no address yet; from source port 68, not matched; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" destination address="255.255.255.255" port port="67" protocol="udp" accept'
# dhcp: DHCP renewal, unicast to the server; from source port 68, not matched; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="67" protocol="udp" accept'
# dhcp: DHCP from a relay, whichever of its addresses it speaks from; from source port 67, not matched
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" destination address="10.0.0.2" port port="67" protocol="udp" accept'
# dhcp: DHCP answer to a relay: to giaddr, not always where the question came from; from source port 67, not matched
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" port port="67" protocol="udp" accept'
# dhcp: DHCP answer and NAK to a client, broadcast or to the address offered; from source port 67, not matched; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="10.0.0.0/24" port port="68" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="255.255.255.255" port port="68" protocol="udp" accept'
# proxydhcp: ProxyDHCP and PXE boot server (BINL), node to rack; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="4011" protocol="udp" accept'
# dhcp6: DHCPv6 from a client, multicast on the link; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv6" source address="fe80::/10" destination address="ff02::1:2" port port="547" protocol="udp" accept'
# dhcp6: DHCPv6 from a relay
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv6" destination address="ff05::1:3" port port="547" protocol="udp" accept'
# dhcp6: DHCPv6 answer to a client on a bridged link; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv6" source address="fe80::/10" destination address="fe80::/10" port port="546" protocol="udp" accept'
# tftp: TFTP, node to rack; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" service name="pxescope-tftp" accept'
# mtftp: Multicast TFTP, node to rack; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="1759" protocol="udp" accept'
# http: HTTP boot and images, node to rack/region; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="80" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.3" port port="80" protocol="tcp" accept'
# https: HTTPS boot, node to rack/region; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="443" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.3" port port="443" protocol="tcp" accept'
# maas-http-boot: MAAS HTTP boot, node to rack; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="5248" protocol="tcp" accept'
# dns: DNS, node to rack/region; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="53" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.3" port port="53" protocol="udp" accept'
# dns: DNS, rack to region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="10.0.0.3" port port="53" protocol="udp" accept'
# dns: DNS, region to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.3" destination address="10.0.0.2" port port="53" protocol="udp" accept'
# dns: DNS, node to rack/region; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="53" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.3" port port="53" protocol="tcp" accept'
# dns: DNS, rack to region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="10.0.0.3" port port="53" protocol="tcp" accept'
# dns: DNS, region to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.3" destination address="10.0.0.2" port port="53" protocol="tcp" accept'
# ntp: NTP, node to ntp/rack/region; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="123" protocol="udp" accept'
# ntp: NTP, rack to ntp/region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" port port="123" protocol="udp" accept'
# ntp: NTP, region to ntp/rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.3" port port="123" protocol="udp" accept'
# http-proxy: HTTP proxy, node to rack/region/proxy; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="3128" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="8000" protocol="tcp" accept'
# maas-region: MAAS API and metadata, node to region; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.3" port port="5240" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.3" port port="5443" protocol="tcp" accept'
# maas-region: MAAS API and metadata, rack to region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="10.0.0.3" port port="5240" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="10.0.0.3" port port="5443" protocol="tcp" accept'
# maas-rpc: MAAS region RPC, rack to region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="10.0.0.3" port port="5250-5259" protocol="tcp" accept'
# maas-internal: MAAS internal HTTP, rack to region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="10.0.0.3" port port="5242" protocol="tcp" accept'
# maas-beacon: MAAS beacons, rack to region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="10.0.0.3" port port="5240" protocol="udp" accept'
# maas-beacon: MAAS beacons, rack to its multicast group
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="224.0.0.118" port port="5240" protocol="udp" accept'
# maas-beacon: MAAS beacons, region to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.3" destination address="10.0.0.2" port port="5240" protocol="udp" accept'
# maas-beacon: MAAS beacons, region to its multicast group
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.3" destination address="224.0.0.118" port port="5240" protocol="udp" accept'
# iscsi: iSCSI, node to rack; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.2" port port="3260" protocol="tcp" accept'
# icmp: echo; errors (too big, unreachable) have passed as related; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" protocol value="icmp" accept'
# icmp: echo; errors (too big, unreachable) have passed as related; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" destination address="10.0.0.0/24" protocol value="icmp" accept'
# icmpv6-ra: router discovery on the link; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv6" protocol value="ipv6-icmp" accept'
# icmpv6-ra: router discovery on the link; the interface is not matched: rich rules have none
# icmpv6: echo, neighbour discovery, multicast listeners; errors have passed as related; the interface is not matched: rich rules have none
# icmpv6: echo, neighbour discovery, multicast listeners; errors have passed as related; the interface is not matched: rich rules have none
# syslog: Syslog, node to log/rack/region; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="514" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="5247" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="6514" protocol="udp" accept'
# syslog: Syslog, node to log/rack/region; the interface is not matched: rich rules have none
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="514" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="5247" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="6514" protocol="tcp" accept'
# all else from the nodes; the interface is not matched: rich rules have none
# (left out: without addresses it would drop the traffic of everybody)
# all else to the nodes; the interface is not matched: rich rules have none
# (left out: without addresses it would drop the traffic of everybody)
firewall-cmd --reload
