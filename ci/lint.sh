#!/usr/bin/env bash
# The rules a compiler does not know: who may include whom, where machines may be named, what the library may call.
. "$(dirname "$0")/common.sh"
cd "$root"
bad=0
laid=$(mktemp)
trap 'rm -f "$laid"' EXIT
# `complain` ends pipelines and sets bad; a grep that finds nothing is no error
shopt -s lastpipe
set +e +o pipefail

# complain TEXT: every line of standard input breaks the rule TEXT
complain() {
    local found
    found=$(cat)
    [ -z "$found" ] || { echo "lint: $1:"; printf '  %s\n' "${found//$'\n'/$'\n'  }"; bad=1; }
}

# A C text without comments and without the contents of string literals, with line numbers kept.
code() { sed -E 's/"([^"\\]|\\.)*"/""/g' "$1" | awk '{
    line = $0; out = ""
    while (length(line)) {
        if (inside) { at = index(line, "*/"); if (!at) { line = ""; break } line = substr(line, at + 2); inside = 0 }
        at = index(line, "/*"); slash = index(line, "//")
        if (slash && (!at || slash < at)) { out = out substr(line, 1, slash - 1); line = "" }
        else if (at) { out = out substr(line, 1, at - 1); line = substr(line, at + 2); inside = 1 }
        else { out = out line; line = "" }
    }
    print out }'; }

# grep_code PATTERN FILE...: matches outside comments and strings as file:line:text
grep_code() {
    local pattern=$1 file
    shift
    for file in "$@"; do
        [ -e "$file" ] || continue
        code "$file" | grep -nE "$pattern" | sed "s|^|$file:|" || true
    done
}

# 1. The rooms of src, lowest first: a file includes only its own room and those that stand before it in this list; stages
#    (one word here) know nothing of one another. src/README.md tells what each of them holds.
rooms="core device program context plan tile line layout select,attend,accumulate,merge,norm methods api"
rank() {
    local at=0 room
    for room in $rooms; do
        [[ ,$room, != *,$1,* ]] || { echo $at; return; }
        at=$((at + 1))
    done
    echo 99
}
grep -rnE '^[[:space:]]*#[[:space:]]*include "' src | while IFS=: read -r file line text; do
    from=${file#src/}
    to=$(sed -E 's/.*"([^"]*)".*/\1/' <<<"$text")
    [[ $to != ../../cl/* && ( -e src/$to || $to == */* ) ]] || continue
    from=${from%%/*} to=${to%%/*}
    [ "$(rank "$from")" != 99 ] || echo "$file:$line: the room $from is not in this list"
    [ "$from" = "$to" ] || [ "$(rank "$from")" -gt "$(rank "$to")" ] || echo "$file:$line: $from may not include $to"
done | complain "dependency"

# 2. stages and schedules know no machine
words='get_(local|group|global|sub_group)_[a-z_]*|barrier|work_group_barrier|sub_group_[a-z_]*|__?local|float(2|4|8|16)'
words+='|half(2|4|8|16)?|async_work_group_copy|prefetch|asm|__asm__|wgmma|mma_sync|mfma|wmma|dpas|amx|avx|simt|cpu|gpu|nvidia|amd|intel|pocl'
stages="cl/attend/*.cl cl/accumulate/*.cl cl/merge/*.cl cl/norm/*.cl cl/line/*.cl cl/layout/*.cl cl/select/*.cl cl/schedule/*.cl cl/variant/*.cl"
# shellcheck disable=SC2086
grep_code "\b($words)\b" $stages | complain "a machine's word in a stage"
# shellcheck disable=SC2086
grep -nE '^[[:space:]]*#[[:space:]]*(el)?if.*(TILE_|CPU|SIMT|GPU|AMD|NVIDIA|INTEL|POCL)' $stages 2>/dev/null |
    complain "#if on a machine in a stage"
grep -rnE 'if.*(vendor|platform|driver)\b' src/line src/layout src/select src/attend src/accumulate src/merge src/norm src/methods | complain "a vendor in a stage or method"

# 3. the library prints nothing, takes memory in one place, and leaves the locale alone
mapfile -t sources < <(find src -name '*.[chi]*' | sort)
grep_code '\b(printf|puts|putchar|perror|fprintf|vprintf|vfprintf)[[:space:]]*\(' "${sources[@]}" | complain "printing"
mapfile -t elsewhere < <(printf '%s\n' "${sources[@]}" | grep -v '^src/core/')
mapfile -t others < <(printf '%s\n' "${sources[@]}" | grep -v '^src/core/alloc.c$')
grep_code '\b(malloc|calloc|realloc|strn?dup|asprintf|getline|aligned_alloc|posix_memalign|free)[[:space:]]*\(' "${others[@]}" |
    complain "memory outside src/core/alloc.c"
grep_code '\b(setlocale|strtod|strtof|atof|sscanf|strtok|exit|abort|assert)[[:space:]]*\(' "${elsewhere[@]}" |
    complain "a call that a library avoids"

# 4. sizes and form: C and kernels as clang-format lays them out (.clang-format, cl/.clang-format), 120 columns
need clang-format
find src include tools tests ci cl -name '*.[ch]' -o -name '*.inc' -o -name '*.cl' | sort >"$laid"
xargs clang-format --dry-run <"$laid" 2>&1 | sed -n 's/ warning: .*/ not as clang-format -i lays it out/p' |
    complain "layout"
{ cat "$laid"; find ci tools -name '*.sh' -o -name '*.py'; } | while IFS= read -r file; do
    case $file in *.sh | *.py) width=180 ;; *) width=120 ;; esac
    awk -v file="$file" -v width=$width 'length($0) > width { print file ":" FNR ": " length($0) " columns" }
        /\t/ { print file ":" FNR ": tab" }  /[ ]+$/ { print file ":" FNR ": space at the end" }' "$file"
done | complain "form"
find src cl tools -name '*.c' -o -name '*.cl' | while IFS= read -r file; do
    awk -v file="$file" 'END { if (NR > 500) print file ": " NR " lines, 500 at most" }' "$file"
done | complain "length of a file"
grep -rnE '\b(TODO|FIXME|XXX|HACK)\b' src include cl tools tests | complain "unfinished"
[ $bad != 0 ] || say "good"
exit $bad
