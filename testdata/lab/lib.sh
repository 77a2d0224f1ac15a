# shellcheck shell=bash
# Plumbing for scenarios: segments, hosts, daemons, virtual machines, captures.
#
# A segment is a namespace with a bridge; a host is a namespace with one leg on
# a segment. Nothing exists outside of namespaces whose names begin with
# $LAB_PREFIX, and every process is ended by its pid.
#
# A scenario finds in $SRV a directory that all its daemons see as /srv (no path
# of this machine gets into a packet), and leaves its captures in $OUT.

set -u
: "${LAB_PREFIX:?}" "${LAB_DIR:?}"
SRV=$LAB_DIR/srv
OUT=$LAB_DIR/out
LOG=$LAB_DIR/log
mkdir -p "$SRV/tftp" "$SRV/http" "$SRV/nfs" "$SRV/state" "$OUT" "$LOG"

lab_pids=()     # everything started, for the end
lab_captures=() # tcpdump and dumpcap among them: they end with SIGINT
lab_spaces=()
# Ubuntu's AppArmor profiles of dhcpd, dhclient, chronyd and others forbid /srv.
unconfined=()
[ ! -e /sys/kernel/security/apparmor/profiles ] || ! command -v aa-exec >/dev/null || unconfined=(aa-exec -p unconfined --)
lab_ids=0 # numbers logs and interfaces
last="" lastlog="" port="" console="" rpcbind_pid="" # what the functions below leave

die() {
  echo "lab: $*" >&2
  exit 1
}

# ns HOST COMMAND...: run a command in the namespace of a host or segment.
ns() {
  local host=$1
  shift
  ip netns exec "$LAB_PREFIX-$host" "$@"
}

new_ns() {
  ip netns add "$LAB_PREFIX-$1" || die "add namespace $1"
  lab_spaces+=("$LAB_PREFIX-$1")
  # No router solicitations and MLD reports in captures, unless asked for.
  if [ "${LAB_IPV6:-0}" = 0 ]; then
    ns "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  fi
  ns "$1" ip link set lo up
}

# segment NAME: an Ethernet segment; its device is sw0.
segment() {
  LAB_IPV6=0 new_ns "$1"
  ns "$1" ip link add name sw0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0 || die "add bridge of $1"
  ns "$1" ip link set dev sw0 up
}

# host NAME SEGMENT MAC [ADDRESS/LEN]...: a host with eth0 on a segment.
host() {
  local name=$1 seg=$2 mac=$3
  shift 3
  new_ns "$name"
  leg "$name" "$seg" eth0 "$mac" "$@"
}

# leg HOST SEGMENT IFACE MAC [ADDRESS/LEN]...: one more interface of a host.
# Offloading is off: a capture beside a checksum offload has wrong checksums.
leg() {
  local name=$1 seg=$2 dev=$3 mac=$4 port
  shift 4
  port=p$((lab_ids++))
  ns "$name" ip link add "$dev" address "$mac" type veth peer name "$port" netns "$LAB_PREFIX-$seg" || die "add $dev of $name"
  [ "${LAB_OFFLOAD:-0}" = 1 ] || ns "$name" ethtool -K "$dev" tx off tso off gso off gro off >/dev/null 2>&1
  ns "$seg" ip link set dev "$port" master sw0 up
  ns "$name" ip link set dev "$dev" up
  local a
  for a in "$@"; do
    ns "$name" ip addr add "$a" dev "$dev"
  done
}

# background LOG COMMAND...: start a command, remember its pid in $last.
background() {
  local log=$1
  shift
  "$@" >"$LOG/$log" 2>&1 </dev/null &
  last=$!
  lab_pids+=("$last")
}

# daemon HOST COMMAND...: with /srv, and a /run of its own: namespaces of the
# network do not separate sockets and pid files in the file system. Its output
# is in $lastlog, its pid in $last.
daemon() {
  local host=$1
  shift
  lastlog=$LOG/$((lab_ids++)).$host.${1##*/}
  # shellcheck disable=SC2016
  background "${lastlog##*/}" ip netns exec "$LAB_PREFIX-$host" unshare -m --propagation private bash -c '
    mount --bind "$0" /srv && mount -t tmpfs tmpfs /run || exit 1
    mkdir -p /run/rpcbind /run/ganesha
    [ ! -d /var/lib/nfs ] || mount -t tmpfs tmpfs /var/lib/nfs
    mkdir -p /var/lib/nfs/ganesha
    cd /srv && exec "$@"' "$SRV" "${unconfined[@]}" "$@"
}

# client HOST SECONDS COMMAND...: like daemon, but waited for; killed after
# SECONDS. Its exit status is returned.
client() {
  local host=$1 limit=$2
  shift 2
  daemon "$host" timeout -s KILL "$limit" "${unconfined[@]}" "$@"
  wait "$last"
}

# until_ok SECONDS COMMAND...: try ten times a second.
until_ok() {
  local n=$(($1 * 10))
  shift
  while ! "$@" >/dev/null 2>&1; do
    [ $((n--)) -gt 0 ] || return 1
    sleep 0.1
  done
}

log_says() { grep -aqE "$2" "$1"; }
gone() { ! kill -0 "$1" 2>/dev/null; }
listens() { ns "$1" ss -Hln"$2" sport = ":$3" | grep -q .; }

# wait_log SECONDS FILE REGEXP, wait_port HOST u|t PORT: until a daemon is ready.
wait_log() { until_ok "$1" log_says "$2" "$3" || die "\"$3\" not in ${2##*/} after $1 s: $(tail -3 "$2")"; }
wait_port() { until_ok 15 listens "$1" "$2" "$3" || die "$1 does not listen on $3: $(tail -3 "$lastlog")"; }

# capture FILE PLACE [TCPDUMP ARGUMENTS]: in $OUT/FILE until the end or
# stop_captures. On a segment's bridge one sees each forwarded frame once.
# --immediate-mode: without it the last second is lost; -B: with it bursts are.
capture() {
  local file=$1 place=$2 dev=eth0
  shift 2
  ns "$place" ip link show dev sw0 >/dev/null 2>&1 && dev=sw0
  case " $* " in *' -i '*) ;; *) set -- -i "$dev" "$@" ;; esac
  background "capture.$file" ip netns exec "$LAB_PREFIX-$place" \
    tcpdump -U --immediate-mode -B 32768 -n -Z root -w "$OUT/$file" "$@"
  lab_captures+=("$last")
  wait_log 10 "$LOG/capture.$file" 'listening on'
  if [ "$*" = "-i $dev" ]; then live "$file" "$place" "$dev"; fi
  if says "$file" count; then
    background "count.$file" ip netns exec "$LAB_PREFIX-$place" "$LAB_PXESCOPE" count "$dev" --format ndjson --interval 200ms
    lab_captures+=("$last")
    wait_log 10 "$LOG/count.$file" '"type":"count"'
  fi
}

# live FILE PLACE INTERFACE...: `pxescope live` beside the capture FILE, for what it
# says to be held against what analyze says of FILE.
live() {
  local file=$1 place=$2
  shift 2
  if says "$file" offline; then return; fi
  background "live.$file" ip netns exec "$LAB_PREFIX-$place" "$LAB_PXESCOPE" live "$@" --format ndjson
  lab_captures+=("$last")
  wait_log 15 "$LOG/live.$file" 'capturing on'
}

# says FILE WORD: whether the scenario's head has WORD of the capture FILE.
says() {
  awk -v file="$1" -v word="$2" '$1 == "#:" && $2 == "capture" { here = $3 == file }
    $1 == "#:" && $2 == word && here { found = 1 } END { exit !found }' "$LAB_HOME/scenarios/$LAB_SCENARIO.sh"
}

# ports down|up: nothing passes any more on any segment, or again. What counts
# beside a capture ends a moment before or after it, and must have seen the same.
ports() {
  local s port
  for s in "${lab_spaces[@]}"; do
    ip netns exec "$s" ip link show dev sw0 >/dev/null 2>&1 || continue
    for port in $(ip netns exec "$s" ip -o link show master sw0 | cut -d' ' -f2 | cut -d@ -f1 | tr -d :); do
      ip netns exec "$s" ip link set dev "$port" "$1"
    done
  done
}

# stop_captures: no frame of the last moment is lost, none dropped.
stop_captures() {
  local p f
  [ ${#lab_captures[@]} -gt 0 ] || return 0
  ports down
  sleep 0.8
  for p in "${lab_captures[@]}"; do kill -INT "$p" 2>/dev/null; done
  for p in "${lab_captures[@]}"; do until_ok 15 gone "$p"; done
  for f in "$LOG"/capture.*; do
    [ -e "$f" ] || continue
    grep -qE '(^| )0 packets dropped by kernel' "$f" || echo "lab: ${f##*/capture.}: $(grep dropped "$f")" >&2
  done
  chmod 644 "$OUT"/*
  lab_captures=()
  ports up
}

# finish runs on every exit.
finish() {
  local status=$? p s
  trap - EXIT INT TERM HUP
  stop_captures
  for p in "${lab_pids[@]}"; do kill "$p" 2>/dev/null; done
  sleep 0.3
  for p in "${lab_pids[@]}"; do kill -KILL "$p" 2>/dev/null; done
  for s in "${lab_spaces[@]}"; do
    for p in $(ip netns pids "$s"); do kill -KILL "$p" 2>/dev/null; done
    ip netns del "$s"
  done
  exit "$status"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# --- Servers -----------------------------------------------------------------

# dnsmasq HOST ARGUMENTS...: with nothing from the host's configuration.
# --no-ping: no three seconds of address check.
dnsmasq() {
  local host=$1 id=$((lab_ids))
  shift
  daemon "$host" /usr/sbin/dnsmasq --conf-file=/dev/null --keep-in-foreground --user=root --pid-file= --port=0 \
    --bind-interfaces --interface=eth0 --log-dhcp --log-facility=- --dhcp-leasefile="/srv/state/leases.$id" \
    --no-hosts --no-resolv "$@"
  wait_log 10 "$lastlog" 'started'
}

# boot_server HOST ARGUMENTS...: DHCP for 10.20.0.100-150 and TFTP, the
# legitimate server of most scenarios.
boot_server() {
  local host=$1
  shift
  dnsmasq "$host" --no-ping --dhcp-range=10.20.0.100,10.20.0.150,255.255.255.0,30m \
    --enable-tftp --tftp-root=/srv/tftp "$@"
}

# libvirt_network HOST: dnsmasq as libvirt starts it for its network "default".
libvirt_network() {
  local host=$1
  shift
  dnsmasq "$host" --strict-order --except-interface=lo --dhcp-range=192.168.122.2,192.168.122.254,255.255.255.0 \
    --dhcp-no-override --dhcp-authoritative --dhcp-lease-max=253 "$@"
}

http_server() { # HOST
  daemon "$1" busybox httpd -f -p 80 -h /srv/http
  wait_port "$1" t 80
}

# nginx HOST: serves /srv/http, answers 500 below /broken/, and sends what is
# below /slow/ with 8 kB a second.
nginx() {
  cat >"$SRV/state/nginx.conf" <<'CONF'
daemon off; master_process off; user root; pid /run/nginx.pid; error_log stderr;
events { }
http {
  access_log off; client_body_temp_path /srv/state/body; proxy_temp_path /srv/state/proxy;
  fastcgi_temp_path /srv/state/fastcgi; uwsgi_temp_path /srv/state/uwsgi; scgi_temp_path /srv/state/scgi;
  server {
    listen 80; root /srv/http;
    location /broken/ { return 500; }
    location /slow/ { limit_rate 8k; }
  }
}
CONF
  daemon "$1" /usr/sbin/nginx -c /srv/state/nginx.conf
  wait_port "$1" t 80
}

# tls_server HOST OPTIONS: openssl on port 443, with a certificate that nobody
# signed.
tls_server() {
  local host=$1
  shift
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=boot.internal \
    -keyout "$SRV/state/key" -out "$SRV/state/cert" >"$LOG/req" 2>&1
  daemon "$host" openssl s_server -quiet -accept 443 -key /srv/state/key -cert /srv/state/cert -WWW "$@"
  wait_port "$host" t 443
}

# name_server HOST ARGUMENTS: dnsmasq for names only, on 10.20.0.6.
name_server() {
  local host=$1
  shift
  daemon "$host" /usr/sbin/dnsmasq --conf-file=/dev/null --keep-in-foreground --user=root --pid-file= --no-hosts --no-resolv \
    --listen-address=10.20.0.6 --bind-interfaces --log-facility=- --address=/boot.internal/10.20.0.6 "$@"
  wait_port "$host" u 53
}

# bmc HOST: ipmi_sim on 10.20.0.6, user admin, password secret.
bmc() {
  cat >"$SRV/state/lan.conf" <<'CONF'
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
  daemon "$1" ipmi_sim -n -c /srv/state/lan.conf -f /srv/state/sim.emu -s /srv/state/bmc
  wait_port "$1" u 623
}

# snmp_agent HOST: snmpd on 10.20.0.6, community public.
snmp_agent() {
  printf "rocommunity public\nagentAddress udp:10.20.0.6:161\n" >"$SRV/state/snmpd.conf"
  daemon "$1" snmpd -f -C -c /srv/state/snmpd.conf -Lo -p /run/snmpd.pid
  wait_port "$1" u 161
}

# tftpd HOST: tftpd-hpa; it takes uploads, and block sizes larger than a frame.
tftpd() {
  daemon "$1" in.tftpd -L -u nobody -s -c -p /srv/tftp
  wait_port "$1" u 69
}

# nfs_server HOST: rpcbind and ganesha; /srv/nfs is exported, /srv/denied is not
# for anybody.
nfs_server() {
  mkdir -p "$SRV/denied"
  rpcbind "$1"
  cat >"$SRV/state/ganesha.conf" <<'CONF'
NFS_CORE_PARAM { Protocols = 3, 4; MNT_Port = 20048; Enable_NLM = false; Enable_RQUOTA = false; }
NFSV4 { Graceless = true; }
EXPORT { Export_Id = 1; Path = /srv/nfs; Pseudo = /nfs; Access_Type = RO; Squash = None; SecType = sys; FSAL { Name = VFS; } }
EXPORT { Export_Id = 2; Path = /srv/denied; Pseudo = /denied; Access_Type = NONE; SecType = sys; FSAL { Name = VFS; } }
CONF
  # Joins rpcbind's /run: it registers there through a socket.
  daemon "$1" nsenter -t "$rpcbind_pid" -m -r ganesha.nfsd -F -f /srv/state/ganesha.conf -L /srv/state/ganesha.log \
    -N NIV_EVENT -p /run/ganesha/pid
  export nfs_pid=$last
  until_ok 30 log_says "$SRV/state/ganesha.log" 'NFS SERVER INITIALIZED' || die "ganesha: $(tail -3 "$SRV/state/ganesha.log" "$lastlog")"
  ! log_says "$SRV/state/ganesha.log" 'Could not create export' ||
    die "ganesha cannot export $SRV/nfs; a file system in memory has no handles: set TMPDIR to a directory on disk"
}

rpcbind() { # HOST
  daemon "$1" /sbin/rpcbind -w -f
  rpcbind_pid=$last
  wait_port "$1" u 111
}

# --- Faults ------------------------------------------------------------------

# drop HOST input|output RULE...: packets that nft's RULE matches are dropped,
# or what a verdict in RULE says.
drop() {
  local host=$1 hook=$2
  shift 2
  ns "$host" nft add table ip lab
  ns "$host" nft add chain ip lab "$hook" "{ type filter hook $hook priority 0; }"
  case "$*" in
  *reject* | *accept*) ns "$host" nft add rule ip lab "$hook" "$*" ;;
  *) ns "$host" nft add rule ip lab "$hook" "$*" drop ;;
  esac || die "nft: $*"
}

# --- Machines ----------------------------------------------------------------

# boot_program FILE SIZE: a PXE boot program that ends its virtual machine:
# mov al,0; out 0xf4,al; hlt; jmp.
boot_program() {
  mkdir -p "$(dirname "$1")"
  printf '\xb0\x00\xe6\xf4\xf4\xeb\xfd' >"$1"
  truncate -s "$2" "$1"
}

# grub_that_halts FILE: a boot program for UEFI, with nothing more to load.
grub_that_halts() {
  echo halt >"$SRV/state/grub.cfg"
  grub-mkimage -O x86_64-efi -o "$1" -p /grub -c "$SRV/state/grub.cfg" efinet halt >"$LOG/mkimage" 2>&1 ||
    die "grub-mkimage: $(cat "$LOG/mkimage")"
}

# tap SEGMENT: a port for a virtual machine; its name is in $port.
tap() {
  port=t$((lab_ids++))
  ns "$1" ip tuntap add "$port" mode tap
  ns "$1" ip link set dev "$port" master sw0 up
}

# bios SEGMENT MAC: SeaBIOS with iPXE's ROM, booting from the network. Its console
# is in $console. TCG: a nested KVM may start and then hang.
bios() {
  tap "$1"
  console=$LOG/console.$port
  : >"$console"
  background "qemu.$port" ip netns exec "$LAB_PREFIX-$1" qemu-system-x86_64 -machine pc,graphics=off -accel tcg -m 256 \
    -uuid "6e0d5a2c-0000-4000-8000-${2//:/}" -display none -vga none -nodefaults -no-reboot -chardev file,id=c,path="$console" -device isa-serial,chardev=c \
    -netdev tap,id=n,ifname="$port",script=no,downscript=no \
    -device virtio-net-pci,netdev=n,mac="$2",bootindex=1 -device isa-debug-exit,iobase=0xf4
}

# uefi SEGMENT MAC: OVMF; PXE over IPv4, over IPv6, HTTP over IPv4, over IPv6.
uefi() {
  tap "$1"
  console=$LOG/console.$port
  : >"$console"
  cp /usr/share/OVMF/OVMF_VARS_4M.fd "$LAB_DIR/vars.$port"
  background "qemu.$port" ip netns exec "$LAB_PREFIX-$1" qemu-system-x86_64 -machine q35,graphics=off -accel tcg -m 512 \
    -uuid "6e0d5a2c-0000-4000-8000-${2//:/}" -display none -vga none -nodefaults -no-reboot -chardev file,id=c,path="$console" -device isa-serial,chardev=c \
    -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
    -drive if=pflash,format=raw,file="$LAB_DIR/vars.$port" \
    -netdev tap,id=n,ifname="$port",script=no,downscript=no \
    -device virtio-net-pci,netdev=n,mac="$2",bootindex=1,romfile= -device isa-debug-exit,iobase=0xf4
}

# machine_ends SECONDS: the boot program ended the machine, or the firmware gave up.
machine_ends() {
  local n=$(($1 * 10)) vm=$last screen=$console
  while kill -0 "$vm" 2>/dev/null; do
    grep -aqE 'No bootable device|No more network devices' "$screen" && break
    [ $((n--)) -gt 0 ] || die "machine did not end in $1 s: $(tail -c 300 "$screen" | tr -d '\r')"
    sleep 0.1
  done
  kill -KILL "$vm" 2>/dev/null
}

# machine_off: after what the scenario waited for.
machine_off() { kill -KILL "$last" 2>/dev/null; }

# udhcpc_script: sets the address, as an initramfs would; written once.
udhcpc_script() {
  cat >"$SRV/state/udhcpc" <<'SCRIPT'
#!/bin/sh
case $1 in
bound | renew)
  ip addr flush dev "$interface"
  ip addr add "$ip/${mask:-24}" dev "$interface"
  [ -z "$router" ] || ip route replace default via "${router%% *}"
  ;;
deconfig) ip addr flush dev "$interface" ;;
esac
SCRIPT
  chmod +x "$SRV/state/udhcpc"
}

# lease HOST SECONDS [UDHCPC ARGUMENTS]: get an address with udhcpc and leave.
lease() {
  local host=$1 limit=$2
  shift 2
  udhcpc_script
  client "$host" "$limit" udhcpc -i eth0 -f -n -q -s /srv/state/udhcpc "$@"
}

# --- Segments, servers and agents that several scenarios share ----------------

# isc_dhcpd HOST: ISC dhcpd for 10.20.0.0/24 (with statements of
# ISC_POOL, leases of ISC_LEASE seconds), and for
# 10.30.0.0/24 behind a relay.
isc_dhcpd() {
  cat >"$SRV/state/dhcpd.conf" <<CONF
authoritative;
ping-check false;
default-lease-time ${ISC_LEASE:-1800};
min-lease-time 30;
subnet 10.20.0.0 netmask 255.255.255.0 { pool { ${ISC_POOL:-} range 10.20.0.100 10.20.0.150; } option routers 10.20.0.2; }
subnet 10.30.0.0 netmask 255.255.255.0 { range 10.30.0.100 10.30.0.150; option routers 10.30.0.1; }
CONF
  : >"$SRV/state/dhcpd.leases"
  daemon "$1" dhcpd -4 -d -f -cf /srv/state/dhcpd.conf -lf /srv/state/dhcpd.leases --no-pid eth0
  wait_log 10 "$lastlog" 'Server starting service'
}

# relayed_segments [MAC]: host srv on segment core, host node with MAC on segment
# sw, host relay on both: 10.20.0.5 and 10.30.0.1.
relayed_segments() {
  segment core
  segment sw
  host srv core 52:54:00:00:00:02 10.20.0.2/24
  ns srv ip route add 10.30.0.0/24 via 10.20.0.5
  host relay core 52:54:00:00:00:05 10.20.0.5/24
  leg relay sw eth1 52:54:00:00:00:06 10.30.0.1/24
  ns relay sysctl -qw net.ipv4.ip_forward=1
  host node sw "${1:-52:54:00:0a:04:01}"
}

relay_agent() {
  daemon relay dhcrelay -4 -d --no-pid -a -m replace -id eth1 -iu eth0 10.20.0.2
  wait_log 10 "$lastlog" 'Sending on.*eth0|Socket/fallback'
}

# initramfs HOST [GATEWAY]: server srv gives HOST a lease; the
# capture that the scenario began is on segment sw.
initramfs() {
  dnsmasq srv --no-ping --dhcp-range=10.20.0.100,10.20.0.150,255.255.255.0,30m --dhcp-option="3,${2:-10.20.0.2}"
  lease "$1" 20
}

# node_segment MAC: srv for DHCP, www at 10.20.0.6 for whatever is asked, node, on
# segment sw.
node_segment() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host www sw 52:54:00:00:00:06 10.20.0.6/24
  host node sw "$1"
}

# nfs_segment MAC: srv for DHCP, nfs for NFS, node that boots, on segment sw.
nfs_segment() {
  segment sw
  host srv sw 52:54:00:00:00:02 10.20.0.2/24
  host nfs sw 52:54:00:00:00:04 10.20.0.4/24
  host node sw "$1"
  boot_program "$SRV/nfs/nbp" 9000
}

# nfsmount HOST SECONDS OPTIONS EXPORT: what Debian's initramfs mounts a root
# file system with; it speaks portmap and MOUNT itself.
nfsmount() {
  client "$1" "$2" sh -c "mkdir -p /run/root && exec /usr/lib/klibc/bin/nfsmount -o '$3' '$4' /run/root"
}

# life SEGMENT: two hosts that ping each other once a second. On a silent segment
# a capture ends with its last packet, and cannot show that nothing followed.
life() {
  host life1 "$1" 52:54:00:11:0f:01 10.20.0.71/24
  host life2 "$1" 52:54:00:11:0f:02 10.20.0.72/24
  background life ip netns exec "$LAB_PREFIX-life1" busybox ping 10.20.0.72
}

# foreign_lease: dhclient's memory, in /srv/state/old, of another network.
foreign_lease() {
  cat >"$SRV/state/old" <<'LEASE'
lease {
  interface "eth0";
  fixed-address 10.99.0.7;
  option subnet-mask 255.255.255.0;
  option dhcp-lease-time 3600;
  option dhcp-message-type 5;
  option dhcp-server-identifier 10.99.0.1;
  renew never;
  rebind never;
  expire never;
}
LEASE
}

# os_boot NODE: a lease, a file over TFTP and one over HTTP, without firmware: the
# quickest healthy node. os_server prepares host srv for it.
os_server() {
  boot_program "$SRV/tftp/vmlinuz" 5000
  boot_program "$SRV/http/initrd" 9000
  boot_server srv --dhcp-option=3,10.20.0.2 --dhcp-boot=vmlinuz
  http_server srv
}
os_boot() {
  lease "$1" 20 || die "no lease for $1"
  client "$1" 10 busybox tftp -g -r vmlinuz -l /run/vmlinuz 10.20.0.2 || die "no vmlinuz for $1"
  client "$1" 10 curl -s -o /run/initrd http://10.20.0.2/initrd || die "no initrd for $1"
}

# capture_ng FILE PLACE INTERFACE...: a pcapng of several interfaces.
capture_ng() {
  local file=$1 place=$2 i args=()
  shift 2
  for i in "$@"; do args+=(-i "$i"); done
  background "dumpcap.$file" ip netns exec "$LAB_PREFIX-$place" dumpcap -q -n -w "$OUT/$file" "${args[@]}"
  lab_captures+=("$last")
  until_ok 10 test -s "$OUT/$file" || die "dumpcap: $(cat "$LOG/dumpcap.$file")"
  live "$file" "$place" "$@"
}

# egress HOST MATCH, ingress HOST MATCH: frames of eth0 that MATCH are dropped,
# after fragmentation and before reassembly.
egress() { netdev_drop "$1" egress "$2"; }
ingress() { netdev_drop "$1" ingress "$2"; }
netdev_drop() {
  ns "$1" nft add table netdev lab
  ns "$1" nft add chain netdev lab "$2" "{ type filter hook $2 device eth0 priority 0; }"
  ns "$1" nft add rule netdev lab "$2" "$3" drop || die "nft: $3"
}
