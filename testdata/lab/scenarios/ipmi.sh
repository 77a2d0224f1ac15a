# shellcheck shell=bash disable=SC2154
#: proves   a BMC (ipmi_sim) is asked over IPMI 1.5 and RMCP+, with the right password
#: needs    dnsmasq-base udhcpc openipmi ipmitool
#: takes    12
#: capture  ipmi.pcap
#: finding  ok dhcp-ok 52:54:00:0a:09:13
#: never    ipmi-auth-failed ipmi-no-answer

scenario() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host www sw 52:54:00:00:00:06 10.20.0.6/24
  host node sw 52:54:00:0a:09:13
  capture ipmi.pcap sw
  cat >"$SRV/state/lan.conf" <<CONF
name "bmc"
set_working_mc 0x20
  startlan 1
    addr 10.20.0.6 623
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  user 1 true "" "test" user 10 none md2 md5 straight
  user 2 true "admin" "secret" admin 10 none md2 md5 straight
CONF
  printf "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nsel_enable 0x20 1000 0x0a\nmc_enable 0x20\n" >"$SRV/state/sim.emu"
  mkdir -p "$SRV/state/bmc"
  daemon www ipmi_sim -n -c /srv/state/lan.conf -f /srv/state/sim.emu -s /srv/state/bmc
  wait_port www u 623
  initramfs node
  client node 8 ipmitool -I lan -H 10.20.0.6 -U admin -P secret mc info || die "IPMI 1.5: $(cat "$lastlog")"
  client node 8 ipmitool -I lanplus -C 3 -H 10.20.0.6 -U admin -P secret mc info || die "RMCP+: $(cat "$lastlog")"
}
