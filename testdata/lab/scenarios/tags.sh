# shellcheck shell=bash disable=SC2154
#: proves   the same boot behind 802.1Q, 802.1ad with 802.1Q in it, and a priority tag; a missing file is found behind tags too
#: needs    dnsmasq-base busybox udhcpc curl python3-minimal
#: takes    15
#: quick
#: capture  tag-8021q.pcap
#: node     52:54:00:0a:09:03 booted http
#: finding  ok dhcp-ok 52:54:00:0a:09:03
#: filter   dhcp tftp http --complete
#: count    dhcp tftp http arp
#: capture  tag-qinq.pcap
#: node     52:54:00:0a:09:03 booted http
#: finding  ok dhcp-ok 52:54:00:0a:09:03
#: filter   dhcp tftp http --complete
#: count    dhcp tftp http arp
#: capture  tag-priority.pcap
#: node     52:54:00:0a:09:03 booted http
#: finding  ok dhcp-ok 52:54:00:0a:09:03
#: filter   dhcp tftp http --complete
#: count    dhcp tftp http arp
#: capture  tag-fault.pcap
#: node     52:54:00:0a:09:04 stopped tftp tftp-file-not-found
#: finding  error tftp-file-not-found 52:54:00:0a:09:04
#: filter   dhcp tftp --complete
#: count    dhcp tftp arp

# srv - core - edge1 - trunk (tagged) - edge2 - sw - node
scenario() {
  segment core
  segment trunk
  segment sw
  host srv core 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:09:03
  host other sw 52:54:00:0a:09:04
  local e
  for e in 1 2; do
    host edge$e trunk 52:54:00:0e:00:0$e
    ns edge$e ip link set dev eth0 mtu 1508
    ns trunk ip link set dev p$((lab_ids - 1)) mtu 1508
  done
  leg edge1 core eth1 52:54:00:0e:00:11
  leg edge2 sw eth1 52:54:00:0e:00:12
  os_server
  tagged tag-8021q.pcap 8100:0078
  tagged tag-qinq.pcap 88a8:0064 8100:0078
  tagged tag-priority.pcap 8100:6000
  tagged tag-fault.pcap 8100:00c8
}

# tagged FILE TAG...: boot through a trunk with these tags.
tagged() {
  local file=$1 e edges=()
  shift
  capture "$file" trunk
  for e in 1 2; do
    daemon edge$e /usr/bin/python3 "$LAB_HOME/tagger.py" eth1 eth0 "$@"
    edges+=("$last")
  done
  sleep 0.5
  if [ "$file" = tag-fault.pcap ]; then
    lease other 10
    client other 10 busybox tftp -g -r pxelinux.0 -l /run/x 10.20.0.2
  else
    os_boot node
    ns node ip addr flush dev eth0
  fi
  stop_captures
  kill -KILL "${edges[@]}"
}
