# shellcheck shell=bash disable=SC2034
# Sourced by the scripts of this folder: paths, package installation, and small helpers.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${CLATTN_BUILD_DIR:-$root/build}
jobs=${CLATTN_JOBS:-$(nproc)}
build_packages="gcc g++ cmake ninja-build pkg-config ocl-icd-opencl-dev opencl-headers pocl-opencl-icd libxxhash-dev
    libjansson-dev libpng-dev libjpeg-dev libcmocka-dev"

# said in full: the folder may have been configured by tools/quickstart.sh, which builds no tests
build_options="-DCMAKE_BUILD_TYPE=RelWithDebInfo -DCLATTN_STRICT=ON -DCLATTN_BUILD_TESTS=ON"

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
die() { say "$*"; exit 1; }

# as_root COMMAND...: runs it as root, or fails with the command in the message.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo --non-interactive --preserve-env=DEBIAN_FRONTEND "$@" || sudo "$@"
    else
        die "neither root nor sudo; as root, run: $*"
    fi
}

# Tells whether a Debian package is installed.
installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q '^install ok installed$'; }

# one_at_a_time COMMAND...: several scripts of this folder may run at once; packages are had by one of them.
one_at_a_time() {
    local lock rc=0
    mkdir -p "$build"
    exec {lock}>"$build/install.lock"
    flock "$lock"
    "$@" || rc=$?
    exec {lock}>&-
    return $rc
}

# need PACKAGE...: installs those that are missing.
need() {
    command -v dpkg-query >/dev/null || { say "not a Debian system: make sure of $*"; return 0; }
    local missing=() package
    for package in "$@"; do
        installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    one_at_a_time install_packages "${missing[@]}"
}
install_packages() {
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -qq || say "apt-get update failed; trying what is known"
    as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# unpack DIRECTORY PACKAGE...: a package's files without installing it (some exclude each other).
unpack() { one_at_a_time unpack_now "$@"; }
unpack_now() {
    local into=$1 package
    shift
    mkdir -p "$into/deb"
    for package in "$@"; do
        [ ! -e "$into/deb/$package.done" ] || continue
        (cd "$into/deb" && { apt-get download -qq "$package" 2>/dev/null ||
            { as_root apt-get update -qq && apt-get download -qq "$package" 2>/dev/null; } &&
            dpkg -x "$package"_*.deb "$into"; }) || return 1
        touch "$into/deb/$package.done"
    done
}

# python_env DIRECTORY PIP-ARGUMENTS...: a Python environment with packages from PyPI, made once.
python_env() {
    [ ! -e "$1/ready" ] || return 0
    need python3-venv
    one_at_a_time make_python_env "$@"
}
make_python_env() {
    local into=$1
    shift
    [ ! -e "$into/ready" ] || return 0
    mkdir -p "$(dirname "$into")" && python3 -m venv "$into" && "$into/bin/pip" install -q --disable-pip-version-check "$@" && touch "$into/ready"
}

# assembler: prints the path of NVIDIA's ptxas of the release that the budgets of ci/nv_variants.txt were measured with (others count registers
# differently, and those before 13 refuse more than 48 KiB of static local memory); nothing where it cannot be had.
assembler() {
    local release=13.0 into=$build/kernels/ptxas-venv candidate
    for candidate in "$(command -v ptxas)" /usr/local/cuda/bin/ptxas; do
        [ -x "$candidate" ] && "$candidate" --version | grep -q "release $release," && { echo "$candidate"; return; }
    done
    python_env "$into" -r "$root/ci/nvidia-requirements.txt" >&2 || { say "no ptxas of release $release here, and none from PyPI"; return 0; }
    find "$into" -path '*/bin/ptxas' -type f | head -n 1
}

# configure DIRECTORY CMAKE-OPTIONS...: and builds everything.
configure_and_build() {
    local into=$1
    shift
    # shellcheck disable=SC2086
    need $build_packages
    cmake -S "$root" -B "$into" -G Ninja "$@" >"$into.configure.log" 2>&1 ||
        { cat "$into.configure.log" >&2; die "cmake failed"; }
    rm -f "$into.configure.log"
    cmake --build "$into" --parallel "$jobs"
}

# The plain build, made unless it is there.
need_build() {
    # shellcheck disable=SC2086
    [ -n "${CLATTN_BUILT:-}" ] || configure_and_build "$build" $build_options >&2
}

# Each non-empty line that is no comment.
lines_of() { grep -Ev '^[[:space:]]*(#|$)' "$1"; }

# every N I: the I-th line of each N of standard input.
every() { awk -v n="$1" -v i="$2" 'NR % n == i % n'; }

# for_each WORDS: each line of standard input for each word (a backend, a chip), as pairs for `xargs -0 -n 2`. A line that begins with
# backend=WORD,WORD is for those alone.
for_each() {
    local word line lines only
    mapfile -t lines
    for word in $1; do
        for line in "${lines[@]}"; do
            only=$word
            [[ $line != backend=* ]] || { only=${line%% *} only=${only#backend=}; line=${line#* }; }
            [[ ,$only, != *,$word,* ]] || printf '%s\0%s\0' "$word" "$line"
        done
    done
}

# file_name WORDS...: a name for what belongs to a problem.
file_name() { printf '%s' "$*" | tr -c 'A-Za-z0-9.=,' _; }

# Keep the user's caches out of it.
private_caches() {
    export CLATTN_CACHE_DIR=$1/cache POCL_CACHE_DIR=$1/pocl_cache
    mkdir -p "$POCL_CACHE_DIR" "$CLATTN_CACHE_DIR"
    chmod 700 "$CLATTN_CACHE_DIR"
}

# not_whole WHAT: ends a script in which all went well but WHAT was left out. ctest shows 77 as skipped; a pass would hide it.
not_whole() { say "skipped: $*"; exit 77; }

# whole CTEST-OPTIONS...: ctest (through the command $through), and 77 if tests passed but some were skipped
whole() {
    local log rc=0
    log=$(mktemp)
    # shellcheck disable=SC2086
    ${through:-} ctest "$@" | tee "$log" || rc=$?
    [ $rc != 0 ] || ! grep -q '\*\*\*Skipped' "$log" || rc=77
    rm -f "$log"
    [ $rc != 77 ] || say "some tests were skipped"
    return $rc
}

# suite DIRECTORY CTEST-OPTIONS...: the tests of the plain build, with logs in DIRECTORY, so that a ctest of that build may
# be running this very script.
suite() {
    local into=$1
    shift
    mkdir -p "$into"
    printf 'subdirs("%s/tests")\n' "$build" >"$into/CTestTestfile.cmake"
    rm -f "$into/Testing/Temporary/LastTestsFailed.log"
    whole --test-dir "$into" --parallel "$jobs" --output-on-failure --no-tests=error "$@"
}

# check BACKEND PROBLEM OUT: prints good, declined (no such backend for it here) or failed.
check() {
    local rc=0
    timeout "${seconds:-60}" "$build/clattn" check --backend "$1" "$2" >"$3" 2>&1 || rc=$?
    if [ $rc = 0 ]; then
        echo good
    elif grep -q DEVICE_LACKS "$3"; then
        echo declined
    else
        echo "failed ($rc)"
    fi
}
