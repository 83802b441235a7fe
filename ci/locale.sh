#!/usr/bin/env bash
# The tests under a locale whose decimal point is a comma. A program keeps the C locale unless it asks for another one, so a
# preloaded constructor asks for every process.
. "$(dirname "$0")/common.sh"
need locales
need_build
work=$build/locale
mkdir -p "$work"
[ -e "$work/de_DE.UTF-8/LC_NUMERIC" ] || localedef -i de_DE -f UTF-8 "$work/de_DE.UTF-8"
cc -std=c11 -shared -fPIC "$root/ci/locale.c" -o "$work/locale.so"
printf '#include <stdio.h>\nint main(void) { return printf("%%.1f\\n", 1.5) < 0; }\n' >"$work/point.c"
cc "$work/point.c" -o "$work/point"

export LOCPATH=$work LC_ALL=de_DE.UTF-8
[ "$(LD_PRELOAD=$work/locale.so "$work/point")" = 1,5 ] || die "could not make a comma locale"
# what reads and writes numbers, kernels' defines included; the others ask nothing more of it and take minutes
LD_PRELOAD=$work/locale.so suite "$work/suite" --tests-regex '^(cli|core|device|harness|layout|methods_[^g]|plan_problem|program)'
