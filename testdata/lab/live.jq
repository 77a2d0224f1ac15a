# $lines: the events of `pxescope live --format ndjson`. $report: what analyze says of
# the same packets. Output: a line for each difference.
def name: if .mac != "" then .mac else (.addresses[0] // "") end;
def said: "\(.severity) \(.id) \(.node) \(.server)";
def stands: "node \(name) \(.outcome) \(.stage) \(.root_cause)";

reduce $lines[] as $l ({};
  if $l.type == "finding" then .findings[$l.key] = $l
  elif $l.type == "withdrawn" then del(.findings[$l.key])
  elif $l.type == "node" and $l.change == "gone" then del(.nodes[$l | name])
  elif $l.type == "node" then .nodes[$l | name] = $l
  elif $l.type == "summary" then .end = $l
  else . end)
| . as $live | $report[0] as $r
| ([($live.findings // {})[] | said] + [($live.nodes // {})[] | stands] | unique) as $is
| ([$r.findings[] | said] + [$r.nodes[] | stands] | unique) as $must
| def number: paths(scalars) as $p | {key: ($p | map(tostring) | join(".")), value: getpath($p)};
  if $live.end == null then "it did not end with a summary"
  elif $live.end.counts.packets != $r.counts.packets then
    "it had \($live.end.counts.packets) packets, the capture has \($r.counts.packets)"
  else
    ($is - $must | .[] | "only live says: \(.)"),
    ($must - $is | .[] | "only analyze says: \(.)"),
    ([$live.end.counts | number] as $a | [$r.counts | number] as $b
      | ($a - $b | .[] | "live counted \(.key) \(.value)"), ($b - $a | .[] | "analyze counted \(.key) \(.value)"))
  end
