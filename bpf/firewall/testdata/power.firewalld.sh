#!/bin/sh
# pxescope firewall: phase power, platform all, hook forward
# Run as root, once; 'firewall-cmd --reload' at the end makes it count. To run it again, first
# take out what it made, with firewall-cmd --permanent --delete-zone=pxescope
# (--delete-policy=pxescope for forward) and --delete-service=pxescope-tftp.
# A rich rule matches one port, and either its source or its destination: source ports
# stand in the comments only.
#
# What these rules cannot say:
# - no node side is given: all else that is forwarded is dropped, whoever sends it; restrict with
#   --iface or --node-net
# - arp, LLDP, STP, LACP and 802.1X are no IP: these rules do not see them; do not drop them
#   elsewhere
# - not opened for want of their addresses: flows from region (--bmc-net, --admin-net, --rack,
#   --region)

set -e
firewall-cmd --permanent --new-policy=pxescope
firewall-cmd --permanent --policy=pxescope --add-ingress-zone=ANY
firewall-cmd --permanent --policy=pxescope --add-egress-zone=ANY
# ipmi: IPMI over LAN (RMCP+), rack/admin to bmc
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="10.1.0.0/24" port port="623" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="10.1.0.0/24" port port="664" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" destination address="10.1.0.0/24" port port="623" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" destination address="10.1.0.0/24" port port="664" protocol="udp" accept'
# redfish: Redfish and vendor APIs, rack to bmc
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="10.1.0.0/24" port port="443" protocol="tcp" accept'
# bmc-web: BMC web interface, admin to bmc
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" destination address="10.1.0.0/24" port port="80" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" destination address="10.1.0.0/24" port port="443" protocol="tcp" accept'
# amt: Intel AMT, rack/admin to bmc/node
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" port port="16992-16995" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" port port="16992-16995" protocol="tcp" accept'
# wol: Wake-on-LAN, rack/admin to node
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" port port="9" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" port port="9" protocol="udp" accept'
# ssdp: SSDP, rack/admin to bmc
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="10.1.0.0/24" port port="1900" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" destination address="10.1.0.0/24" port port="1900" protocol="udp" accept'
# ssdp: SSDP, rack/admin to its multicast group
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" destination address="239.255.255.250" port port="1900" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" destination address="239.255.255.250" port port="1900" protocol="udp" accept'
# snmp: SNMP, rack/admin to device/bmc
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.2" port port="161" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" port port="161" protocol="udp" accept'
# all else
# (left out: without addresses it would drop the traffic of everybody)
firewall-cmd --reload
