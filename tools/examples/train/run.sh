#!/usr/bin/env bash
# Trains the model of this folder twice, with sparse and linear layers mixed and with dense ones, on the licences that Debian's base-files
# brings; leaves both losses as CSV, and as a curve.   run.sh [--steps N] [--out DIRECTORY] [--platform NUMBER]
. "$(dirname "$0")/../../../ci/common.sh"
steps=300 out=train platform=0
while [ $# -gt 0 ]; do
    case $1 in
        --steps) steps=$2 ;;
        --out) out=$2 ;;
        --platform) platform=$2 ;;
        *) die "unknown: $1; run.sh [--steps N] [--out DIRECTORY] [--platform NUMBER]" ;;
    esac
    shift 2
done
here=$root/tools/examples/train
mixed="block_sparse pattern=sliding block=32/hybrid window=32,0 samples=16/lightning scale=0.02"
need libclblast-dev gnuplot-nox base-files
mkdir -p "$out"
configure_and_build "$build/train" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCLATTN_BUILD_TESTS=OFF >&2
cmake --build "$build/train" --target clattn_train >&2
cat /usr/share/common-licenses/{GPL-1,GPL-2,GPL-3,LGPL-2,LGPL-2.1,MPL-2.0,GFDL-1.3,Apache-2.0} >"$out/text.txt"
for kind in mixed dense; do
    layers=$mixed
    [ $kind = mixed ] || layers=dense/dense/dense
    say "$kind: $layers"
    "$build/train/clattn_train" "$out/text.txt" "$here/kernels.cl" "$layers" "$steps" "$out/$kind.csv" "$platform"
done
gnuplot -e "set terminal pngcairo size 800,500; set output '$out/loss.png'; set datafile separator ','; set key autotitle columnhead; set grid; \
set xlabel 'step'; set ylabel 'loss, nats a letter'; plot '$out/mixed.csv' using 1:2 with lines lw 2 title 'block-sparse, hybrid, lightning', \
'$out/dense.csv' using 1:2 with lines lw 2 title 'dense'"
say "$out/mixed.csv, $out/dense.csv, $out/loss.png"
