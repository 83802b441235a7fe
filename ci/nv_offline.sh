#!/usr/bin/env bash
# Compiles NVIDIA's tiles offline: clang to PTX, with the lines that src/program/nv_ptx.c adds, ptxas to machine code.
# Fails on an error, on more registers, spills or local memory than the list allows, and on the assembler's notes that products were put one
# after another.
#   ci/nv_offline.sh                            those of ci/nv_variants.txt
#   ci/nv_offline.sh TEXT DEFINES...            one variant: nv_wgmma.attend, nv_wgmma.accumulate_forward, nv_mma.attend, ...
#   ci/nv_offline.sh --ptx FILE TEXT DEFINES... its PTX alone, for the tile's first chip
. "$(dirname "$0")/common.sh"
need clang-19
unpack "$build/kernels/libclc" libclc-19 || die "libclc-19 (builtin functions for offline compilers) could not be had"
clc=$(find "$build/kernels/libclc" -name nvptx64--nvidiacl.bc | head -n 1)
ptxas=$(assembler)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# of each tile: chips, schedule
declare -A chips=([nv_wgmma]=sm_90a [nv_mma]="sm_80 sm_90") schedules=([nv_wgmma]=roles [nv_mma]=serial)
join() { printf '#include "%s"\n' tile/tile.cl "${@:2}" >"$work/$1.cl"; }
for tile in "${!chips[@]}"; do
    join "$tile.attend" "tile/tile_$tile.cl" variant/score.cl attend/attend_forward.cl "schedule/${schedules[$tile]}.cl"
    join "$tile.probe" "tile/probe_${tile#nv_}.cl"
done
for stage in attend_backward_kv attend_backward_q attend_backward_bias attend_statistics; do
    for tile in "${!chips[@]}"; do
        join "$tile.$stage" "tile/tile_$tile.cl" variant/score.cl "attend/$stage.cl" "schedule/${schedules[$tile]}.cl"
    done
done
join nv_wgmma.attend_backward tile/tile_nv_wgmma.cl variant/score.cl attend/attend_backward_kv.cl schedule/chains.cl # in one pass
for stage in accumulate_forward accumulate_state accumulate_apply; do
    join "nv_wgmma.$stage" tile/tile_nv_wgmma.cl tile/tile_nv_wgmma_state.cl accumulate/portion.cl accumulate/decays.cl "accumulate/$stage.cl" schedule/roles.cl
done
join nv_wgmma.maps tile/nv_tensor_maps.cl

# items TEXT DEFINES...: of a group
items() {
    local text=$1 bm=64 blocks=1
    shift
    [[ " $* " =~ " BM="([0-9]+) ]] && bm=${BASH_REMATCH[1]}
    [[ " $* " =~ " BLOCKS="([0-9]+) ]] && blocks=${BASH_REMATCH[1]}
    [[ ! " $* " =~ " SPLIT="([0-9]+) ]] || { echo $((128 + 128 * BASH_REMATCH[1])); return; }
    case $text in
        nv_wgmma.attend*) echo $((128 + 2 * bm)) ;;
        nv_wgmma.probe) echo 128 ;;
        nv_mma.attend*) echo $((bm / blocks * 2)) ;;
        *) echo 32 ;;
    esac
}

# first PATTERN: the number that begins the first match in the assembler's log, or 0
first() { grep -oE "$1" "$work/log" | grep -oE '[0-9]+' | head -n 1 || echo 0; }

# ptx FILE CHIP TEXT DEFINES...
ptx() {
    local to=$1 chip=$2 text=$3 defines=()
    shift 3
    for define in "$@"; do defines+=("-D$define"); done
    clang-19 -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -nogpulib -O3 -Wno-everything -Dasm=__asm__ -cl-denorms-are-zero -cl-mad-enable \
        -I "$root/cl" --target=nvptx64-nvidia-nvcl -include "$root/ci/nvptx.h" -Xclang -target-cpu -Xclang "$chip" -Xclang -target-feature \
        -Xclang +ptx83 -Xclang -mlink-builtin-bitcode -Xclang "$clc" "${defines[@]}" -S "$work/$text.cl" -o "$to" >"$work/log" 2>&1 ||
        { echo "FAIL $chip $text $*"; head -n 5 "$work/log"; return 1; }
}

most_local=231424 # 227 KB, of which NVIDIA's OpenCL keeps one for itself
# one CHIP TEXT GROUPS REGISTERS SPILLS LOCAL DEFINES...
one() {
    local chip=$1 text=$2 groups=$3 budget=("$4" "$5" "$6") log=$work/log got i
    local names=(registers "bytes spilled" "bytes of local memory")
    shift 6
    ptx "$work/ptx" "$chip" "$text" "$@" || return 1
    # clang leaves the group's size out, NVIDIA's compiler does not
    awk -v groups="$groups" -v items="$(items "$text" "$@")" '/^\{/ && !done { print ".reqntid " items ", 1, 1"; if (groups) print ".minnctapersm " groups; done = 1 }
        { print }' "$work/ptx" >"$work/ptx2"
    [ -n "$ptxas" ] || return 0
    "$ptxas" -arch="$chip" -v -o /dev/null "$work/ptx2" >"$log" 2>&1 || { echo "FAIL ptxas $chip $text $*"; head -n 5 "$log"; return 1; }
    got=("$(first 'Used [0-9]+ registers')" "$(($(first '[0-9]+ bytes spill stores') + $(first '[0-9]+ bytes stack frame')))" "$(first '[0-9]+ bytes smem')")
    printf '%s %s %s %s %s %s\n' "$chip" "$text" "${got[@]}" "$*"
    [ "${got[2]}" -le $most_local ] || { echo "FAIL ${got[2]} bytes of local memory > $most_local: $chip $text $*"; return 1; }
    # one more fence costs these nothing: their products feed no other ones
    local notes='serialized|injected|ignored'
    [[ ! $text =~ attend_(statistics|backward_bias)$ ]] || notes='serialized|ignored'
    if grep -E "$notes" "$log"; then echo "FAIL notes: $chip $text $*"; return 1; fi
    for i in 0 1 2; do
        [ "${got[i]}" -le "${budget[i]}" ] || { echo "FAIL ${got[i]} ${names[i]} > ${budget[i]}: $chip $text $*"; return 1; }
    done
}
bad=0
# each TEXT ...: on every chip of its tile
each() {
    local chip
    for chip in ${chips[${1%%.*}]}; do one "$chip" "$@" || bad=1; done
}
if [ "${1:-}" = --ptx ]; then ptx "$2" "${chips[${3%%.*}]%% *}" "${@:3}"; exit; fi
# what clang refuses fails in any case
end() {
    [ $bad = 0 ] || exit 1
    [ -n "$ptxas" ] || not_whole "PTX only: no register, spill or byte of local memory was counted"
    exit 0
}
if [ $# -gt 0 ]; then each "$1" 1 255 0 $most_local "${@:2}"; end; fi
while read -r text groups registers spills local defines; do
    # shellcheck disable=SC2086
    each "$text" "$groups" "$registers" "$spills" "$local" $defines
done < <(lines_of "$root/ci/nv_variants.txt")
end
