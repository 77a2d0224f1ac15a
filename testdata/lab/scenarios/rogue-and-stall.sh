# shellcheck shell=bash disable=SC2154
#: proves   the README's example: libvirt's network leaks onto the segment; one machine boots, one takes libvirt's lease, one gets no file
#: needs    qemu-system-x86 ipxe-qemu dnsmasq-base busybox wireshark-common
#: takes    90
#: capture  rogue-libvirt.pcapng
#: nodes    3
#: node     52:54:00:a1:00:01 booted http
#: node     52:54:00:a1:00:02 stopped dhcp dhcp-rogue-libvirt
#: node     52:54:00:a1:00:03 stopped tftp tftp-no-answer
#: finding  error dhcp-rogue-libvirt 192.168.122.1
#: finding  error tftp-no-answer 52:54:00:a1:00:03
#: finding  ok dhcp-ok 52:54:00:a1:00:01
#: filter   --phase provisioning
#: may      dhcp-answers-disagree dhcp-nak dhcp-no-boot-info dhcp-several-servers
#: never    dhcp-no-offer tftp-stalled no-load-after-ack

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host virt sw 52:54:00:5e:00:01 192.168.122.1/24
  printf '#!ipxe\nchain http://10.20.0.2/boot/nbp\n' >"$SRV/tftp/boot.ipxe"
  boot_program "$SRV/http/boot/nbp" 24000
  capture_ng rogue-libvirt.pcapng sw sw0
  # iPXE takes the last offer; each server is late for the machines it shall win.
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=boot.ipxe --dhcp-reply-delay=tag:late,1 \
    --dhcp-host=52:54:00:a1:00:01,set:late,10.20.0.101 --dhcp-host=52:54:00:a1:00:03,set:late,10.20.0.103
  libvirt_network virt --no-ping --dhcp-host=52:54:00:a1:00:02,set:late --dhcp-reply-delay=tag:late,1
  http_server srv
  # Replies come from a new port, and a firewall lets port 69 out only.
  drop srv output udp sport 1024-65535 ip daddr 10.20.0.103
  local i
  for i in 1 2 3; do
    bios sw 52:54:00:a1:00:0$i
    machine_ends 120
  done
}
