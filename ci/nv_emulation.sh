#!/usr/bin/env bash
# Runs tile_nv_mma on a CPU with its PTX words emulated (tests/tile/test_nv_mma.c): the one test that takes minutes.
. "$(dirname "$0")/common.sh"
need_build
private_caches "$build/nv_emulation"
export CLATTN_BUILD_OPTIONS=-cl-opt-disable # most of the time is pocl's compiler's
CLATTN_CACHE=off exec "$build/tests/test_tile_nv_mma"
