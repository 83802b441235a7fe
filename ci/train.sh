#!/usr/bin/env bash
# A short run of tools/examples/train: the loss of sparse and linear layers mixed falls, and as a dense model's does.
. "$(dirname "$0")/common.sh"
out=$build/train/run
mkdir -p "$out"
POCL_CACHE_DIR=$build/pocl_cache "$root/tools/examples/train/run.sh" --steps 60 --out "$out" >"$build/train.log" 2>&1 ||
    { cat "$build/train.log"; die "the example failed"; }
[ -s "$out/loss.png" ] || die "no curve"
last() { tail -n 10 "$out/$1.csv" | awk -F, '{ sum += $2 } END { print sum / NR }'; }
first=$(awk -F, 'NR == 2 { print $2 }' "$out/mixed.csv")
say "first loss $first, last ten: mixed $(last mixed), dense $(last dense)"
awk -v first="$first" -v mixed="$(last mixed)" -v dense="$(last dense)" \
    'BEGIN { exit !(mixed < first - 1.5 && dense < first - 1.5 && mixed < dense + 0.4) }' || die "the losses do not fall as they should"
