#!/usr/bin/env bash
# The table of ci/gpu.sh at a size for CPUs: its script and some of its problems work. The figures mean nothing here.
. "$(dirname "$0")/common.sh"
need python3
need_build
cmake --build "$build" --target clattn_host_time clattn_kernel_times >/dev/null
private_caches "$build/gpu_table"
python3 "$root/tools/compare/gpu.py" --tiny --rows 1,7,9,12 --seconds 500 --build "$build" --out "$build/gpu_table"
