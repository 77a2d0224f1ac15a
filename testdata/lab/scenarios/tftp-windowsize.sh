# shellcheck shell=bash disable=SC2154
#: proves   windows of three and eight blocks (RFC 7440), alone and with blksize, tsize and timeout
#: needs    dnsmasq-base udhcpc
#: unpacks  atftp atftpd
#: takes    10
#: capture  tftp-windowsize.pcap
#: node     52:54:00:0a:03:18 booted tftp
#: finding  ok dhcp-ok 52:54:00:0a:03:18
#: counts   tftp.rrq 5
#: counts   tftp.completed 5
#: counts   tftp.unanswered 0
#: filter   dhcp tftp --complete
#: never    tftp-stalled tftp-no-answer tftp-error

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:03:18
  boot_program "$SRV/tftp/vmlinuz" 15000
  capture tftp-windowsize.pcap sw
  dnsmasq srv --no-ping --dhcp-range=10.20.0.100,10.20.0.150,255.255.255.0,30m --dhcp-boot=w8
  daemon srv "$LAB_UNPACKED/atftpd/usr/sbin/atftpd" --daemon --no-fork --bind-address 10.20.0.2 --user root.root --logfile - /srv/tftp
  wait_port srv u 69
  lease node 20
  local n
  for n in w8 w8-b1400 w3-b1024 timeout all; do cp "$SRV/tftp/vmlinuz" "$SRV/tftp/$n"; done
  get w8 "windowsize 8"
  get w8-b1400 "windowsize 8" "blksize 1400"
  get w3-b1024 "windowsize 3" "blksize 1024" "tsize 0"
  get timeout "timeout 2"
  get all "windowsize 8" "blksize 1400" "tsize 0" "timeout 2"
}

# get FILE OPTION...: as an atftp would ask.
get() {
  local file=$1 o args=()
  shift
  for o in "$@"; do args+=(--option "$o"); done
  client node 10 "$LAB_UNPACKED/atftp/usr/bin/atftp" "${args[@]}" -g -r "$file" -l /srv/state/got 10.20.0.2 69 || die "$file: $(cat "$lastlog")"
  cmp -s "$SRV/state/got" "$SRV/tftp/vmlinuz" || die "$file: not what was sent"
  rm "$SRV/state/got"
}
