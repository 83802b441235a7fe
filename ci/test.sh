#!/usr/bin/env bash
# Installs what is missing (Debian 12), builds, runs every test; ends with ctest's summary.
#   ci/test.sh           the tests, below 10 minutes on 2 cores
#   ci/test.sh --slow    and after them the slower checks of this folder, each a test of label "slow"
#   ci/test.sh [--slow] -- CTEST-OPTIONS
. "$(dirname "$0")/common.sh"

slow=OFF
[ "${1:-}" != --slow ] || { slow=ON; shift; }
[ "${1:-}" != -- ] || shift

# shellcheck disable=SC2086
configure_and_build "$build" $build_options -DCLATTN_SLOW_CHECKS=$slow
export CLATTN_BUILT=1
exec ctest --test-dir "$build" --parallel "$jobs" --output-on-failure --no-tests=error "$@"
