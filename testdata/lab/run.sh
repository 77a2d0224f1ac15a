#!/bin/bash
# Run scenarios of real software and hold what pxescope says of them against
# what they state: run.sh [--quick] [--lanes N] [--times N] [--keep DIR] [SCENARIO...]
#
# For root on Debian or Ubuntu. Missing packages are installed, daemons are not
# started by that. Everything happens in network namespaces named after this
# process and in one temporary directory; both are gone at the end, except for
# captures and logs of scenarios that failed, and what --keep keeps.
set -u
cd "$(dirname "$0")" || exit 1
root=$(cd ../.. && pwd)

quick=0 lanes=2 times=1 keep='' names=()
while [ $# -gt 0 ]; do
  case $1 in
  --quick) quick=1 ;;
  --lanes) lanes=$2 && shift ;;
  --times) times=$2 && shift ;;
  --keep) keep=$2 && shift ;;
  -*) sed -n '2,4p' "$0" && exit 2 ;;
  *) names+=("$1") ;;
  esac
  shift
done
[ "$(id -u)" = 0 ] || { echo "the lab makes network namespaces: run it as root" >&2 && exit 1; }

head_of() { sed -n "s/^#: $1 *//p" "scenarios/$2.sh"; }

if [ ${#names[@]} -eq 0 ]; then
  for f in scenarios/*.sh; do
    n=${f##*/} n=${n%.sh}
    [ $quick = 0 ] || grep -q '^#: quick' "$f" || continue
    names+=("$n")
  done
fi
for n in "${names[@]}"; do
  [ -e "scenarios/$n.sh" ] || { echo "no scenario $n; there are: $(basename -s .sh scenarios/*.sh | tr "\n" " ")" >&2 && exit 2; }
done
# The longest first: lanes end together.
mapfile -t names < <(for n in "${names[@]}"; do echo "$(head_of takes "$n" | head -1) $n"; done | sort -rn | cut -d' ' -f2)

# Not in /tmp, which may be in memory: a file system of that kind exports no NFS.
work=$(mktemp -d "${TMPDIR:-/var/tmp}/pxescope-lab.XXXXXX") || exit 1
declare -A job_name=() job_dir=() job_start=()
failed=0 policy=''

cleanup() {
  local status=$? p s
  trap - EXIT INT TERM HUP
  for p in "${!job_name[@]}"; do kill -TERM "$p" 2>/dev/null; done
  wait
  # What a scenario that had to be killed left behind.
  for s in $(ip netns list | cut -d' ' -f1 | grep "^px$$\."); do
    for p in $(ip netns pids "$s"); do kill -KILL "$p" 2>/dev/null; done
    ip netns del "$s"
  done
  [ -z "$policy" ] || rm -f "$policy"
  if [ "$failed" = 0 ]; then rm -rf "$work"; else echo "captures and logs: $work" >&2; fi
  exit "$status"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# install PACKAGES: under a policy that starts no daemon; units that the
# packages would start at the next boot are disabled.
install() {
  local before
  echo "installing: $*" >&2
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
  fi
  before=$(enabled_units)
  export DEBIAN_FRONTEND=noninteractive
  timeout 600 sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"' sh "$@" >"$work/apt" 2>&1 ||
    { tail -5 "$work/apt" >&2 && exit 1; }
  comm -13 <(echo "$before") <(enabled_units) | xargs -r systemctl disable --quiet
  [ -z "$policy" ] || rm -f "$policy"
  policy=''
}
enabled_units() {
  systemctl list-unit-files --state=enabled --no-legend 2>/dev/null | cut -d' ' -f1 | sort
}

# need PACKAGES: install those that are missing.
need() {
  local p missing=()
  for p in "$@"; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
  done
  [ ${#missing[@]} -eq 0 ] || install "${missing[@]}"
}

# unpack PACKAGE: for those that would replace what other scenarios need. The
# libraries that it depends on are installed.
unpack() {
  local to=$work/unpacked/$1
  mkdir -p "$to" "$work/debs"
  if ! (cd "$work/debs" && { apt-get download -qq "$1" || { apt-get update -qq && apt-get download -qq "$1"; }; } &&
    dpkg -x "$1"_*.deb "$to") >"$work/apt" 2>&1; then
    echo "unpack $1: $(tail -2 "$work/apt")" >&2
    exit 1
  fi
  # shellcheck disable=SC2046
  need $(dpkg-deb -f "$work/debs/$1"_*.deb Depends | tr ',' '\n' | sed -n 's/^ *\(lib[^ :]*\).*/\1/p')
}

# of_all WORD: of all scenarios that are going to run.
of_all() {
  local n
  for n in "${names[@]}"; do head_of "$1" "$n"; done | tr ' ' '\n' | sort -u
}
# shellcheck disable=SC2046
need tcpdump iproute2 ethtool nftables busybox jq procps $(of_all needs)
for p in $(of_all unpacks); do unpack "$p"; done

# PXESCOPE=BINARY: hold that one against the lab.
if [ -n "${PXESCOPE:-}" ]; then
  cp "$PXESCOPE" "$work/pxescope" || exit 1
else
  (cd "$root" && CGO_ENABLED=0 "${GO:-go}" build -o "$work/pxescope" ./cmd/pxescope) || exit 1
fi

# shellcheck source-path=SCRIPTDIR source=check.sh
. ./check.sh

declare -A seconds=() result=()
start() { # NAME ROUND
  local dir=$work/$1.$2 limit
  mkdir "$dir"
  started=$((started + 1))
  limit=$(($(head_of takes "$1" | head -1) * 4 + 60))
  LAB_PXESCOPE=$work/pxescope LAB_UNPACKED=$work/unpacked timeout -k 20 "$limit" bash scenario.sh "$1" "$dir" "px$$.$started" >"$dir/said" 2>&1 </dev/null &
  job_name[$!]=$1 job_dir[$!]=$dir job_start[$!]=$SECONDS
}
finish_one() {
  local pid status wrong name dir
  wait -n -p pid "${!job_name[@]}"
  status=$?
  [ -n "${pid:-}" ] || return
  name=${job_name[$pid]} dir=${job_dir[$pid]}
  seconds[$name]=$((SECONDS - job_start[$pid]))
  unset "job_name[$pid]"
  wrong=$(check "$name" "$dir" 2>&1)
  [ $status = 0 ] || wrong="scenario ended with status $status: $(tail -c 400 "$dir/said")
$wrong"
  if [ -n "$wrong" ]; then
    result[$name]=FAILED failed=$((failed + 1))
    printf '%-28s %4ss  FAILED\n%s\n' "$name" "${seconds[$name]}" "$wrong" | sed '2,$s/^/    /' | tee -a "$work/failures"
  else
    result[$name]=${result[$name]:-ok}
    printf '%-28s %4ss  ok\n' "$name" "${seconds[$name]}"
    [ -z "$keep" ] || { mkdir -p "$keep" && for f in "$dir"/out/*; do cp "$f" "$keep/lab-${f##*/}"; done; }
    rm -rf "$dir"
  fi
}

started=0 begin=$SECONDS
for ((round = 1; round <= times; round++)); do
  for n in "${names[@]}"; do
    while [ ${#job_name[@]} -ge "$lanes" ]; do finish_one; done
    start "$n" $round
  done
done
while [ ${#job_name[@]} -gt 0 ]; do finish_one; done

printf '\n| scenario | proves | seconds | result |\n|---|---|---|---|\n'
for n in $(printf '%s\n' "${names[@]}" | sort); do
  printf '| %s | %s | %s | %s |\n' "$n" "$(head_of proves "$n" | tr '\n' ' ' | sed 's/ $//')" "${seconds[$n]}" "${result[$n]}"
done
echo
# Again, where the end of a long log shows it.
[ "$failed" = 0 ] || { cat "$work/failures" && echo; }
echo "${#names[@]} scenarios, $((SECONDS - begin)) s, $failed failed"
[ "$failed" = 0 ]
