# shellcheck shell=bash disable=SC2154
#: proves   a file is written to the TFTP server, as crash dumps and switches do
#: needs    dnsmasq-base udhcpc tftpd-hpa tftp-hpa
#: takes    8
#: capture  tftp-upload.pcap
#: node     52:54:00:0a:03:15 booted tftp
#: finding  ok dhcp-ok 52:54:00:0a:03:15
#: filter   dhcp tftp --complete
#: count    dhcp tftp arp

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host node sw 52:54:00:0a:03:15
  chmod 777 "$SRV/tftp"
  boot_program "$SRV/state/dump" 6000
  capture tftp-upload.pcap sw
  tftpd srv
  initramfs node
  client node 10 tftp -m binary 10.20.0.2 -c put /srv/state/dump dump || die "no upload"
}
