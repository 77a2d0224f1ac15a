# shellcheck shell=bash disable=SC2154
#: proves   transfers with no option, with blksize, tsize, fragments of IP, and of an empty file
#: needs    dnsmasq-base udhcpc curl busybox tftp-hpa tftpd-hpa
#: takes    10
#: capture  tftp-options.pcap
#: node     52:54:00:0a:03:14 booted tftp
#: finding  ok dhcp-ok 52:54:00:0a:03:14
#: filter   dhcp tftp --complete
#: count    dhcp tftp arp
#: never    tftp-stalled tftp-no-answer fragments-lost tftp-error

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:03:14
  host hpa sw 52:54:00:00:00:03 10.20.0.3/24
  boot_program "$SRV/tftp/vmlinuz" 40000
  capture tftp-options.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=vmlinuz
  lease node 20
  : >"$SRV/tftp/empty"
  local n
  for n in plain classic large hpa; do cp "$SRV/tftp/vmlinuz" "$SRV/tftp/$n"; done
  truncate -s 51200 "$SRV/tftp/blocks"
  client node 10 curl -s -o /run/a --tftp-no-options tftp://10.20.0.2/plain || die "no options"
  client node 10 curl -s -o /run/a --tftp-blksize 1428 tftp://10.20.0.2/classic || die "blksize 1428"
  # dnsmasq lowers a block size to fit a frame, tftpd-hpa does not.
  tftpd hpa
  client node 10 curl -s -o /run/a --tftp-blksize 8192 tftp://10.20.0.3/large || die "blksize 8192"
  client node 10 busybox tftp -g -b 1024 -r blocks -l /run/a 10.20.0.2 || die "a multiple of the block size"
  client node 10 tftp -m binary 10.20.0.2 -c get hpa /run/a || die "tftp-hpa"
  client node 10 busybox tftp -g -r empty -l /run/a 10.20.0.2 || die "empty file"
}
