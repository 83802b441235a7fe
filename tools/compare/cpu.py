#!/usr/bin/env python3
"""clattn beside PyTorch on the CPU, in one run: peers and `clattn bench` take turns, medians of the rounds are compared.

    tools/compare/setup.sh && .venv-compare/bin/python tools/compare/cpu.py [--rounds R] [--only REGEX] [--peers-only]
        [--clattn build/clattn] [--unfused build/clattn_unfused] [--short]

Prints a Markdown table with the project's own bounds (must, aim) beside each ratio. Not part of the tests.
"""
import argparse
import json
import math
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

import peers

H = 8


class Case:
    """One problem for clattn and the peers (the best counts) that do the same work."""

    def __init__(self, group, name, problem, makers, per="gflops", must=None, aim=None, peak=(None, None)):
        self.group, self.name, self.problem, self.makers = group, name, problem, makers
        self.per, self.must, self.aim, self.peak = per, must, aim, peak
        self.ours, self.theirs, self.peaks, self.best, self.errors = [], [], [], "", []


def dense(dtype, n, d, causal):
    bounds = (1.5, 1.9) if dtype == "bf16" else (1.2, 1.5) if causal else (1.0, 1.25)
    peak = ((60, 78) if causal else (65, 80)) if dtype == "f32" else (None, None)
    kind = "causal" if causal else "full"
    return Case(f"dense {dtype}", f"{kind} N{n} D{d}", f"dense b=1 h={H} n={n} d={d} dtype={dtype} causal={int(causal)}",
                [(f"SDPA {dtype}", lambda: peers.sdpa(H, n, d, dtype, causal))], must=bounds[0], aim=bounds[1], peak=peak)


def gradients(n, d, causal):
    kind = "causal" if causal else "full"
    return Case("gradients f32", f"{kind} N{n} D{d}", f"dense b=1 h={H} n={n} d={d} causal={int(causal)} pass=bwd",
                [("SDPA backward", lambda: peers.sdpa_backward(H, n, d, "f32", causal))], must=1.0, aim=1.25)


def lightning_gradients(n, d):
    return Case("gradients lightning f32", f"N{n} D{d}", f"lightning b=1 h={H} n={n} d={d} decay=alibi pass=bwd", [], peak=(35, 45))


def sparse_gradients(n, d):
    case = sparse(n, d)
    return Case("gradients block-sparse f32", case.name, case.problem + " pass=bwd", [])


def sparse(n, d):
    text = (f"block_sparse pattern=bslongformer block={peers.BLOCK} sliding={2 * peers.SIDE + 1} attention=bi "
            f"indices=0 ends={peers.GLOBAL} b=1 h={H} n={n} d={d} dtype=f32")
    makers = [(f"Flex {name} {size}", lambda p=p, size=size: peers.flex(H, n, d, "f32", p, size))
              for name, p in (("token", peers.token_pattern), ("block", peers.block_pattern)) for size in (64, 128)]
    return Case("block-sparse f32", f"64-blocks, window + global, N{n} D{d}", text, makers, must=2.2, aim=3)


def lightning(n, d):
    makers = [(f"{form} chunk {c}", lambda form=form, c=c: peers.lightning(H, n, d, "f32", c, form))
              for c in (64, 128, 256) for form in ("loop", "batch")]
    return Case("lightning f32", f"N{n} D{d}", f"lightning b=1 h={H} n={n} d={d} dtype=f32 decay=alibi", makers,
                per="ns", must=1.8, aim=4)


def cases(short):
    lengths = (2048,) if short else (2048, 4096)
    out = [dense(t, n, d, c) for t in ("f32", "bf16") for n in lengths for d in (64, 128) for c in (False, True)]
    out += [sparse(n, d) for n in ((8192,) if short else (8192, 32768)) for d in (64, 128)]
    out += [lightning(n, d) for n in ((4096,) if short else (4096, 32768)) for d in (64, 128)]
    length = 2048 if short else 4096
    out += [gradients(length, d, c) for d in (64, 128) for c in (False, True)]
    out += [make(n, d) for d in (64, 128) for make, n in ((sparse_gradients, 8192), (lightning_gradients, 8192))]
    return out


def timed(call, seconds):
    """Median ms of as many calls as fit, at least three."""
    call()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or (time.perf_counter() < end and len(times) < 50):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def bench(tool, problem, extra=()):
    """One `clattn bench --json` object, in a process of its own."""
    env = dict(os.environ, POCL_AFFINITY="1", LC_ALL="C")
    done = subprocess.run([tool, "bench", problem, "--json", *extra], env=env, capture_output=True, text=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, peers.CPUS))
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
    found = json.loads(done.stdout)
    return found[0] if isinstance(found, list) else found


def run_case(case, args):
    """Finds the best peer, then alternates."""
    best, rate = None, -math.inf
    n = int(re.search(r"N(\d+)", case.name).group(1))

    def score(ms, gflop):
        return gflop / ms * 1e3 if case.per == "gflops" else -1e6 * ms / n / H

    for name, make in case.makers:
        try:
            call, gflop = make()
            got = score(timed(call, args.seconds / 2), gflop)
        except Exception as error:  # a peer that cannot do it is reported, the others still count
            case.errors.append(f"{name}: {str(error).splitlines()[0]}")
            continue
        if got > rate:
            best, rate, case.best = (call, gflop), got, name
    for _ in range(args.rounds):
        if best:
            case.theirs.append(score(timed(best[0], args.seconds), best[1]))
        if not args.peers_only:
            try:
                got = bench(args.clattn, case.problem)
                case.ours.append(got["gflops"] if case.per == "gflops" else -1e6 * got["ms_median"] / n / H)
                case.peaks.append(got.get("peak_gflops", math.nan))
            except (RuntimeError, ValueError, IndexError, KeyError) as error:
                case.errors.append(f"clattn: {error}")
                break


def verdict(value, must, aim):
    if must is None or math.isnan(value):
        return ""
    return "aim" if value >= aim else "must" if value >= must else "**short**"


def print_case(case):
    unit = "GF/s" if case.per == "gflops" else "ns"
    theirs = statistics.median(case.theirs) if case.theirs else math.nan
    ours = statistics.median(case.ours) if case.ours else math.nan
    pairs = list(zip(case.ours, case.theirs))
    ratio = statistics.median(a / b if unit == "GF/s" else b / a for a, b in pairs) if pairs else math.nan
    peak = max(case.peaks) if case.peaks else math.nan
    share = 100 * ours / peak if unit == "GF/s" else math.nan
    row = [case.group, case.name, f"{abs(ours):.0f} {unit}", f"{abs(theirs):.0f} {unit} ({case.best})",
           f"{ratio:.2f}x", f"{case.must} / {case.aim}", verdict(ratio, case.must, case.aim)]
    row += [f"{share:.0f} %", f"{case.peak[0]} / {case.peak[1]} %" if case.peak[0] else "", verdict(share, *case.peak)]
    print("| " + " | ".join(row).replace("nan", "-") + " |", flush=True)
    for error in case.errors:
        print(f"{case.group} {case.name}: {error}", file=sys.stderr)


def print_unfused(args):
    """The unfused path of OpenCL users against the same problems."""
    for n, d in ((1024, 64), (2048, 64), (2048, 128)):
        ratios, theirs, ours = [], [], []
        for _ in range(min(args.rounds, 3)):
            done = subprocess.run([args.unfused, str(H), str(n), str(d)], capture_output=True, text=True, check=True,
                                  preexec_fn=lambda: os.sched_setaffinity(0, peers.CPUS))
            theirs.append(json.loads(done.stdout)["gflops"])
            ours.append(bench(args.clattn, f"dense b=1 h={H} n={n} d={d}")["gflops"])
            ratios.append(ours[-1] / theirs[-1])
        ratio = statistics.median(ratios)
        print(f"| unfused | full N{n} D{d} | {statistics.median(ours):.0f} GF/s | {statistics.median(theirs):.1f} GF/s "
              f"(CLBlast + softmax) | {ratio:.1f}x | 8 / 20 | {verdict(ratio, 8, 20)} | | | |", flush=True)


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.6, help="of one peer in one round")
    parser.add_argument("--only", default="", help="regular expression on `group name`")
    parser.add_argument("--clattn", default=str(root / "build" / "clattn"))
    parser.add_argument("--unfused", default=str(root / "build" / "clattn_unfused"))
    parser.add_argument("--peers-only", action="store_true")
    parser.add_argument("--short", action="store_true")
    args = parser.parse_args()
    print(f"PyTorch {peers.torch.__version__}, {peers.torch.get_num_threads()} threads, "
          f"{peers.torch.backends.cpu.get_cpu_capability()}; copy {peers.copy_gbps():.0f} GB/s; H = {H}; "
          f"medians of {args.rounds} rounds; must / aim are ratios (shares of the FMA peak in the last columns).\n")
    print("| work | size | clattn | peer | ratio | must / aim | | share of peak | must / aim | |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in cases(args.short):
        if re.search(args.only, f"{case.group} {case.name}"):
            run_case(case, args)
            print_case(case)
    if not args.peers_only and os.access(args.unfused, os.X_OK) and re.search(args.only, "unfused"):
        print_unfused(args)


if __name__ == "__main__":
    main()
