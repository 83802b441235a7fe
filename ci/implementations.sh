#!/usr/bin/env bash
# The tests, and the problems of ci/problems.txt on every backend, on each OpenCL implementation that can be had here.
#   ci/implementations.sh [NAME...]     without one: pocl intel oclgrind rusticl
# Nothing is installed into the system's list of implementations. What an implementation gets wrong is listed with its reason
# in ci/quirks/NAME.txt; what fails and is not listed there, fails here; what is listed and passes is reported.
# shellcheck disable=SC2317,SC2034
. "$(dirname "$0")/common.sh"
need_build
work=$build/implementations
export seconds=${CLATTN_CHECK_SECONDS:-150} build
mkdir -p "$work"

# Each of the next functions sets the environment of one implementation, the tests to run and the backends to check.
use_pocl() {
    need pocl-opencl-icd
    export OCL_ICD_VENDORS=/etc/OpenCL/vendors/pocl.icd
    # where there is no GPU the whole suite has run on it already, and its kernels are compiled
    [ ! -d "$build/pocl_cache" ] || export POCL_CACHE_DIR=$build/pocl_cache
    # that suite has its tests, simt's problems run on the others, cpu's in ci/random.sh
    tests='^merge_' backends="ref"
}

# Inline assembly for x86 is pocl's alone: the others compile for no machine, or for another one, and refuse it.
without_amx() { export CLATTN_AMX=off; }

use_intel() {
    without_amx
    local venv=$work/intel-venv
    python_env "$venv" -r "$root/ci/intel-requirements.txt" || return 1
    vendor intel "$venv/lib/libintelocl.so"
    export LD_LIBRARY_PATH=$venv/lib
    # every context compiles anew here: tests that make many (plan_calls, enqueue, groups) run on pocl and on a GPU; gradients: the
    # problems, on the tiles that a user of this runtime gets, and so values; tile_words compiles longest
    tests='^(accumulate_i|attend_[cfirt]|device|layout|merge|methods_[^g]|tile_[^w]|plan_(launch|problem))' backends="simt cpu"
}

use_oclgrind() {
    without_amx
    need oclgrind
    vendor oclgrind "$(dpkg -L oclgrind | grep 'liboclgrind-rt-icd.so$')"
    # an interpreter: only tests of small kernels end in time; ci/oclgrind.sh runs all kernels, with race detection
    tests='^(tile_(items|line_words|schedules|shape_)|merge_)' backends="ref"
}

use_rusticl() {
    without_amx
    need libdrm-amdgpu1 libdrm-nouveau2 libdrm-radeon1 libelf1 libsensors5 libexpat1 libzstd1
    unpack "$work/mesa" mesa-opencl-icd libclc-15 libllvmspirvlib15 libclang-cpp15 libllvm15 || return 1
    local libraries
    libraries=$(dirname "$(find "$work/mesa" -name libRusticlOpenCL.so.1)")
    vendor rusticl "$libraries/libRusticlOpenCL.so.1"
    cc -std=gnu11 -shared -fPIC "$root/ci/redirect.c" -o "$work/redirect.so" -ldl
    export LD_LIBRARY_PATH=$libraries LD_PRELOAD=$work/redirect.so CLC_DIR=$work/mesa/usr/lib/clc RUSTICL_ENABLE=llvmpipe
    # Its compiler (Mesa 22.3.6) says "Treating load_kernel_arg in control flow as uniform, results may be incorrect", and they are: the
    # plain tile's one item a row gives wrong or different bits at every run, or a crash. So simt alone is asked; tests that run ref are
    # quirks. The state words of ref and cpu compile for ten minutes; simt's are in the problems
    tests='^(tile_(line_words|schedules|words)|merge_)' backends="simt"
}

vendor() {
    mkdir -p "$work/$1.icd.d"
    echo "$2" >"$work/$1.icd.d/$1.icd"
    export OCL_ICD_VENDORS=$work/$1.icd.d
}

# items NAME: one line "good|declined|failed ITEM" for each test and each check.
items() {
    local out=$work/$1
    mkdir -p "$out"
    suite "$out" --tests-regex "$tests" --timeout 200 >"$out/ctest.log" 2>&1 || true
    sed -nE 's/^ *[0-9]+\/[0-9]+ +Test +#[0-9]+: ([^ ]+) \.+(.*)$/\1 \2/p' "$out/ctest.log" |
        while read -r name verdict; do
            case $verdict in
                *Passed*) echo "good $name" ;;
                *Skipped*) echo "declined $name" ;;
                *) echo "failed $name" ;;
            esac
        done
    lines_of "$root/ci/problems.txt" | for_each "$backends" | xargs -0 -n 2 -P "$jobs" bash -c 'item "$@"' "$out"
}

# item BACKEND PROBLEM: one check, with its log in the folder $0. One line is one write: processes do not mix theirs.
item() { echo "$(check "$1" "$2" "$0/check.$(file_name "$1" "$2").log" | cut -d ' ' -f 1) check $1 $2"; }
export -f item check file_name

# judge NAME: reads items, prints what matters, returns 1 on a failure that is no quirk.
judge() {
    local quirks=$root/ci/quirks/$1.txt verdict item pattern bad=0 good=0 declined=0 known=0 hit
    while read -r verdict item; do
        hit=
        while IFS= read -r pattern; do
            pattern=${pattern%%  #*}
            # shellcheck disable=SC2053
            [[ $item != $pattern ]] || hit=$pattern
        done < <([ ! -e "$quirks" ] || lines_of "$quirks")
        case $verdict in
            good) good=$((good + 1)); [ -z "$hit" ] || [[ $hit == *\** ]] || echo "$1: passes although listed as a quirk: $item" ;;
            declined) declined=$((declined + 1)); [[ $item == check\ * ]] || echo "$1: skipped: $item" ;;
            *) if [ -n "$hit" ]; then known=$((known + 1)); echo "$1: quirk: $item";
               else bad=1; echo "$1: FAIL: $item"; fi ;;
        esac
    done <"$work/$1.items"
    echo "$1: $good good, $declined declined, $known known quirks$([ $bad = 0 ] || echo ", new failures; logs in $work/$1")"
    # a tile whose probe fails declines everything
    for pattern in $(awk '$2 == "check" { asked[$3] = 1; if ($1 == "good") ran[$3] = 1 } END { for (b in asked) if (!ran[b]) print b }' "$work/$1.items"); do
        echo "$1: FAIL: no problem ran on $pattern"
        bad=1
    done
    [ $good -gt 0 ] || { echo "$1: FAIL: nothing ran"; bad=1; }
    return $bad
}

failed=0
[ $# -gt 0 ] || set -- pocl intel oclgrind rusticl
for name in "$@"; do
    declare -F "use_$name" >/dev/null || die "unknown implementation $name"
    # POCL_* and CLATTN_CACHE of the caller stay; each implementation gets a shell, thus an environment, of its own
    if (unset LD_PRELOAD && private_caches "$work/caches/$name" && "use_$name" && items "$name" >"$work/$name.items"); then
        judge "$name" || failed=1
    else
        echo "$name: NOT RUN: it could not be had here"
        failed=1
    fi
done
exit $failed
