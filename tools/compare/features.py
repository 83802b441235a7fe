#!/usr/bin/env python3
"""What every feature costs on the fast tile: useful GFLOP/s as a share of the plain dense rate at the same size.

    tools/compare/features.py [--rounds R] [--n N] [--clattn build/clattn] [--only REGEX]

Every round runs the plain problem and then the feature; the median of the ratios is shown. Needs no PyTorch.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile

SCORE = "score + p0 * TO_VF(query - key)"
# name, what is added to the problem, must, aim
FEATURES = [
    ("causal", "causal=1", 80, 95),
    ("soft-cap", "softcap=30", 80, 95),
    ("ALiBi", "alibi=1", 80, 95),
    ("sink", "sink=1", 80, 95),
    ("GQA 8", "hq=8 hk=1", 80, 95),
    ("bnhd strides", "layout=bnhd", 80, 95),
    ("ragged length", "n={odd}", 80, 95),
    ("variable length", "sequences=8", 80, 95),
    ("f16", "dtype=f16", 80, 95),
    ("bf16", "dtype=bf16", 80, 95),
    ("D 80", "d=80", 80, 95),
    ("D 96", "d=96", 80, 95),
    ("D 128", "d=128", 80, 95),
    ("D 192", "d=192", 80, 95),
    ("D 256", "d=256", 80, 95),
    ("Dqk 192, Dv 128", "dqk=192 dv=128", 80, 95),
    ("score text", "score={score}", 80, 95),
    ("additive bias", "bias=1", 70, 90),
    ("window", "causal=1 window=511,0", None, None),
]


def merged(*texts):
    """Keys of later texts replace those of earlier ones; `n`, `h` and `d` stand for two keys each."""
    both = {"n": ("nq", "nk"), "h": ("hq", "hk"), "d": ("dqk", "dv")}
    keys = {}
    for text in texts:
        for word in text.split():
            key, value = word.split("=", 1)
            for one in both.get(key, (key,)):
                keys[one] = value
    return "dense " + " ".join(f"{key}={value}" for key, value in keys.items())


def bench(tool, problem, repeat):
    env = dict(os.environ, POCL_AFFINITY="1", LC_ALL="C")
    done = subprocess.run([tool, "bench", problem, "--json", "--repeat", str(repeat)], env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
    found = json.loads(done.stdout)
    return found[0] if isinstance(found, list) else found


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--n", type=int, default=2048)
    parser.add_argument("--only", default="")
    parser.add_argument("--clattn", default=str(root / "build" / "clattn"))
    args = parser.parse_args()
    score = tempfile.NamedTemporaryFile("w", suffix=".cl", delete=False)
    score.write(SCORE + "\n")
    score.close()
    plain = f"b=1 h=8 n={args.n} d=64"
    print(f"Plain: `{merged(plain)}`; medians of {args.rounds} rounds.\n")
    print("| feature | backend | useful GFLOP/s | plain | share | must / aim | |\n|---|---|---|---|---|---|---|")
    for name, extra, must, aim in FEATURES:
        if not re.search(args.only, name):
            continue
        problem = merged(plain, extra.format(odd=args.n - 27, score=score.name))
        try:
            pairs = [(bench(args.clattn, merged(plain), args.repeat), bench(args.clattn, problem, args.repeat))
                     for _ in range(args.rounds)]
        except (RuntimeError, ValueError) as error:
            print(f"| {name} | - | - | - | - | {must} / {aim} | {error} |", flush=True)
            continue
        share = 100 * statistics.median(b["gflops"] / a["gflops"] for a, b in pairs)
        rate, base = (statistics.median(x["gflops"] for x in side) for side in (list(zip(*pairs))[1], list(zip(*pairs))[0]))
        verdict = "" if must is None else "aim" if share >= aim else "must" if share >= must else "**short**"
        bounds = "" if must is None else f"{must} / {aim} %"
        print(f"| {name} | {pairs[0][1].get('backend', '?')} | {rate:.0f} | {base:.0f} | {share:.0f} % | {bounds} | {verdict} |",
              flush=True)
    os.unlink(score.name)


if __name__ == "__main__":
    main()
