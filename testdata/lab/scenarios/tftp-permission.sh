# shellcheck shell=bash disable=SC2154
#: proves   the TFTP server may not read the file
#: needs    dnsmasq-base udhcpc busybox
#: takes    8
#: capture  tftp-permission.pcap
#: node     52:54:00:0a:03:11 stopped tftp tftp-error
#: finding  error tftp-error 52:54:00:0a:03:11
#: filter   dhcp tftp --complete
#: never    tftp-no-answer tftp-file-not-found

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:03:11
  boot_program "$SRV/tftp/vmlinuz" 40000
  capture tftp-permission.pcap sw
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=vmlinuz
  lease node 20
  # dnsmasq gives out files of its own user only when it is asked to be careful.
  chmod 000 "$SRV/tftp/vmlinuz"
  client node 10 busybox tftp -g -r vmlinuz -l /run/x 10.20.0.2
  sleep 1
}
