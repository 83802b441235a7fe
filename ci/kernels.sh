#!/usr/bin/env bash
# Compiles every kernel of the problems in ci/variants.txt for GPUs that are not here: AMD by clang, Intel by ocloc, NVIDIA by
# clang and ptxas. The sources are what the library would give to a driver ($CLATTN_DUMP).
#   ci/kernels.sh [PROBLEM...]
. "$(dirname "$0")/common.sh"
need oclgrind clang-19 intel-opencl-icd
need_build
work=$build/kernels
rm -rf "$work"/dump "$work"/out
mkdir -p "$work/dump" "$work/out"
unpack "$work/libclc" libclc-19 || die "libclc-19 (builtin functions for offline compilers) could not be had"
amd=${CLATTN_AMD-gfx1201}
intel=${CLATTN_INTEL-dg2} # its compiler takes as long as the others' together: every second kernel
nvidia=${CLATTN_NVIDIA-sm_90}
others=${CLATTN_OTHERS-amd:gfx942 intel:pvc} # data centres' chips: every sixth kernel
older=${CLATTN_OLDER-amd:gfx90a amd:gfx1100 intel:tgllp nvidia:sm_75} # of the same makers' families: every twelfth kernel
ptxas=$(assembler)

# 1. texts: the GPU tile and the plain one. Planned on Oclgrind, which compiles in no time and can pretend to have the local
#    memory of different GPUs (tile sizes follow it): most have 64 KiB; every third problem is one for the least of them, too, and for the plain tile.
part=1 second=1
if [ $# -gt 0 ]; then printf '%s\n' "$@"; else part=3 second=2 && lines_of "$root/ci/variants.txt"; fi >"$work/problems"
export CLATTN_CACHE=off CLATTN_DUMP=$work/dump
# plan_one BACKEND:BYTES PROBLEM
plan_one() {
    local backend=${1%:*} log=$work/plan.$BASHPID.log
    case "$backend $2" in # ref keeps states in private memory: too large there, so GPUs decline it (src/tile/tiles.c)
        "ref linear"*" d=128"* | "ref lightning"*" d=128"*) return ;;
    esac
    oclgrind --local-mem-size "${1#*:}" "$build/clattn" plan --backend "$backend" "$2" >"$log" 2>&1 </dev/null ||
        { printf 'FAIL plan %s: %s\n%s\n' "$1" "$2" "$(tail -n 3 "$log")"; return 1; }
    rm -f "$log"
}
export -f plan_one
export root work build ptxas
bad=0
{ for_each simt:65536; every $part 1 <"$work/problems" | for_each simt:32768; every $part 2 <"$work/problems" | for_each ref:32768; } <"$work/problems" |
    xargs -0 -n 2 -P "$jobs" bash -c 'plan_one "$@"' one || bad=1
rm -f "$work"/dump/probe.*
count=$(find "$work/dump" -name '*.cl' | wc -l)
[ "$count" -gt 0 ] || die "no kernel was written by CLATTN_DUMP"

# 2. compilers; `compile_one TARGET FILE` leaves its log in $out.log and fails on an error
compile_one() {
    local target=$1 text=$2 kind chip options out
    kind=${target%%:*} chip=${target#*:}
    options=$(cat "${text%.cl}.opt")
    out=$work/out/$kind.$chip.$(basename "$text" .cl)
    local clang="clang-19 -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -nogpulib -O2 -Wno-everything $options"
    case $kind in
        amd)
            $clang --target=amdgcn-amd-amdhsa -mcpu="$chip" -Xclang -mlink-builtin-bitcode \
                -Xclang "$clc/amdgcn--amdhsa.bc" -S "$text" -o "$out.s" >"$out.log" 2>&1 ;;
        intel)
            ocloc compile -file "$text" -device "$chip" -options "$options" -out_dir "$work/out" -output "$(basename "$out")" \
                >"$out.log" 2>&1 && ! grep -qiE 'INVALID opcode|error:' "$out.log" ;;
        nvidia)
            $clang --target=nvptx64-nvidia-nvcl -include "$root/ci/nvptx.h" -Xclang -target-cpu -Xclang "$chip" -Xclang -mlink-builtin-bitcode \
                -Xclang "$clc/nvptx64--nvidiacl.bc" -S "$text" -o "$out.s" >"$out.log" 2>&1 &&
                { [ -z "$ptxas" ] ||
                    "$ptxas" -arch="$chip" -v -o /dev/null "$out.s" >>"$out.log" 2>&1; } ;;
    esac || { printf 'FAIL %s: %s\n' "$target" "$(basename "$text")"; grep -iE 'error|INVALID' "$out.log" | head -n 5; return 1; }
    rm -f "$out".s "$out"*.bin "$out"*.spv
}
export -f compile_one
clc=$(dirname "$(find "$work/libclc" -name amdgcn--amdhsa.bc)")
export clc
targets= halves=
for chip in $amd; do targets+=" amd:$chip"; done
for chip in $nvidia; do targets+=" nvidia:$chip"; done
for chip in $intel; do halves+=" intel:$chip"; done
# texts N CHIPS: the first of each N texts, for these chips
texts() { find "$work/dump" -name '*.cl' | sort | every "$1" 1 | for_each "$2"; }
{ texts 1 "$targets"; texts $second "$halves"; texts 6 "$others"; texts 12 "$older"; } |
    xargs -0 -n 2 -P "$jobs" bash -c 'compile_one "$1" "$2"' one >"$work/failures" 2>&1 || bad=1
cat "$work/failures"
spills=$(grep -lE 'spilled around|[1-9][0-9]* bytes spill' "$work"/out/*.log 2>/dev/null | wc -l || true)
say "$count kernels x $(echo $targets | wc -w) chips, one in $second x $(echo $halves | wc -w), a sixth x $(echo $others | wc -w), a twelfth x $(echo $older | wc -w) more;" \
    "$(grep -c '^FAIL' "$work/failures" || true) failed; $spills with spills"
[ $bad = 0 ] || exit 1
[ -n "$ptxas" ] || [ -z "$nvidia" ] || not_whole "NVIDIA's kernels were compiled to PTX only"
