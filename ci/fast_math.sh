#!/usr/bin/env bash
# With -ffast-math and -Ofast among the caller's flags the build is right: the references and what compares with them know NaN, and libclattn.so
# leaves the processor's mode alone. A source that meets such a flag all the same is refused.
. "$(dirname "$0")/common.sh"
# shellcheck disable=SC2086
need $build_packages
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tests="test_methods_reference_softmax test_methods_reference_linear test_harness_check"

# shellcheck disable=SC2086
cmake -S "$root" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS="-Ofast -ffast-math" -DCLATTN_STRICT=ON >"$work/log" 2>&1 &&
    cmake --build "$work/build" --parallel "$jobs" --target libclattn.so $tests >>"$work/log" 2>&1 ||
    { tail -n 30 "$work/log" >&2; die "does not build with -Ofast -ffast-math"; }
for test in $tests; do
    CLATTN_CACHE=off "$work/build/tests/$test" >"$work/log" 2>&1 || { cat "$work/log" >&2; die "built with -Ofast -ffast-math, $test fails"; }
done
nm "$work/build/libclattn.so" | grep set_fast_math && die "libclattn.so sets the processor's mode as -ffast-math asks"

# clang has macros for the first three only
for flags in -ffast-math -Ofast -ffinite-math-only -fno-signed-zeros -freciprocal-math -funsafe-math-optimizations; do
    # shellcheck disable=SC2086
    gcc -std=c11 -DCL_TARGET_OPENCL_VERSION=200 -I"$root/include" -I"$root/src" $flags -fsyntax-only "$root/src/core/core.h" >"$work/log" 2>&1 &&
        die "core/core.h takes $flags"
    grep -q 'error.*no -ffast-math, -Ofast or their parts' "$work/log" || { cat "$work/log" >&2; die "core/core.h refuses $flags for another reason"; }
done
say "right with -Ofast -ffast-math, refused where they stay"
