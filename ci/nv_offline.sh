#!/usr/bin/env bash
# Compiles tile_nv_wgmma offline: clang to PTX, retargeted as src/program/nv_ptx.c does it, ptxas to machine code where it is installed.
# Fails on an error, on spills beyond the list's budget, and on the assembler's notes that products were put one after another.
#   ci/nv_offline.sh                             those of ci/nv_variants.txt:  GROUPS SPILL_BYTES [STAGE] DEFINES
#   ci/nv_offline.sh STAGE DEFINES...            one variant: attend, accumulate_forward, accumulate_state or accumulate_apply
#   ci/nv_offline.sh --ptx FILE STAGE DEFINES... its PTX alone
. "$(dirname "$0")/common.sh"
need clang-19
unpack "$build/kernels/libclc" libclc-19 || die "libclc-19 (builtin functions for offline compilers) could not be had"
clc=$(find "$build/kernels/libclc" -name nvptx64--nvidiacl.bc | head -n 1)
ptxas=$(command -v ptxas || ls /usr/local/cuda/bin/ptxas 2>/dev/null || true)
[ -n "$ptxas" ] || say "no ptxas here: PTX only"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '#include "%s"\n' tile/tile.cl tile/tile_nv_wgmma.cl variant/score.cl attend/attend_forward.cl schedule/roles.cl >"$work/attend.cl"
for stage in accumulate_forward accumulate_state accumulate_apply; do
    printf '#include "%s"\n' tile/tile.cl tile/tile_nv_wgmma.cl tile/tile_nv_wgmma_state.cl accumulate/args.cl accumulate/decays.cl \
        "accumulate/$stage.cl" schedule/roles.cl >"$work/$stage.cl"
done
printf '#include "%s"\n' tile/tile.cl tile/nv_tensor_maps.cl >"$work/maps.cl"
printf '#include "%s"\n' tile/tile.cl tile/probe_wgmma.cl >"$work/probe.cl"

# ptx FILE TEXT DEFINES...
ptx() {
    local to=$1 text=$2 defines=()
    shift 2
    for define in "$@"; do defines+=("-D$define"); done
    clang-19 -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -nogpulib -O3 -Wno-everything -Dasm=__asm__ -cl-denorms-are-zero -cl-mad-enable \
        -I "$root/cl" --target=nvptx64-nvidia-nvcl -include "$root/ci/nvptx.h" -Xclang -target-cpu -Xclang sm_90a -Xclang -target-feature \
        -Xclang +ptx83 -Xclang -mlink-builtin-bitcode -Xclang "$clc" "${defines[@]}" -S "$work/$text.cl" -o "$to" >"$work/log" 2>&1 ||
        { echo "FAIL $text $*"; head -n 5 "$work/log"; return 1; }
}

# one GROUPS BUDGET TEXT DEFINES...
one() {
    local groups=$1 budget=$2 text=$3 log=$work/log
    shift 3
    ptx "$work/ptx" "$text" "$@" || return 1
    local items=32
    [[ " $* " =~ " BM="([0-9]+) ]] && items=$((128 + 2 * BASH_REMATCH[1]))
    [[ " $* " =~ " SPLIT="([0-9]+) ]] && items=$((128 + 128 * BASH_REMATCH[1]))
    [ "$text" != probe ] || items=128
    # clang leaves the group's size out, NVIDIA's compiler does not
    awk -v groups="$groups" -v items="$items" '/^\{/ && !done { print ".reqntid " items ", 1, 1"; if (groups) print ".minnctapersm " groups; done = 1 }
        { print }' "$work/ptx" >"$work/ptx2"
    [ -n "$ptxas" ] || return 0
    "$ptxas" -arch=sm_90a -v -o /dev/null "$work/ptx2" >"$log" 2>&1 || { echo "FAIL ptxas $text $*"; head -n 5 "$log"; return 1; }
    local spills registers
    spills=$(grep -oE '[0-9]+ bytes spill stores' "$log" | awk '{ s += $1 } END { print s + 0 }')
    registers=$(grep -oE 'Used [0-9]+ registers' "$log" | head -n 1)
    printf '%s, %s bytes spilled, %s: %s %s\n' "$registers" "$spills" "$(grep -oE '[0-9]+ bytes smem' "$log" | tail -n 1)" "$text" "$*"
    if grep -E 'serialized|injected|ignored' "$log"; then echo "FAIL notes: $text $*"; return 1; fi
    [ "$spills" -le "$budget" ] || { echo "FAIL spills $spills > $budget: $text $*"; return 1; }
}
bad=0
if [ "${1:-}" = --ptx ]; then shift; ptx "$@"; exit; fi
if [ $# -gt 0 ]; then one 1 0 "$@"; exit; fi
one 0 0 maps STORE=2 || bad=1
one 0 0 probe || bad=1
while read -r groups budget stage defines; do
    [[ $stage != *=* ]] || { defines="$stage $defines"; stage=attend; }
    # shellcheck disable=SC2086
    one "$groups" "$budget" "$stage" $defines || bad=1
done < <(lines_of "$root/ci/nv_variants.txt")
exit $bad
