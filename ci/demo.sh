#!/usr/bin/env bash
# The main job on the default device, as tools/quickstart.sh runs it: it compares its own results with the double-precision reference, and its
# pictures must be there.
. "$(dirname "$0")/common.sh"
need python-matplotlib-data
need_build
out=$build/demo
rm -rf "$out"
private_caches "$out.caches"
"$build/clattn" demo --out "$out"
count=$(find "$out" -name '*.png' -size +1k | wc -l)
[ "$count" -ge 2 ] || die "$count pictures in $out; two were to be written"
