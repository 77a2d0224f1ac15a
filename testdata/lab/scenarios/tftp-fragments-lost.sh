# shellcheck shell=bash disable=SC2154
#: proves   blocks larger than a frame, and a network that loses all fragments but the first
#: needs    dnsmasq-base udhcpc curl tftpd-hpa
#: takes    35
#: capture  tftp-fragments-lost.pcap
#: node     52:54:00:0a:03:16 stopped tftp fragments-lost
#: finding  error fragments-lost
#: may      tftp-stalled
#: never    tftp-no-answer

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:03:16
  boot_program "$SRV/tftp/vmlinuz" 40000
  capture tftp-fragments-lost.pcap sw
  tftpd srv
  initramfs node
  egress srv "ip frag-off & 0x1fff != 0"
  client node 25 curl -s -m 22 -o /run/x --tftp-blksize 8192 tftp://10.20.0.2/vmlinuz
  sleep 1
}
