#!/bin/sh
# compare.sh BASE PATTERN PACKAGE...: the Go benchmarks of packages at the commit
# BASE and as they are now, in turn, and what benchstat says of them.
set -eu
base=$1 pattern=$2
shift 2
tmp=$(mktemp -d)
trap 'git worktree remove --force "$tmp/base" 2>/dev/null; rm -rf "$tmp"' EXIT
git worktree add --quiet --detach "$tmp/base" "$base"
root=$PWD
export CGO_ENABLED=0
for package; do
  name=$(echo "$package" | tr -c 'a-z0-9\n' _)
  "$GO" test -c -o "$tmp/new$name" "$package"
  if ! (cd "$tmp/base" && "$GO" test -c -o "$tmp/old$name" "$package"); then
    echo "$package: not at $base, left out" >&2
    continue
  fi
  for round in 1 2 3 4 5 6; do
    (cd "$tmp/base/$package" && "$tmp/old$name" -test.run '^$' -test.bench "$pattern" -test.benchtime 200ms) >>"$tmp/old"
    (cd "$root/$package" && "$tmp/new$name" -test.run '^$' -test.bench "$pattern" -test.benchtime 200ms) >>"$tmp/new"
  done
done
"$GO" run "$BENCHSTAT" base="$tmp/old" now="$tmp/new"
