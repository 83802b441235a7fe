#!/usr/bin/env bash
# Builds, tests and times clattn on a machine with a GPU, one without a package registry or root included.
#   ci/gpu.sh [STEP...]      steps: build devices tests check check_mma bench peers (all of them by default)
# Debian packages that the machine lacks are unpacked from $CLATTN_DEBS (.icd in the source tree) into the build folder:
#   ocl-icd-libopencl1 ocl-icd-opencl-dev opencl-c-headers libxxhash-dev libjansson4 libjansson-dev libpng16-16 libpng-dev libcmocka0
#   libcmocka-dev pkgconf pkgconf-bin libpkgconf3 zlib1g-dev
# Problems: ci/gpu_check.txt and ci/gpu_bench.txt. Reports go to $CLATTN_GPU_OUT (the build folder's out).
. "$(dirname "$0")/common.sh"
build=${CLATTN_BUILD_DIR:-$root/build-gpu}
debs=${CLATTN_DEBS:-$root/.icd}
out=${CLATTN_GPU_OUT:-$build/out}
prefix=$build/prefix
lib=$prefix/usr/lib/x86_64-linux-gnu
mkdir -p "$out"
bad=0

# A loader and libraries from packages; NVIDIA's driver alone, where there is one.
prepare() {
    if ls "$debs"/*.deb >/dev/null 2>&1 && [ ! -e "$prefix/done" ]; then
        mkdir -p "$prefix/vendors"
        for deb in "$debs"/*.deb; do dpkg -x "$deb" "$prefix"; done
        touch "$prefix/done"
    fi
    [ -d "$prefix" ] || return 0
    export LD_LIBRARY_PATH=$lib:${LD_LIBRARY_PATH:-}
    export PKG_CONFIG=$prefix/usr/bin/pkgconf PKG_CONFIG_SYSROOT_DIR=$prefix PKG_CONFIG_PATH=$lib/pkgconfig:$prefix/usr/share/pkgconfig
    found=(-DCMAKE_PREFIX_PATH="$prefix/usr" -DOpenCL_LIBRARY="$lib/libOpenCL.so.1" -DOpenCL_INCLUDE_DIR="$prefix/usr/include"
        -DXXHASH_INCLUDE_DIR="$prefix/usr/include" -DPKG_CONFIG_EXECUTABLE="$PKG_CONFIG")
    local driver
    driver=$(ldconfig -p | sed -n 's/.*=> \(.*libnvidia-opencl\.so\.1\)$/\1/p' | head -n 1)
    [ -n "$driver" ] || driver=$(find /usr /opt -name 'libnvidia-opencl.so.1' 2>/dev/null | head -n 1)
    [ -n "$driver" ] || return 0
    echo "$driver" >"$prefix/vendors/nvidia.icd"
    export OCL_ICD_VENDORS=$prefix/vendors
}
step_build() {
    cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo "${found[@]}" >"$out/configure.log" 2>&1 ||
        { tail -n 20 "$out/configure.log"; die "cmake failed"; }
    cmake --build "$build" --parallel "$jobs" >"$out/build.log" 2>&1 || { grep -E 'error|FAILED' "$out/build.log" | head -n 20; die "the build failed"; }
}
step_devices() { "$build/clattn" devices | tee "$out/devices.txt"; }
step_tests() {
    ctest --test-dir "$build" --parallel "$jobs" --timeout 200 >"$out/tests.log" 2>&1 || bad=1
    grep -E 'tests passed|Failed|Timeout' "$out/tests.log" || true
}
# check_all NAME OPTION...: the problems that standard input names; the report is $out/NAME.txt
check_all() {
    local name=$1
    shift
    mapfile -t problems
    "$build/clattn" check --verbose "$@" "${problems[@]}" >"$out/$name.txt" 2>"$out/$name.log" || bad=1
    grep -A 3 '^FAIL' "$out/$name.txt" | head -n 80 || true
}
# Every problem on the GPU's first choice; spills and products put one after another are failures too.
step_check() {
    check_all check < <(lines_of "$root/ci/gpu_check.txt")
    grep 'assembler' "$out/check.log" | grep -v 'Used ' | sort | uniq -c || true
    # products one after another, and more than a few words spilled, cost speed: no kernel that is chosen may do that
    ! grep -E 'assembler.*(serialized|injected)' "$out/check.log" >/dev/null || bad=1
    awk '/assembler.*spill stores/ { for (i = 1; i < NF; i++) if ($i == "bytes" && $(i + 2) == "stores," && $(i - 1) > 16) bad = 1 } END { exit bad }' \
        "$out/check.log" || { say "a kernel spills more than 16 bytes"; bad=1; }
    tail -n 1 "$out/check.txt"
}
# Those that nv_mma takes, on it: softmax of 16-bit types, or of floats that may be rounded.
step_check_mma() {
    check_all check_mma --backend nv_mma < <(lines_of "$root/ci/gpu_check.txt" | grep -Ev '^(linear|lightning|sparse_linear) ' | grep -E 'dtype=|tf32=1')
    tail -n 1 "$out/check_mma.txt"
}
step_bench() {
    mapfile -t problems < <(lines_of "$root/ci/gpu_bench.txt")
    for problem in "${problems[@]}"; do
        "$build/clattn" bench --json --repeat 24 "$problem" >"$out/one.json" 2>"$out/one.log" || { echo "FAIL $problem"; tail -n 2 "$out/one.log"; bad=1; continue; }
        python3 - "$out/one.json" <<'PY' | tee -a "$out/bench.txt"
import json, sys
o = json.load(open(sys.argv[1]))
o = o[0] if isinstance(o, list) else o
print("%8.1f TFLOP/s  %8.3f ms  %7.1f GB/s  %-8s %s" % ((o["gflops"] or 0) / 1e3, o["ms_median"], o["gbps"] or 0, o["backend"], o["problem"]))
PY
    done
}
step_peers() { python3 "$root/tools/compare/gpu.py" | tee "$out/peers.txt"; }

found=()
prepare
private_caches "$build"
[ $# -gt 0 ] || set -- build devices tests check check_mma bench peers
for step in "$@"; do
    say "$step"
    "step_$step"
done
exit $bad
