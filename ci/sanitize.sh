#!/usr/bin/env bash
# The tests under AddressSanitizer and UndefinedBehaviorSanitizer; those that start threads under ThreadSanitizer.
#   ci/sanitize.sh [asan|tsan]      without a word: both
# What the sanitizers say about other people's libraries is listed in ci/suppressions/.
. "$(dirname "$0")/common.sh"
lists=$root/ci/suppressions
# Intel's GPU driver, if it is installed, loads libraries in a way that the sanitizers refuse
export OCL_ICD_VENDORS=/etc/OpenCL/vendors/pocl.icd
# LeakSanitizer's tracer (gcc 12) dies of a signal in a process that Linux has given AMX; tests/tile/test_cpu_amx.c runs that tile without
export CLATTN_AMX=off

# Kernels that the plain build compiled need not be compiled again.
share_kernels() {
    [ ! -d "$build/pocl_cache" ] || [ -e "$1/pocl_cache" ] || { mkdir -p "$1" && ln -s "$build/pocl_cache" "$1/pocl_cache"; }
}

# Left out of AddressSanitizer's run: tests of kernel words and of numbers, whose host code others run, too.
numbers='^(tile_|attend_(values|far_rows|gradients|identities|texts)|accumulate_(gradients|identities)|methods_gradients|norm_|plan_groups|select_)'

asan() {
    local into=${CLATTN_ASAN_DIR:-$root/build-asan}
    share_kernels "$into"
    configure_and_build "$into" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCLATTN_SANITIZE=address,undefined >"$into.log" ||
        { tail -n 40 "$into.log" >&2; exit 1; }
    ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1 \
    LSAN_OPTIONS=suppressions=$lists/leaks.txt:print_suppressions=0 \
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
        whole --test-dir "$into" --parallel "$jobs" --output-on-failure --no-tests=error --exclude-regex "$numbers"
}

tsan() {
    local into=${CLATTN_TSAN_DIR:-$root/build-tsan} names
    share_kernels "$into"
    configure_and_build "$into" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCLATTN_SANITIZE=thread >"$into.log" ||
        { tail -n 40 "$into.log" >&2; exit 1; }
    names=$(cd "$root/tests" && grep -lE 'pthread_create|thrd_create|ct_test_threads' ./*/test_*.c |
        sed -E 's,^\./([^/]*)/test_(.*)\.c$,\1_\2,' | paste -sd '|')
    [ -n "$names" ] || die "no test starts threads"
    # without randomised addresses: the runtime of gcc 12 refuses some of them
    TSAN_OPTIONS=suppressions=$lists/threads.txt:halt_on_error=0:exitcode=66:second_deadlock_stack=1 \
        through="setarch $(uname -m) --addr-no-randomize" \
        whole --test-dir "$into" --parallel "$jobs" --output-on-failure --no-tests=error --tests-regex "^($names)\$"
}

case ${1:-both} in
    asan) asan ;;
    tsan) tsan ;;
    both)
        left_out=0
        for one in asan tsan; do
            rc=0
            $one || rc=$?
            [ $rc != 77 ] || { left_out=1; rc=0; }
            [ $rc = 0 ] || exit $rc
        done
        [ $left_out = 0 ] || exit 77 ;;
    *) die "unknown word $1" ;;
esac
