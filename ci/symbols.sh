#!/usr/bin/env bash
# Exported symbols are exactly the functions of the header; the archive has no other global names and exports none; the header compiles
# alone; the test of failing OpenCL calls knows every call.
. "$(dirname "$0")/common.sh"
need_build
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

# A function of the header is  CLATTN_API type clattn_name(
tr '\n' ' ' <"$root/include/clattn/clattn.h" | grep -oE 'CLATTN_API [^();]*\(' | grep -oE 'clattn_[a-z0-9_]+\(' |
    tr -d '(' | sort -u >"$work/declared"
nm -D --defined-only "$build/libclattn.so" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u >"$work/exported"
diff "$work/declared" "$work/exported" >"$work/diff" ||
    { say "declared (<) and exported (>) differ:"; cat "$work/diff" >&2; bad=1; }

# the archive: the same names, and no shared object that holds it exports them
nm --defined-only --extern-only "$build/libclattn.a" | awk 'NF == 3 { print $3 }' | sort -u >"$work/archived"
diff "$work/declared" "$work/archived" >"$work/diff" ||
    { say "declared (<) and global in the archive (>) differ:"; cat "$work/diff" >&2; bad=1; }
cc -shared -o "$work/embeds.so" -Wl,--whole-archive "$build/libclattn.a" -Wl,--no-whole-archive -lOpenCL -lm
nm -D --defined-only "$work/embeds.so" | grep . >"$work/leaked" &&
    { say "exported from a shared object that holds the archive:"; cat "$work/leaked" >&2; bad=1; }

# tests/plan/test_calls.c lets each OpenCL call fail: it must know them all
nm -D --undefined-only "$build/libclattn.so" | awk '{ sub(/@.*/, "", $2); print $2 }' | grep '^cl[A-Z]' | sort -u >"$work/called"
grep -oE '^(CALL|MAKE|END)\(cl[A-Za-z]+' "$root/tests/support/calls.def" | sed 's/.*(//' | sort >"$work/failing"
diff "$work/called" "$work/failing" >"$work/diff" ||
    { say "OpenCL calls of the library (<) and of tests/support/calls.def (>) differ:"; cat "$work/diff" >&2; bad=1; }

printf '#include <clattn/clattn.h>\nint clattn_header_alone;\n' >"$work/header.c"
cp "$work/header.c" "$work/header.cpp"
for how in "cc -std=c99" "cc -std=c11" "c++ -std=c++11"; do
    file=$work/header.c
    [[ $how != c++* ]] || file=$work/header.cpp
    $how -Wall -Wextra -pedantic -Werror -DCL_TARGET_OPENCL_VERSION=120 -I"$root/include" -fsyntax-only "$file" ||
        { say "the header fails under $how"; bad=1; }
done
say "$(wc -l <"$work/exported") exported functions"
exit $bad
