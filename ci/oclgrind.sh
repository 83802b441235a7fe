#!/usr/bin/env bash
# Every kernel at small shapes under Oclgrind with race detection. Oclgrind always exits with 0, so its log is read: any
# line in it is a failure. `clattn check` compares with the double reference at the same time.
# Oclgrind 21.10 knows no prefetch, so the builtin is defined away; it keeps address spaces apart, so CPU tiles copy; nor does it know what clang makes with -O0.
# That is why ci/implementations.sh asks it for no test of these tiles.
#   ci/oclgrind.sh [PROBLEM...]      without one: ci/problems.txt
. "$(dirname "$0")/common.sh"
need oclgrind
need_build
work=$build/oclgrind
rm -rf "$work"
mkdir -p "$work"
export CLATTN_CACHE=off
backends=${CLATTN_BACKENDS:-ref simt cpu}
seconds=${CLATTN_OCLGRIND_SECONDS:-300}
# simt, whose items share memory, does every problem; ref and cpu, whose items do not, take turns.
turns() { awk '/^backend=/ { print; next } { print "backend=simt," (n++ % 2 ? "ref" : "cpu"), $0 }'; }
if [ $# -gt 0 ]; then
    printf '%s\n' "$@"
else
    lines_of "$root/ci/problems.txt" | if [ -n "${CLATTN_BACKENDS:-}" ]; then cat; else turns; fi
fi >"$work/problems"

# one BACKEND PROBLEM: prints the verdict, fails on a wrong result or on anything in the log.
one() {
    local backend=$1 problem=$2 name rc=0
    name=$work/$(file_name "$backend" "$problem")
    timeout "$seconds" oclgrind --data-races --build-options "-D__builtin_prefetch(p,a,b)= -DIN_PLACE=0" \
        --local-mem-size "$bytes" --max-errors 20 --log "$name.log" "$build/clattn" check --backend "$backend" "$problem" >"$name.out" 2>&1 || rc=$?
    if [ -s "$name.log" ]; then
        echo "BAD $backend: $problem"
        sed -n 1,40p "$name.log"
        return 1
    elif [ $rc != 0 ] && grep -q DEVICE_LACKS "$name.out"; then
        echo "declined $backend: $problem: $(grep -A 1 DEVICE_LACKS "$name.out" | tail -n 1)"
    elif [ $rc != 0 ]; then
        echo "BAD $backend (exit $rc): $problem"
        tail -n 10 "$name.out"
        return 1
    else
        echo "good $backend: $problem"
    fi
}
export -f one file_name
# the default size is a small GPU's, and decides which tiles are chosen
export work build seconds bytes=${CLATTN_LOCAL_BYTES:-65536}
for_each "$backends" <"$work/problems" | xargs -0 -n 2 -P "$jobs" bash -c 'one "$1" "$2"' one >"$work/verdicts" 2>&1 || failed=1
sort "$work/verdicts" | grep -E '^(good|declined)' || true
grep -vE '^(good|declined)' "$work/verdicts" || true
say "$(grep -c '^good' "$work/verdicts" || true) good, $(grep -c '^declined' "$work/verdicts" || true) declined," \
    "$(grep -c '^BAD' "$work/verdicts" || true) failed"
for backend in $backends; do
    [ $# -gt 0 ] || grep -q "^good $backend:" "$work/verdicts" || { say "no problem ran on $backend"; failed=1; }
done
exit ${failed:-0}
