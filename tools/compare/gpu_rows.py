"""What gpu.py measures: one Line a figure, with the project's bounds. Nothing here runs anything.

A problem is clattn's own text; `{score}` stands for a file with SCORE. `base` is the problem that a share or a factor is of: it is
timed in the same process. Problems of one row share a process, so that nothing else lies between them.
"""
from dataclasses import dataclass

FULL = "dense b=2 h=16 n=8192 d=128 dtype=bf16"
CAUSAL = FULL + " causal=1"
FULL64 = "dense b=2 h=16 n=8192 d=64 dtype=bf16"
LISTED128 = "block_sparse b=2 h=16 n=8192 d=128 dtype=bf16 block=128 attention=uni"
LISTED64 = "block_sparse b=2 h=16 n=32768 d=128 dtype=bf16 block=64"
LONG = "dense h=32 n=16384 d=128 dtype=bf16"
STEP = "linear pass=decode b=32 h=32 n=1 d=128 dtype=bf16 decay=alibi state=1"
DECODE = "dense b=16 hq=32 hk=8 nq=1 nk=32768 d=128 dtype=bf16 pass=decode"
LIGHTNING = "lightning b=1 h=16 d=128 dtype=bf16"

# The text that `clattn check` knows under TEXT_SEED (tools/harness/texts.c, "distance"), for problems of one's own text.
SCORE = "return score - p0 * (float)(head + 1) * vabs(TO_VF(query - key));\n"
SCORE_KEYS = "score={score} p0=0.03125"
TEXT_SEED = (1 << 37) + 1

# unit: its name in the table, whether more is better
UNITS = {
    "tflops": ("TFLOP/s", True),
    "share": ("% of the plain rate", True),
    "ms": ("ms", False),
    "us": ("us", False),
    "copy": ("% of a copy", True),
    "factor": ("x full attention", True),
    "peak": ("% of the FMA peak", True),
    "call": ("ms", False),
    "demo": ("", True),
}


@dataclass(frozen=True)
class Line:
    row: int
    name: str
    problem: str
    unit: str
    must: float | tuple
    aim: float | tuple
    base: str = ""
    peers: tuple = ()
    above: str = ""     # a peer that `must` has to pass, too
    check: str = ""     # keys replaced for the check, where the host would take minutes for the whole
    seed: int = 1


def dense(row, name, problem, must, aim, above=""):
    return Line(row, name, problem, "tflops", must, aim, peers=("cuDNN", "FA2"), above=above)


def listed(row, name, problem, must, aim):
    return Line(row, name, problem, "tflops", must, aim, peers=("Flex",), check="b=1 h=2")


def gradients(name, problem, must, aim, peers=("cuDNN backward", "FA2 backward"), above=""):
    return Line(14, name, problem + " pass=bwd", "tflops", must, aim, peers=peers, above=above, check="b=1 h=2 n=2048")


def feature(name, keys, must, aim, base=CAUSAL, problem=None, **more):
    return Line(5, name, problem or f"{base} {keys}", "share", must, aim, base, check=more.pop("check", "b=1"), **more)


def width(d, must):
    return feature(f"D {d}, full", "", must, 88, FULL, FULL.replace("d=128", f"d={d}"))


def first_call(name, problem, kernels=1):
    """The bounds are for one kernel: what prepares for it counts with it."""
    return Line(11, name, problem, "call", (2000 * kernels, 250 * kernels), (1000 * kernels, 50 * kernels))


LINES = [
    dense(1, "dense D 128 full", FULL, 680, 750, above="cuDNN"),
    dense(1, "dense D 128 causal", CAUSAL, 620, 690, above="cuDNN"),
    dense(2, "dense D 64 full", FULL64, 455, 560),
    dense(2, "dense D 64 causal", FULL64 + " causal=1", 410, 500),
    listed(3, "128-blocks: window 512 + 128 global, density 0.09", LISTED128 + " pattern=bslongformer sliding=9 indices=0", 480, 600),
    listed(3, "128-blocks: fixed 4 local + stride 8",
           LISTED128 + " pattern=variable windows=4 indices=7,15,23,31,39,47,55,63", 480, 600),
    listed(4, "64-blocks, N 32768: window 8 + 2 global", LISTED64 + " pattern=bslongformer sliding=15 indices=0 ends=2 attention=uni",
           410, 500),
    listed(4, "64-blocks, N 32768: 64 random a row", LISTED64 + " pattern=variable windows=1 random=62", 550, 640),
    feature("ALiBi, causal", "alibi=1", 90, 97),
    feature("window 1024, causal", "window=1023,0", 90, 97),
    feature("sink, causal", "sink=1", 90, 97),
    feature("GQA 8, causal", "", 90, 97, problem=CAUSAL.replace("h=16", "hq=16 hk=2")),
    feature("N 8100, causal", "", 90, 97, problem=CAUSAL.replace("8192", "8100")),
    feature("8 uneven sequences, causal", "", 90, 97, problem="dense h=32 n=8192 d=128 dtype=bf16 causal=1 sequences=8"),
    feature("bnhd, causal", "layout=bnhd", 90, 97),
    feature("soft-cap, causal", "softcap=30", 76, 90),
    feature("additive bias, full", "bias=1 bias_b=1", 60, 85, FULL, check="b=1 h=2"),
    feature("own score text, causal", SCORE_KEYS, 85, 95, seed=TEXT_SEED),
    width(80, 72), width(96, 72), width(192, 85), width(256, 85),
    Line(6, "lightning, N 32768", LIGHTNING + " n=32768", "ms", 0.28, 0.19, peers=("fla",), check="h=4"),
    Line(6, "lightning, N 131072", LIGHTNING + " n=131072", "ms", 1.0, 0.7, peers=("fla",), check="h=2"),
    Line(7, "recurrent step, B 32 H 32 D 128", STEP, "us", 60, 40),
    Line(8, "decode, B 16 HQ 32 HK 8 N 32768", DECODE, "copy", 75, 88, peers=("copy",), check="b=2"),
    Line(9, "hybrid, N 16384 H 32: window 1024 + 250 samples, gated", "hybrid h=32 n=16384 d=128 dtype=bf16 window=1023,0 samples=250 gate=1",
         "factor", 9, 11, LONG, check="h=8"),
    Line(10, "simt f32 D 64, N 4096", "dense b=2 h=16 n=4096 d=64", "peak", 60, 72),
    Line(10, "simt f32 D 128, N 4096", "dense b=2 h=16 n=4096 d=128", "peak", 60, 72),
    first_call("dense D 128 full", "dense h=2 n=1024 d=128 dtype=bf16"),
    first_call("dense D 64 causal", "dense h=2 n=1024 d=64 dtype=bf16 causal=1"),
    first_call("128-blocks", "block_sparse h=2 n=1024 d=128 dtype=bf16 block=128 attention=uni pattern=bslongformer sliding=9 indices=0"),
    first_call("64-blocks", "block_sparse h=2 n=1024 d=128 dtype=bf16 block=64 attention=uni pattern=bslongformer sliding=15 indices=0"),
    first_call("decode", "dense hq=8 hk=2 nq=1 nk=4096 d=128 dtype=bf16 pass=decode"),
    first_call("lightning", "lightning h=2 n=2048 d=128 dtype=bf16"),
    first_call("recurrent step", STEP.replace("b=32 h=32", "h=2")),
    first_call("hybrid, two kernels", "hybrid h=2 n=2048 d=128 dtype=bf16 window=1023,0 samples=250 gate=1", 2),
    Line(12, "host time of an enqueue over an empty kernel's", "dense h=2 n=1024 d=128 dtype=bf16", "us", 20, 8),
    gradients("gradients, any order: dense D 128 full", FULL + " deterministic=0", 590, 680, above="cuDNN backward"),
    gradients("gradients, any order: dense D 128 causal", CAUSAL + " deterministic=0", 530, 630, above="cuDNN backward"),
    gradients("gradients, any order: dense D 64 full", FULL64 + " deterministic=0", 500, 580),
    gradients("gradients, any order: dense D 64 causal", FULL64 + " causal=1 deterministic=0", 440, 520),
    gradients("gradients, fixed order: dense D 128 full", FULL, 450, 530),
    gradients("gradients, fixed order: dense D 128 causal", CAUSAL, 426, 477),
    gradients("gradients, fixed order: dense D 64 full", FULL64, 308, 450),
    gradients("gradients, fixed order: dense D 64 causal", FULL64 + " causal=1", 284, 396),
    gradients("gradients, fixed order: 128-blocks, density 0.09", LISTED128 + " pattern=bslongformer sliding=9 indices=0", 400, 520, peers=()),
    Line(14, "gradients: lightning, N 32768", LIGHTNING + " n=32768 pass=bwd", "ms", 0.75, 0.40, check="h=4 n=4096"),
    Line(14, "gradients: simt f32 D 64, N 4096", "dense h=16 n=4096 d=64 pass=bwd", "peak", 45, 60, check="h=2 n=1024"),
    Line(14, "gradients: simt f32 D 128, N 4096", "dense h=16 n=4096 d=128 pass=bwd", "peak", 45, 60, check="h=2 n=1024"),
    Line(13, "clattn demo, N 16384, model width 4096", "", "demo", 1, 1),
]


def with_keys(problem, edits):
    """`edits` replaces keys of the problem; h, n and d stand for two keys each."""
    pairs = {"h": ("hq", "hk"), "n": ("nq", "nk"), "d": ("dqk", "dv")}
    method, *rest = problem.split()
    keys = dict(word.split("=", 1) for word in rest)
    for word in edits.split():
        key, value = word.split("=", 1)
        for old in pairs.get(key, ()):
            keys.pop(old, None)
        keys[key] = value
    return " ".join([method] + [f"{key}={value}" for key, value in keys.items()])


def tiny(problem):
    """The same kernels and the same layout of blocks over a few thousand tokens: for machines without a GPU."""
    method, *rest = problem.split()
    keys = dict(word.split("=", 1) for word in rest)
    shrink = 8
    if "block" in keys:
        shrink = int(keys["block"]) // 16
        keys["block"] = "16"
    for key in ("n", "nq", "nk"):
        if key in keys and int(keys[key]) > 1:
            keys[key] = str(int(keys[key]) // shrink)
    if "window" in keys:
        keys["window"] = ",".join(str(max(0, (int(w) + 1) // shrink - 1)) for w in keys["window"].split(","))
    if "b" in keys:
        keys["b"] = "1"
    if "hk" in keys:
        keys["hq"], keys["hk"] = str(int(keys["hq"]) // int(keys["hk"])), "1"
    elif "h" in keys:
        keys["h"] = "2"
    return " ".join([method] + [f"{key}={value}" for key, value in keys.items()])
