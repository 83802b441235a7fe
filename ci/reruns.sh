#!/usr/bin/env bash
# The kernels of gradients a thousand times each, in 334 fresh plans on fresh buffers: every bit is that of the first time.
#   ci/reruns.sh [PROBLEM...]
. "$(dirname "$0")/common.sh"
need_build
private_caches "$build/reruns"
export CLATTN_CACHE=off
[ $# -gt 0 ] || set -- 'dense hq=4 hk=2 n=70 d=16 causal=1 sink=1 alibi=2 bias=1 bias_b=1 pass=bwd' \
    'block_sparse pattern=mask block=16 hq=4 hk=2 n=90 d=16 dtype=bf16 pass=bwd' \
    'linear hq=4 hk=2 n=150 d=16 decay=token state=1 ddecay=1 pass=bwd' \
    'hybrid h=2 n=90 d=16 window=8,8 samples=8 gate=2 pass=bwd' \
    'merge h=2 n=60 d=16 norm=layer residual=1 pass=bwd'
"$build/clattn" check --reruns 334 --seed 7 "$@" >"$build/reruns/log" 2>&1 || { grep -A 3 '^FAIL' "$build/reruns/log"; die "not the same bits"; }
tail -n 1 "$build/reruns/log"
