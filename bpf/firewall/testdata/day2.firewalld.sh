#!/bin/sh
# pxescope firewall: phase day2, platform all, hook forward
# Run as root, once; 'firewall-cmd --reload' at the end makes it count. To run it again, first
# take out what it made, with firewall-cmd --permanent --delete-zone=pxescope
# (--delete-policy=pxescope for forward) and --delete-service=pxescope-tftp.
# A rich rule matches one port, and either its source or its destination: source ports
# stand in the comments only.
#
# What these rules cannot say:
# - source ports 1-1023 are matched where the service's clients bind them; NFS mounts with
#   noresvport do not
# - arp, LLDP, STP, LACP and 802.1X are no IP: these rules do not see them; do not drop them
#   elsewhere
# - not opened for want of their addresses: flows from rack, bmc (--bmc-net, --admin-net, --rack,
#   --region)
# - no rule, since no flow of theirs passes here as far as addresses are given: xcat-log

set -e
firewall-cmd --permanent --new-policy=pxescope
firewall-cmd --permanent --policy=pxescope --add-ingress-zone=ANY
firewall-cmd --permanent --policy=pxescope --add-egress-zone=ANY
# http-proxy: HTTP proxy, node to rack/region/proxy
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="3128" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="8000" protocol="tcp" accept'
# rsync: rsync, node to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="873" protocol="tcp" accept'
# rsync: rsync, rack to node
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" destination address="10.0.0.0/24" port port="873" protocol="tcp" accept'
# apt: APT repositories, node to mirror
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="80" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="443" protocol="tcp" accept'
# snap: Snap store, node to mirror
# ssh: SSH, admin to node/rack/region/host/bmc/device
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" port port="22" protocol="tcp" accept'
# ssh: SSH, rack to node/region/host/bmc/device
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="22" protocol="tcp" accept'
# syslog: Syslog, node to log/rack/region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="514" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="5247" protocol="udp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="6514" protocol="udp" accept'
# syslog: Syslog, node to log/rack/region
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="514" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="5247" protocol="tcp" accept'
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="6514" protocol="tcp" accept'
# rsh: Remote shell (rsh), rack to node; from source port 1-1023, not matched
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" destination address="10.0.0.0/24" port port="514" protocol="tcp" accept'
# rsh: Remote shell (rsh), admin to node/rack; from source port 1-1023, not matched
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" port port="514" protocol="tcp" accept'
# rsh: Remote shell (rsh), node to rack; from source port 1-1023, not matched
# kshell: Kerberos remote shell, admin to node; from source port 1-1023, not matched
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" destination address="10.0.0.0/24" port port="544" protocol="tcp" accept'
# conserver: conserver, admin to rack
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="192.0.2.0/24" port port="782" protocol="tcp" accept'
# mdns: mDNS, node to rack/region/host
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" port port="5353" protocol="udp" accept'
# mdns: mDNS, node to its multicast group
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" source address="10.0.0.0/24" destination address="224.0.0.251" port port="5353" protocol="udp" accept'
# mdns: mDNS, rack to node/region/host
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule port port="5353" protocol="udp" accept'
# mdns: mDNS, rack to its multicast group
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv4" destination address="224.0.0.251" port port="5353" protocol="udp" accept'
# mdns: mDNS, rack to its multicast group
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule family="ipv6" destination address="ff02::fb" port port="5353" protocol="udp" accept'
# all else from the nodes
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule priority="100" family="ipv4" source address="10.0.0.0/24" drop'
# all else to the nodes
firewall-cmd --permanent --policy=pxescope --add-rich-rule='rule priority="100" family="ipv4" destination address="10.0.0.0/24" drop'
firewall-cmd --reload
