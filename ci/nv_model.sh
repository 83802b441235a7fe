#!/usr/bin/env bash
# Runs the kernels of tile_nv_wgmma without a GPU: compiled by clang, executed by a model of the machine (nv_machine.py), compared with plain
# products (nv_model.py). What it finds: wrong addresses, descriptors, fragments, phases of barriers, missing fences. What it cannot: the final
# assembler's doing, and time.
#   ci/nv_model.sh [CASE...]
. "$(dirname "$0")/common.sh"
need clang-19
venv=$build/kernels/model-venv
python_env "$venv" numpy || { say "numpy could not be had: skipped"; exit 77; }
exec "$venv/bin/python" "$root/ci/nv_model.py" "$@"
