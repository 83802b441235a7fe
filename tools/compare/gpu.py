#!/usr/bin/env python3
"""Measures the rows of gpu_rows.py on a GPU, checks the results, runs the peers, and writes the table of tools/compare/README.md.

    tools/compare/gpu.py [--rows 1,5] [--build DIR] [--out DIR] [--photo F.png] [--tiny]

Each row in turn: clattn, its peers, clattn once more, by the device's clock; then each problem against the double-precision
reference; then first calls, host times and the demo. OUT/report.json and OUT/report.md are written after each row. A row that
fails says why and the others go on; exit status 1 if a result was wrong or a line has no figure. The commit is $CLATTN_COMMIT, or
git's. The peers need PyTorch (tools/compare/setup.sh makes an environment). --tiny: all of it at a size for CPUs, where the figures
mean nothing. On an H200 it takes about nine minutes (an estimate: 46 problems twice, 20 processes, 41 checks, 40 first calls).
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import gpu_measure
import gpu_report
from gpu_rows import LINES


def say(text):
    print(text, flush=True)


def output_of(*command):
    """What a program prints, or nothing if it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        return done.stdout.strip() if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        return ""


def gpu_state():
    return output_of("nvidia-smi", "--query-gpu=name,driver_version,clocks.sm,clocks.max.sm,power.draw,temperature.gpu", "--format=csv,noheader")


def gather_facts(root, args, runs):
    """The device and its driver, as OpenCL names them, come with the first result."""
    try:
        import gpu_peers
        device, peers = args.torch_device or gpu_peers.default_device(), gpu_peers.versions()
    except ImportError as error:
        device, peers = "cpu", f"none ({error})"
    commit = os.environ.get("CLATTN_COMMIT") or output_of("git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12") or "unknown"
    return {"command": f"tools/compare/gpu.py --rows {args.rows}" if args.rows else "ci/gpu.sh table", "device": "?", "driver": "?", "commit": commit,
            "peers": peers, "torch_device": device, "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(), "runs": runs,
            "tiny": args.tiny, "gpu_before": gpu_state()}


def has_gpu(bench):
    return any(device["type"] == "gpu" for device in json.loads(bench.run([bench.tool, "devices", "--json"], 60)))


def arguments(root):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="", help="numbers, separated by commas (all)")
    parser.add_argument("--build", type=pathlib.Path, default=root / "build")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--photo", help="a PNG for the demo")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--seconds", type=float, default=540, help="of the whole run: what is left then has no figure (540)")
    parser.add_argument("--torch-device", choices=("cuda", "cpu"), help="of the peers")
    args = parser.parse_args()
    known = {line.row for line in LINES}
    args.numbers = {int(row) for row in args.rows.split(",")} if re.fullmatch(r"\d+(,\d+)*", args.rows) else known
    if args.rows and (args.numbers == known or args.numbers - known):
        parser.error(f"--rows {args.rows}: some of {','.join(map(str, sorted(known)))}")
    return args


def measure_row(bench, row, measure, records):
    """The row's lines with their records."""
    lines = [line for line in LINES if line.row == row]
    try:
        found = measure(bench, lines)
    except Exception as error:  # whatever it is, the other rows count
        found = [gpu_measure.failed(bench, line, error) for line in lines]
    records += found
    for record in found:
        say(gpu_report.line(record))
    return list(zip(lines, found))


def run(bench, args, facts):
    records, pairs, start = [], [], time.monotonic()
    special = {11: gpu_measure.first_call_row, 12: gpu_measure.host_row,
               13: lambda bench, lines: gpu_measure.demo_row(bench, lines, args.photo)}

    def done(what):
        known = next(filter(None, map(gpu_report.first_result, records)), facts)
        facts.update(device=known["device"], driver=known["driver"], seconds=round(time.monotonic() - start))
        gpu_report.write(args.out, facts, records)
        say(f"{what}: done after {facts['seconds']} s")

    for row in sorted(args.numbers - set(special)):
        pairs += measure_row(bench, row, lambda bench, lines: gpu_measure.timed(bench, lines, facts["torch_device"]), records)
        done(f"row {row}")
    gpu_measure.check_all(bench, pairs, say)
    done("checks")
    for row in sorted(args.numbers & set(special)):
        measure_row(bench, row, special[row], records)
        done(f"row {row}")
    return records


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    args = arguments(root)
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="clattn-gpu-") as work:
        bench = gpu_measure.Bench(args.build.resolve(), pathlib.Path(work), args.tiny, args.seconds)
        if not args.tiny and not has_gpu(bench):
            sys.exit("gpu.py: no OpenCL GPU; on a CPU only --tiny ends in time")
        facts = gather_facts(root, args, bench.runs)
        say(f"{facts['peers']} on {facts['torch_device']}; commit {facts['commit']}; {facts['gpu_before'] or 'no nvidia-smi'}")
        records = run(bench, args, facts)
    facts["gpu_after"] = gpu_state()
    gpu_report.write(args.out, facts, records)
    say("\n" + gpu_report.markdown(facts, records))
    bad = gpu_report.unsound(records)
    if bad:
        say("no figure, or one of a result that is wrong or was not compared: " + ", ".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
