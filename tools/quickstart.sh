#!/usr/bin/env bash
# Installs what is missing (Debian 12), builds clattn, and runs its demo on the default device: a GPU if one is there,
# else the CPU through pocl. Options go to the demo, for example  tools/quickstart.sh --photo mine.png
. "$(dirname "$0")/../ci/common.sh"

[[ " $* " == *" --photo"* ]] || need python-matplotlib-data # its sample pictures hold the demo's photograph
configure_and_build "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCLATTN_BUILD_TESTS=OFF >&2
"$build/clattn" devices
exec "$build/clattn" demo "$@"
