#!/usr/bin/env bash
# Builds, tests, checks and times clattn on a machine with a GPU, one without a package registry or root included.
#   ci/gpu.sh [STEP...]      steps: build devices tests check check_mma values reruns table (all of them by default); pack
# pack is for a machine with registries (Debian 12): it fetches into $CLATTN_DEBS (.icd in the source tree) the Debian packages that
# the other machine lacks, and fla, a peer of the table. Take that folder along; here they are unpacked into the build folder.
# table: tools/compare/gpu.py with the options $CLATTN_GPU_TABLE (such as "--rows 1,5"). $CLATTN_COMMIT says what is measured where
# there is no .git. Problems of check and reruns: ci/gpu_check.txt. Reports go to $CLATTN_GPU_OUT (the build folder's out): ten files.
# reruns: each problem $CLATTN_GPU_RERUNS times (10) with a fresh plan and fresh buffers, 50 times where groups stay and rows are cut into parts; gradients in 34 plans of 30 runs.
# sanitize (only when asked): what OpenCL did for each line of ci/gpu_sanitize.txt, recorded, is done again through CUDA under compute-sanitizer's
# tools $CLATTN_SANITIZERS (memcheck initcheck synccheck racecheck), $CLATTN_JOBS at a time; nv_wgmma's lanes all arrive at its barriers there,
# where one does for its warp elsewhere: racecheck knows no order between lanes of a warp.
# Where a command may take ten minutes: build, devices, tests and the checks in one, the table in another.
# shellcheck disable=SC2317
. "$(dirname "$0")/common.sh"
build=${CLATTN_BUILD_DIR:-$root/build-gpu}
debs=${CLATTN_DEBS:-$root/.icd}
out=${CLATTN_GPU_OUT:-$build/out}
prefix=$build/prefix
lib=$prefix/usr/lib/x86_64-linux-gnu
mkdir -p "$out"
bad=0

packages="ocl-icd-libopencl1 ocl-icd-opencl-dev opencl-c-headers libxxhash-dev libjansson4 libjansson-dev libpng16-16 libpng-dev
    libcmocka0 libcmocka-dev pkgconf pkgconf-bin libpkgconf3 zlib1g-dev"
wheels="fla-core==0.6.0 einops packaging nvidia-cuda-sanitizer-api==13.0.85" # fla imports the next two; the last is of driver 580's release

step_pack() {
    mkdir -p "$debs"
    rm -f "$debs"/*.deb "$debs"/*.whl
    # shellcheck disable=SC2086
    (cd "$debs" && apt-get download -qq $packages && python3 -m pip download -q --no-deps -d . $wheels)
    du -sh "$debs"
}

# A loader and libraries from packages; NVIDIA's driver alone, where there is one.
prepare() {
    if ls "$debs"/*.deb >/dev/null 2>&1 && [ ! -e "$prefix/done" ]; then
        mkdir -p "$prefix/vendors"
        for deb in "$debs"/*.deb; do dpkg -x "$deb" "$prefix"; done
        for wheel in "$debs"/*.whl; do [ ! -e "$wheel" ] || python3 -m zipfile -e "$wheel" "$prefix/python"; done
        touch "$prefix/done"
    fi
    [ -d "$prefix" ] || return 0
    export LD_LIBRARY_PATH=$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} PYTHONPATH=$prefix/python${PYTHONPATH:+:$PYTHONPATH}
    export PKG_CONFIG=$prefix/usr/bin/pkgconf PKG_CONFIG_SYSROOT_DIR=$prefix PKG_CONFIG_PATH=$lib/pkgconfig:$prefix/usr/share/pkgconfig
    found=(-DCMAKE_PREFIX_PATH="$prefix/usr" -DOpenCL_LIBRARY="$lib/libOpenCL.so.1" -DOpenCL_INCLUDE_DIR="$prefix/usr/include"
        -DCLATTN_XXHASH_INCLUDE_DIR="$prefix/usr/include" -DPKG_CONFIG_EXECUTABLE="$PKG_CONFIG")
    local driver
    driver=$(ldconfig -p | sed -n 's/.*=> \(.*libnvidia-opencl\.so\.1\)$/\1/p' | head -n 1)
    [ -n "$driver" ] || driver=$(find /usr /opt -name 'libnvidia-opencl.so.1' 2>/dev/null | head -n 1)
    [ -n "$driver" ] || return 0
    echo "$driver" >"$prefix/vendors/nvidia.icd"
    export OCL_ICD_VENDORS=$prefix/vendors
}
step_build() {
    cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo "${found[@]}" >"$out/build.log" 2>&1 ||
        { tail -n 20 "$out/build.log"; die "cmake failed"; }
    cmake --build "$build" --parallel "$jobs" --target all clattn_host_time clattn_kernel_times >>"$out/build.log" 2>&1 ||
        { grep -E 'error|FAILED' "$out/build.log" | head -n 20; die "the build failed"; }
}
step_devices() { "$build/clattn" devices | tee "$out/devices.txt"; }
step_tests() {
    whole --test-dir "$build" --parallel "$jobs" --timeout 200 --output-on-failure >"$out/tests.log" 2>&1 || bad=1 # one that is skipped, too
    grep -E 'tests passed|Failed|Timeout|Skipped' "$out/tests.log" || true
}
# checked NAME OPTION...: the problems on standard input, a few in each of $jobs processes (most of the time is the driver's compiler). 0 if all are good.
checked() {
    local name=$1 parts=$build/$1.parts rc=0
    shift
    rm -rf "$parts"; mkdir -p "$parts"
    xargs -d '\n' -n 4 -P "$jobs" bash -c 'of=$1 tool=$2 options=$3; shift 3
        timeout 300 "$tool" check --verbose $options "$@" >"$of/$$.txt" 2>"$of/$$.log" || { echo "ended with $? of: $*" >>"$of/$$.txt"; exit 1; }' \
        one "$parts" "$build/clattn" "$*" || rc=1
    cat "$parts"/*.txt "$parts"/*.log >"$out/$name.log"
    grep -A 3 -E '^FAIL|^ended' "$out/$name.log" | head -n 80 || true
    echo "$(grep -c '^ok' "$out/$name.log") good, $(grep -c '^FAIL' "$out/$name.log") not"
    return $rc
}
# Every problem on the GPU's first choice; spills and products put one after another are failures too.
step_check() {
    local log=$out/check.log
    lines_of "$root/ci/gpu_check.txt" | checked check || bad=1
    grep 'assembler' "$log" | grep -v 'Used ' | sort | uniq -c || true
    ! grep -A 4 'declines: kernel' "$log" || { say "a backend declines for a kernel that it cannot build"; bad=1; }
    # products one after another, and more than a few words spilled, cost speed: no kernel that is chosen may do that
    # (one more fence costs the two kernels nothing whose products feed no other ones)
    ! grep -E 'assembler.*(serialized|injected)' "$log" | grep -vE "injected.*'attend_(statistics|backward_bias)'" || bad=1
    # (those who load and take in the one pass backwards have few registers, and time: nv_variants.txt)
    awk '/assembler.*spill stores/ { most = /attend_backward_kv/ ? 700 : 16
        for (i = 1; i < NF; i++) if ($i == "bytes" && $(i + 2) == "stores," && $(i - 1) > most) bad = 1 } END { exit bad }' \
        "$log" || { say "a kernel spills too much"; bad=1; }
}
# Those that nv_mma takes, on it: softmax methods, forwards and backwards, of 16-bit types, or of floats that may be rounded.
step_check_mma() {
    lines_of "$root/ci/gpu_check.txt" | grep -Ev '^(linear|lightning|sparse_linear) |kv_dtype=' | grep -E 'dtype=|tf32=1' |
        checked check_mma --backend nv_mma || bad=1
}
# Masks of every customary constant, NaN behind padding, scores as large as whole numbers make them: on both of NVIDIA's tiles.
# Seeds are those of tools/harness/check.h.
step_values() {
    local backend mask
    : >"$out/values.log"
    for backend in nv_wgmma nv_mma; do
        for mask in $(seq 1 13); do
            "$build/clattn" check --backend $backend --seed $(((1 << 44) + (mask << 40) + 3)) "dense b=2 n=300 h=2 d=128 dtype=f16 bias=1" \
                "dense n=300 h=2 d=64 dtype=bf16 bias=1 causal=1" "dense b=2 n=200 h=2 d=64 dtype=bf16 key_padding=1" \
                "dense b=2 hq=8 hk=2 nq=2 nk=300 d=128 pass=decode dtype=f16 key_padding=1" >>"$out/values.log" 2>&1 || bad=1
        done
        for seed in 1 2 3 4; do
            "$build/clattn" check --backend $backend --seed $(((6 << 32) + seed)) "dense n=300 h=2 d=64 dtype=bf16" \
                "dense n=300 h=2 d=128 dtype=f16 causal=1" >>"$out/values.log" 2>&1 || bad=1
        done
    done
    grep -A 3 '^FAIL' "$out/values.log" | head -n 80 || true
    echo "$(grep -c '^ok' "$out/values.log") good"
}
# rerun_one PROBLEM: its reports in a file of its own.
rerun_one() {
    local plans=${CLATTN_GPU_RERUNS:-10} runs=3 log=$build/reruns/$(file_name any "$1")
    [[ $1 != *bigbird* ]] || plans=50
    [[ $1 != *pass=bwd* ]] || { plans=34; runs=30; } # a thousand
    timeout 200 "$build/clattn" check --reruns "$plans" --runs "$runs" "$1" >"$log" 2>&1 && echo "ok   $1" || { echo "FAIL or hang: $1"; head -n 4 "$log"; }
}
# Fresh plans and buffers, each problem in a process of its own, with a limit: a hang would take the others with it. Four at a time: who waits for
# another group waits beside other work, too.
step_reruns() {
    rm -rf "$build/reruns"; mkdir -p "$build/reruns"
    export build
    export -f rerun_one file_name
    lines_of "$root/ci/gpu_check.txt" | xargs -d '\n' -n 1 -P 4 bash -c 'rerun_one "$1"' one >"$build/reruns.txt" 2>&1 || true
    cat "$build/reruns.txt" "$build"/reruns/* >"$out/reruns.log"
    grep -A 3 '^FAIL' "$build/reruns.txt" | head -n 80 || true
    echo "$(grep -c '^ok' "$build/reruns.txt") passed with fresh plans, $(grep -c '^FAIL' "$build/reruns.txt") did not"
    [ "$(grep -c '^ok' "$build/reruns.txt")" = "$(lines_of "$root/ci/gpu_check.txt" | wc -l)" ] || bad=1
}
# sanitize_one TOOL BACKEND PROBLEM...: 0 if the replay brought the recorded bytes and the tool found nothing.
sanitize_one() {
    local tool=$1 backend=$2 record log options=() report=()
    shift 2
    record=$build/sanitize/$(file_name "$backend" "$*")
    log=$record.$tool.log
    [ "$tool" != initcheck ] || options=(--uninitialised)
    [ "$tool" != racecheck ] || report=(--racecheck-report all)
    if [ "$tool" = record ]; then
        rm -rf "$record"; mkdir -p "$record"
        CLATTN_CACHE=off CLATTN_CL_DIR=$build/sanitize.cl CLATTN_RECORD=$record LD_PRELOAD=$build/gpu_record.so "$build/clattn" check --backend "$backend" "$*" >"$log" 2>&1
    else
        timeout 300 "$sanitizer" --tool "$tool" --error-exitcode 9 --print-limit 40 "${report[@]}" python3 "$root/ci/gpu_replay.py" "$record" "${options[@]}" >"$log" 2>&1
    fi && echo "ok   $tool $backend $*" || { echo "FAIL $tool $backend $*"; head -n 60 "$log"; }
}
step_sanitize() {
    sanitizer=$(find "$prefix/python" /usr/local/cuda* -path '*/compute-sanitizer/compute-sanitizer' -type f 2>/dev/null | head -n 1)
    [ -n "$sanitizer" ] || die "compute-sanitizer is neither packed (ci/gpu.sh pack) nor part of a CUDA toolkit here"
    chmod +x "$(dirname "$sanitizer")"/* 2>/dev/null || true
    cc -std=gnu11 -O1 -shared -fPIC -I "$prefix/usr/include" "$root/ci/gpu_record.c" -o "$build/gpu_record.so" -ldl
    rm -rf "$build/sanitize.cl"
    cp -r "$root/cl" "$build/sanitize.cl"
    sed -i 's/^#define ARRIVING 1$/#define ARRIVING 32/' "$build/sanitize.cl/tile/tile_nv_wgmma.cl"
    grep -q '^#define ARRIVING 32' "$build/sanitize.cl/tile/tile_nv_wgmma.cl" || die "tile_nv_wgmma.cl: ARRIVING is not where it was"
    export sanitizer build root
    export -f sanitize_one file_name
    local tool
    : >"$out/sanitize.log"
    for tool in record ${CLATTN_SANITIZERS:-memcheck initcheck synccheck racecheck}; do
        lines_of "$root/ci/gpu_sanitize.txt" |
            xargs -d '\n' -n 1 -P "$jobs" bash -c 'sanitize_one "$1" $2' one "$tool" >"$build/sanitize.$tool.txt" 2>&1 || true
        cat "$build/sanitize.$tool.txt" >>"$out/sanitize.log"
        grep -A 8 '^FAIL' "$build/sanitize.$tool.txt" | head -n 80 || true
        echo "$tool: $(grep -c '^ok' "$build/sanitize.$tool.txt") good, $(grep -c '^FAIL' "$build/sanitize.$tool.txt") not"
        ! grep -q '^FAIL' "$build/sanitize.$tool.txt" || bad=1
    done
}
step_table() {
    local options
    read -ra options <<<"${CLATTN_GPU_TABLE:-}"
    python3 "$root/tools/compare/gpu.py" --build "$build" --out "$out" "${options[@]}" 2>&1 | tee "$out/table.log" || bad=1
}

found=()
prepare
private_caches "$build"
[ $# -gt 0 ] || set -- build devices tests check check_mma values reruns table
for step in "$@"; do
    say "$step"
    "step_$step"
done
exit $bad
