#!/usr/bin/env bash
# Makes .venv-compare with PyTorch, and builds clattn and the unfused CLBlast peer: what cpu.py and features.py need.
. "$(dirname "$0")/../../ci/common.sh"
need python3-venv libclblast-dev g++
configure_and_build "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo >&2
cmake --build "$build" --target clattn_unfused >&2
venv=$root/.venv-compare
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q --disable-pip-version-check -r "$root/tools/compare/requirements.txt"
"$venv/bin/python" -c 'import torch; print("PyTorch", torch.__version__, torch.backends.cpu.get_cpu_capability())'
