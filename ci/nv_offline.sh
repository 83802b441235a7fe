#!/usr/bin/env bash
# Compiles tile_nv_wgmma offline: clang to PTX, retargeted as src/program/nv_ptx.c does it, ptxas to machine code where it is installed.
# Fails on an error, on spills beyond the list's budget, and on the assembler's notes that products were put one after another.
#   ci/nv_offline.sh [DEFINES...]        one variant, else those of ci/nv_variants.txt:  GROUPS SPILL_BYTES DEFINES
. "$(dirname "$0")/common.sh"
need clang-19
unpack "$build/kernels/libclc" libclc-19 || die "libclc-19 (builtin functions for offline compilers) could not be had"
clc=$(find "$build/kernels/libclc" -name nvptx64--nvidiacl.bc | head -n 1)
ptxas=$(command -v ptxas || ls /usr/local/cuda/bin/ptxas 2>/dev/null || true)
[ -n "$ptxas" ] || say "no ptxas here: PTX only"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '#include "%s"\n' tile/tile.cl tile/tile_nv_wgmma.cl variant/score.cl attend/attend_forward.cl schedule/roles.cl >"$work/attend.cl"
printf '#include "%s"\n' tile/tile.cl tile/nv_tensor_maps.cl >"$work/maps.cl"
printf '#include "%s"\n' tile/tile.cl tile/probe_wgmma.cl >"$work/probe.cl"

# one TEXT GROUPS BUDGET DEFINES...
one() {
    local text=$1 groups=$2 budget=$3 log=$work/log defines=()
    shift 3
    for define in "$@"; do defines+=("-D$define"); done
    clang-19 -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -nogpulib -O3 -Wno-everything -Dasm=__asm__ -cl-denorms-are-zero -cl-mad-enable \
        -I "$root/cl" --target=nvptx64-nvidia-nvcl -include "$root/ci/nvptx.h" -Xclang -target-cpu -Xclang sm_90a -Xclang -target-feature \
        -Xclang +ptx83 -Xclang -mlink-builtin-bitcode -Xclang "$clc" "${defines[@]}" -S "$work/$text.cl" -o "$work/ptx" >"$log" 2>&1 ||
        { echo "FAIL $text $*"; head -n 5 "$log"; return 1; }
    local bm=128 items=32
    [[ " $* " =~ " BM="([0-9]+) ]] && bm=${BASH_REMATCH[1]} && items=$((128 + 2 * bm))
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
if [ $# -gt 0 ]; then one attend 1 0 "$@"; exit; fi
one maps 0 0 STORE=2 || bad=1
one probe 0 0 || bad=1
while read -r groups budget defines; do
    # shellcheck disable=SC2086
    one attend "$groups" "$budget" $defines || bad=1
done < <(lines_of "$root/ci/nv_variants.txt")
exit $bad
