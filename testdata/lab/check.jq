# Input: a report. $head: a scenario's text. $capture: which of its captures.
# $part: "" or that the capture lacks services on purpose; then only accusations
# count. Output: a line for each expectation that does not hold; README.md has the
# grammar of expectations.
def name: if .mac != "" then .mac else (.addresses[0] // "") end;
def brief: "\(.severity) \(.id) \(.node) \(.server): \(.summary)";

(reduce ($head | split("\n")[] | select(startswith("#: ")) | ltrimstr("#: ") | [splits(" +")] | map(select(. != ""))) as $l
  ({cap: "", want: []};
    if $l[0] == "capture" then .cap = $l[1]
    elif .cap == $capture then .want += [$l]
    else . end) | .want) as $want
| (if $part == "" then $want else [] end) as $must
| . as $r
| (
    ($must[] | select(.[0] == "node") | . as [$_, $mac, $outcome, $stage, $root]
      | [$r.nodes[] | select(name == $mac)]
      | if length == 0 then "no node \($mac); got \([$r.nodes[] | name])"
        else .[0] | select(.outcome != $outcome or .stage != $stage or .root_cause != ($root // ""))
          | "node \($mac): got \(.outcome) \(.stage) \(.root_cause), want \($outcome) \($stage) \($root // ""): \(.verdict)"
        end),
    ($must[] | select(.[0] == "nodes") | select(.[1] != ($r.nodes | length | tostring))
      | "got \($r.nodes | length) nodes, want \(.[1])"),
    ([$want[] | select(.[0] == "node") | .[1]] as $known
      | $r.nodes[] | select(.outcome == "stopped") | select(name as $n | $known | index($n) | not)
      | select(. as $n | any($want[]; .[0] == "later" and .[2] == $n.root_cause and .[3] == ($n | name)) | not)
      | "false accusation: node \(name): \(.verdict)"),
    ($must[] | select(.[0] == "finding") | . as [$_, $sev, $id, $who]
      | select(any($r.findings[]; .id == $id and .severity == $sev and ($who == null or .node == $who or .server == $who)) | not)
      | "no \($sev) \($id) \($who // "")"),
    ($must[] | select(.[0] == "counts") | . as [$_, $path, $number]
      | ($r.counts | getpath($path | split(".")) // 0) as $got | ($number | rtrimstr("+") | tonumber) as $n
      | select(if $number | endswith("+") then $got < $n else $got != $n end) | "counts \($path): got \($got), want \($number)"),
    ($must[] | select(.[0] == "service") | .[1:][]
      | select(. as $id | any($r.services[]; .id == $id) | not) | "no service \(.); got \([$r.services[].id])"),
    ($must[] | select(.[0] == "quality") | .[1] as $gate
      | select(any($r.quality[]; .gate == $gate) | not) | "no quality gate \($gate); got \([$r.quality[].gate])"),
    ([$want[] | select(.[0] == "never") | .[1:][]] as $never
      | $r.findings[] | select(.id as $id | $never | index($id)) | "never: " + brief),
    ([$want[] | select(IN(.[0]; "finding", "may", "later")) | if .[0] == "may" then .[1:][] else .[2] end] as $known
      | $r.findings[] | select(.severity == "error" or .severity == "warning")
      | select(.id as $id | $known | index($id) | not) | "false accusation: " + brief)
  )
