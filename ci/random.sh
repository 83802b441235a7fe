#!/usr/bin/env bash
# Random legal problems over every key against the double reference, each again with a fresh plan and fresh buffers, in as many processes as there are cores.
#   ci/random.sh [COUNT] [SEED]
. "$(dirname "$0")/common.sh"
count=${1:-50}
seed=${2:-2026}
need_build
work=$build/random
mkdir -p "$work"
private_caches "$work"
export CLATTN_CACHE=off
share=$(((count + jobs - 1) / jobs))
for i in $(seq "$jobs"); do
    "$build/clattn" check --random "$share" --reruns 1 --seed $((seed + i)) >"$work/$i.log" 2>&1 &
    pids[i]=$!
done
failed=0
for i in $(seq "$jobs"); do
    wait "${pids[i]}" || failed=1
    grep -A 3 '^FAIL' "$work/$i.log" || tail -n 1 "$work/$i.log"
done
exit $failed
