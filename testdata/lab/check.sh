# shellcheck shell=bash disable=SC2154
# What pxescope says of a scenario's captures, held against the scenario's head:
# run.sh sources this. README.md has the grammar.

# told NAME CAPTURE WORD: what follows WORD, line by line, in the part of a head
# that speaks of a capture.
told() {
  awk -v file="$2" -v word="$3" '$1 == "#:" && $2 == "capture" { here = $3 == file }
    $1 == "#:" && $2 == word && here { $1 = $2 = ""; sub(/^ +/, ""); print }' "scenarios/$1.sh"
}

# check NAME DIR: one line per expectation that does not hold.
check() {
  local cap line
  for cap in $(head_of capture "$1"); do
    if [ ! -s "$2/out/$cap" ]; then
      echo "$cap: no capture"
      continue
    fi
    {
      analyzed "$1" "$cap" "$2/out/$cap" "$2/$cap.json"
      told "$1" "$cap" filter | while read -r line; do
        check_filter "$1" "$2" "$cap" "$line" | sed "s/^/filter $line: /"
      done
      told "$1" "$cap" count | while read -r line; do
        check_count "$2" "$cap" "$line" | sed 's/^/count: /'
      done
      [ ! -e "$2/log/live.$cap" ] || check_live "$2" "$cap" | sed 's/^/live: /'
    } | sed "s/^/$cap: /"
  done
}

# analyzed NAME CAPTURE FILE REPORT [PART]: FILE is the capture, or PART of it.
analyzed() {
  local status
  timeout 60 "$work/pxescope" analyze --quiet --format json "$3" >"$4" 2>"$4.err"
  status=$?
  case $status in
  0 | 1 | 5) jq -r --arg part "${5:-}" --arg capture "$2" --rawfile head "scenarios/$1.sh" -f check.jq "$4" ;;
  *) echo "pxescope analyze ended with status $status: $(head -c 300 "$4.err")" ;;
  esac
}

# check_filter NAME DIR CAPTURE "ARGUMENTS [leaves ID...]": what the printed filter
# keeps, by tcpdump itself, has every packet of the services that it is for, none
# of those that it leaves, and is judged like the whole; of a part that leaves
# services nothing is said that is not said of the whole.
check_filter() {
  local args leaves='' text kept=$2/$3.kept
  args=${4%% leaves *}
  [ "$args" = "$4" ] || leaves=${4##* leaves }
  # shellcheck disable=SC2086
  text=$(timeout 60 "$work/pxescope" filter --quiet $args 2>&1) || { echo "$text" && return; }
  timeout 60 tcpdump -r "$2/out/$3" -w "$kept" "$text" 2>"$kept.err" || { echo "tcpdump: $(tail -1 "$kept.err")" && return; }
  analyzed "$1" "$3" "$kept" "$kept.json" "$leaves"
  jq -rn --slurpfile whole "$2/$3.json" --slurpfile kept "$kept.json" --arg args "$args" --arg leaves "$leaves" '
    def packets($report; $id): [$report[0].services[] | select(.id == $id) | .packets] | add // 0;
    ($args | split(" ")) as $words
    | ($whole[0].services[] | select(.id as $i | .phase as $p | $words | index($i) or (index("--phase") and index($p))) | .id
      | packets($whole; .) as $n | packets($kept; .) as $k | select($n != $k) | "\(.): got \($k) packets of \($n)"),
    ($words[] | select(test("^[a-z]")) | select(. as $w | [$whole[0].services[] | .id, .phase] | index($w) | not)
      | "\(.): the capture has none"),
    ($leaves | split(" ")[] | select(. != "") | packets($whole; .) as $n | packets($kept; .) as $k
      | select($n == 0 or $k != 0) | "\(.): got \($k) packets of \($n), want none of some")'
  rm -f "$kept"
}

# check_count DIR CAPTURE "[ID...]": what `pxescope count` counted in the kernel
# beside the capture is what its predicate in Go says of the capture's packets.
# Bytes are held in sum: of frames over 2 kB --compare sees the beginning.
check_count() {
  local counted=$1/log/count.$2
  timeout 60 "$work/pxescope" count --compare "$1/out/$2" --format json >"$1/$2.go" 2>"$1/$2.go.err" ||
    { echo "pxescope count --compare: $(head -c 300 "$1/$2.go.err")" && return; }
  jq -rn --slurpfile lines <(grep '^{' "$counted") --slurpfile compared "$1/$2.go" --slurpfile report "$1/$2.json" --arg ids "$3" '
    def table: [(.services[] | {key: .id, value: .packets}),
      ({other, fragments, undecodable} | to_entries[] | select(.value.packets > 0) | .value |= .packets)] | from_entries;
    ($lines[-1] | table) as $kernel | ($compared[0].go | table) as $capture
    | ($lines[-1] | select(.final | not) | "the counter did not end"),
      ($kernel + $capture | keys[] | select($kernel[.] != $capture[.])
        | "\(.): the kernel counted \($kernel[.] // 0) packets, the capture has \($capture[.] // 0)"),
      ($lines[-1].bytes as $k | $report[0].captures[0].bytes as $c | select($k != $c)
        | "the kernel counted \($k) bytes, the capture has \($c)"),
      ($ids | split(" ")[] | select(. != "") | select(. as $i | $kernel | has($i) | not) | "\(.): none was counted")'
}

# check_live DIR CAPTURE: what `pxescope live` came to beside the capture, its lines
# applied in order, is what analyze says of the capture.
check_live() {
  jq -rn --slurpfile lines <(grep '^{' "$1/log/live.$2") --slurpfile report "$1/$2.json" -f live.jq ||
    head -c 300 "$1/log/live.$2"
}
