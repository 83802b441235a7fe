#!/usr/bin/env bash
# Installs into an empty prefix; builds and runs tests/consumer against it: find_package and pkg-config, shared and static.
. "$(dirname "$0")/common.sh"
need_build
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
private_caches "$work"
cmake --install "$build" --prefix "$work/prefix" >"$work/install.log" || { cat "$work/install.log" >&2; exit 1; }

cmake -S "$root/tests/consumer" -B "$work/cmake" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/log" 2>&1 &&
    cmake --build "$work/cmake" >>"$work/log" 2>&1 ||
    { cat "$work/log" >&2; die "find_package(clattn) failed"; }
for kind in shared static; do
    "$work/cmake/consumer_$kind" || die "the consumer by find_package, $kind, failed"
done

export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name clattn.pc)")
libdir=$(pkg-config --variable=libdir clattn)
flags="-std=c11 -Wall -Wextra -Werror -DCL_TARGET_OPENCL_VERSION=120"
# shellcheck disable=SC2046,SC2086
cc $flags "$root/tests/consumer/consumer.c" $(pkg-config --cflags clattn) -o "$work/shared" $(pkg-config --libs clattn)
LD_LIBRARY_PATH=$libdir "$work/shared" || die "the consumer by pkg-config, shared, failed"
# shellcheck disable=SC2046,SC2086
cc $flags "$root/tests/consumer/consumer.c" $(pkg-config --cflags clattn) -o "$work/static" \
    $(pkg-config --static --libs clattn | sed 's/-lclattn\b/-l:libclattn.a/')
"$work/static" || die "the consumer by pkg-config, static, failed"
ldd "$work/static" | grep -q libclattn && die "the static consumer still loads libclattn.so"
[ "$("$work/prefix/bin/clattn" --help >/dev/null 2>&1; echo $?)" = 0 ] || die "the installed tool does not run"
# the helper: found from the moved library by the shared consumer, named for the static one, missed by it otherwise
for kind in shared static; do
    CLATTN_TRIAL=always CLATTN_CACHE=off LD_LIBRARY_PATH=$libdir CLATTN_TRY=$([ $kind = shared ] || find "$work/prefix" -name clattn-try) \
        "$work/$kind" || die "the installed helper does not serve the $kind consumer"
done
CLATTN_TRIAL=always CLATTN_CACHE=off CLATTN_TRY=/nonexistent "$work/static" 2>/dev/null && die "a consumer without a helper tried all the same"
say "shared and static, CMake and pkg-config: good"
