#!/usr/bin/env bash
# clattn as a part of another project, tests/consumer, with defaults: by add_subdirectory, where the helper must be found, too, and by FetchContent.
. "$(dirname "$0")/common.sh"
# shellcheck disable=SC2086
need $build_packages
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
private_caches "$work"
export CLATTN_CACHE=off

# consumer OF CMAKE-OPTIONS...: configured, built and run
consumer() {
    local of=$1 into=$work/$1 kind
    shift
    cmake -S "$root/tests/consumer" -B "$into" -G Ninja -DCONSUMER_OF="$of" -DCONSUMER_SOURCE="$root" "$@" >"$work/log" 2>&1 &&
        cmake --build "$into" --parallel "$jobs" --target consumer_shared consumer_static >>"$work/log" 2>&1 ||
        { tail -n 30 "$work/log" >&2; die "the project with clattn $of does not build"; }
    for kind in shared static; do
        "$into/consumer_$kind" || die "clattn $of, $kind, failed"
    done
}

consumer subdirectory
CLATTN_TRIAL=always "$work/subdirectory/consumer_shared" || die "the helper is not found beside the library"
consumer fetched -DCMAKE_RUNTIME_OUTPUT_DIRECTORY="$work/fetched" -DCMAKE_LIBRARY_OUTPUT_DIRECTORY="$work/libraries"
CLATTN_TRIAL=always "$work/fetched/consumer_shared" || die "the helper is not found beside the library, in a folder of libraries"
say "add_subdirectory and FetchContent, shared and static: good"
