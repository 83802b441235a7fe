"""How gpu.py measures the lines of one row: each function takes a Bench and the row's lines, and returns one record a line.

A record says what was asked (row, name, problem, unit, must, aim) and either `value` with `verdict`, or `error`.
"""
import concurrent.futures
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

from gpu_rows import SCORE, TEXT_SEED, UNITS, tiny, with_keys

RUNS = 24
START_SECONDS, PROBLEM_SECONDS = 30, 15   # bounds of a benchmark's process, and of each of its problems
CHECK_SECONDS, CALL_SECONDS, DEMO_SECONDS = 240, 60, 240
CORES = os.cpu_count() or 1


class Failed(Exception):
    """A tool ended badly: its last two lines (what and which status), and all that it printed."""

    def __init__(self, text, output=""):
        super().__init__(text)
        self.output = output


class OutOfTime(Failed):
    """Says nothing about the tool."""


class Bench:
    """The tools of one build, where they may write, and until when they may run."""

    def __init__(self, build, work, small, seconds):
        self.tool, self.host_time = build / "clattn", build / "clattn_host_time"
        self.work, self.tiny, self.runs = work, small, 3 if small else RUNS
        self.end = time.monotonic() + seconds
        self.score = work / "score.cl"
        self.score.write_text(SCORE)

    def text(self, problem):
        """The problem as it is run."""
        return (tiny(problem) if self.tiny else problem).replace("{score}", str(self.score))

    def run(self, command, seconds, env=None):
        """Standard output; raises Failed."""
        seconds = min(seconds, self.end - time.monotonic())
        if seconds <= 0:
            raise OutOfTime("no time was left")
        try:
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds,
                                  env=dict(os.environ, LC_ALL="C", **(env or {})))
        except subprocess.TimeoutExpired:
            raise OutOfTime(f"took more than {seconds:.0f} s") from None
        if done.returncode:
            lines = (done.stdout + done.stderr).strip().splitlines()
            raise Failed(("; ".join(lines[-2:]) or f"exit status {done.returncode}")[:300], done.stdout)
        return done.stdout

    def bench(self, problems):
        """One result a problem. One process for all; if it fails, one for each, so that only the bad one is lost."""
        try:
            found = json.loads(self.run([self.tool, "bench", *map(self.text, problems), "--json", "--repeat", self.runs],
                                        START_SECONDS + PROBLEM_SECONDS * len(problems)))
            return found if isinstance(found, list) else [found]
        except Failed as error:
            if len(problems) == 1:
                return [{"error": str(error)}]
            return [self.bench([problem])[0] for problem in problems]

    def mask(self, problem):
        """bool [blocks of queries, blocks of keys], which is every head's."""
        import numpy
        path = self.work / "layout.npy"
        self.run([self.tool, "layout", self.text(problem), "--npy", path], CALL_SECONDS)
        masks = numpy.load(path).astype(bool)
        if (masks != masks[0]).any():
            raise Failed("its heads have lists of their own")
        return masks[0]

    def check(self, line):
        """passed: None if there was no time for it."""
        problem = line.problem.replace(" score={score}", "")
        text = self.text(with_keys(problem, line.check) if line.check else problem)
        if line.seed == TEXT_SEED:  # the seed brings the text and its parameter
            text = text.replace(" p0=0.03125", "")
        try:
            return {"problem": text, "passed": True, "text": self.run([self.tool, "check", text, "--seed", line.seed], CHECK_SECONDS).strip()}
        except Failed as error:
            return {"problem": text, "passed": None if isinstance(error, OutOfTime) else False, "text": error.output.strip() or str(error)}


def blank(bench, line):
    return {"row": line.row, "name": line.name, "problem": bench.text(line.problem) if line.problem else "", "unit": line.unit,
            "must": line.must, "aim": line.aim}


def failed(bench, line, error):
    expected = isinstance(error, str | Failed)
    return dict(blank(bench, line), error=(str(error) if expected else f"{type(error).__name__}: {error}")[:300])


def run_peers(bench, line, device, gflop):
    found = {}
    for name in line.peers:
        try:
            import gpu_peers
            mask = bench.mask(line.problem) if name == "Flex" else None
            keys = dict(word.split("=", 1) for word in bench.text(line.problem).split()[1:])
            found[name] = gpu_peers.measure(name, keys, mask, device)
        except Exception as error:  # clattn's own figures count without the peer's
            found[name] = {"error": str(error) or type(error).__name__}
        if gflop and "ms" in found[name]:
            found[name]["tflops"] = gflop / found[name]["ms"]
    return found


def merged(passes):
    """The passes of one problem as one result: the mean of their medians, and how far they lie apart."""
    good = [one for one in passes if "error" not in one]
    if not good:
        return passes[0]
    times = [one["ms_median"] for one in good]
    ms, first = statistics.fmean(times), good[0]
    return dict(first, ms=ms, tflops=(first["gflop"] or 0) / ms, gbps=1e-6 * (first["bytes"] or 0) / ms,
                peak_gbps=max(one["peak_gbps"] for one in good), peak_percent=statistics.fmean(one["peak_percent"] or 0 for one in good),
                passes=times, spread=max(times) / min(times) - 1)


# unit: the figure that the bounds are for, of a result, the base's and the peers'
VALUES = {
    "tflops": lambda mine, base, peers: mine["tflops"],
    "share": lambda mine, base, peers: 100 * mine["tflops"] / base["tflops"],
    "ms": lambda mine, base, peers: mine["ms"],
    "us": lambda mine, base, peers: 1e3 * mine["ms"],
    "copy": lambda mine, base, peers: 100 * mine["gbps"] / max(mine["peak_gbps"], peers["copy"].get("gbps", 0)),
    "factor": lambda mine, base, peers: base["ms"] / mine["ms"],
    "peak": lambda mine, base, peers: mine["peak_percent"],
}


def verdict(line, value, peers):
    values, musts, aims = ([x] if isinstance(x, float | int) else x for x in (value, line.must, line.aim))
    better = UNITS[line.unit][1]
    reaches = lambda bounds: all(a >= b if better else a <= b for a, b in zip(values, bounds))  # noqa: E731
    if line.above and "tflops" not in peers[line.above]:
        return f"not compared with {line.above}"
    if line.above and values[0] <= peers[line.above]["tflops"]:
        return f"**short** of {line.above}"
    return "aim" if reaches(aims) else "must" if reaches(musts) else "**short**"


def timed(bench, lines, device):
    """clattn, peers, clattn; a base is timed with the problems that refer to it."""
    problems = list(dict.fromkeys([line.base for line in lines if line.base] + [line.problem for line in lines]))
    first = dict(zip(problems, bench.bench(problems)))
    peers = [run_peers(bench, line, device, first[line.problem].get("gflop")) for line in lines]
    good = [problem for problem in problems if "error" not in first[problem]]
    second = dict(zip(good, bench.bench(good))) if good else {}
    results = {problem: merged([passed[problem] for passed in (first, second) if problem in passed]) for problem in problems}
    records = []
    for line, theirs in zip(lines, peers):
        mine, base = results[line.problem], results.get(line.base, {})
        bad = mine.get("error") or base.get("error")
        if bad:
            records.append(dict(failed(bench, line, bad), peers=theirs))
            continue
        value = VALUES[line.unit](mine, base, theirs)
        records.append(dict(blank(bench, line), clattn=mine, base=base, peers=theirs, value=value, verdict=verdict(line, value, theirs)))
    return records


WARM_CALL = "disk, driver's cache"  # what a second process meets: our entry, and what the driver kept of it


def first_calls(bench, line):
    """Our cache empty or filled, the driver's off or filled; each in a process of its own. OpenCL has no word for a driver's cache:
    NVIDIA's and pocl's variables."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=bench.work))

    def fresh(name):
        (folder / name).mkdir(mode=0o700)
        return folder / name

    def call(ours, drivers):
        where = drivers or fresh(f"off-{time.monotonic_ns()}")
        env = {"CLATTN_CACHE": "rw", "CLATTN_CACHE_DIR": str(ours), "CUDA_CACHE_DISABLE": "0" if drivers else "1",
               "CUDA_CACHE_PATH": str(where), "POCL_CACHE_DIR": str(where)}
        return json.loads(bench.run([bench.host_time, bench.text(line.problem)], CALL_SECONDS, env))

    ours, others, again, drivers = map(fresh, ("ours", "others", "again", "drivers"))
    found = {"cold": call(ours, None), "disk": call(ours, None)}
    call(others, drivers)
    return found | {"cold, driver's cache": call(again, drivers), WARM_CALL: call(others, drivers)}


def first_call(bench, line):
    try:
        calls = first_calls(bench, line)
    except Failed as error:
        return failed(bench, line, error)
    value = [calls["cold"]["first_ms"], calls[WARM_CALL]["first_ms"]]
    record = dict(blank(bench, line), calls=calls, value=value, verdict=verdict(line, value, {}))
    for name, origin in (("cold", "built"), (WARM_CALL, "disk")):
        if calls[name]["programs"] != origin:
            record["error"] = f"{name}: programs from {calls[name]['programs']}"
    return record


def first_call_row(bench, lines):
    return [first_call(bench, line) for line in lines]  # one at a time: they share a device and its driver


def host_row(bench, lines):
    """Host time of an enqueue less that of an empty kernel: the median of three processes."""
    records = []
    for line in lines:
        times = [json.loads(bench.run([bench.host_time, bench.text(line.problem)], CALL_SECONDS)) for _ in range(3)]
        value = statistics.median(one["enqueue_us"] - one["empty_us"] for one in times)
        records.append(dict(blank(bench, line), value=value, verdict=verdict(line, value, {}), processes=times))
    return records


def find_photo(bench, given):
    """A PNG: the one that was given, or matplotlib's photograph of Grace Hopper (public domain) written as one by Pillow. None: the
    demo's own choice."""
    found = importlib.util.find_spec("matplotlib")
    sample = pathlib.Path(found.origin).parent / "mpl-data/sample_data/grace_hopper.jpg" if found else None
    if given or not sample or not sample.exists() or not importlib.util.find_spec("PIL"):
        return given
    from PIL import Image
    path = bench.work / "photo.png"
    Image.open(sample).convert("RGB").save(path)
    return path


def demo_row(bench, lines, photo):
    """It compares its own results; what it prints goes into the report."""
    line, where = lines[0], find_photo(bench, photo)
    command = [bench.tool, "demo", "--out", bench.work / "demo"] + (["--photo", where] if where else [])
    try:
        text = bench.run(command, DEMO_SECONDS).replace(f"{bench.work}/", "").strip()
        return [dict(blank(bench, line), text=text, value=1, verdict="good")]
    except Failed as error:
        return [dict(failed(bench, line, error), text=error.output.strip())]


def check_all(bench, pairs, report):
    """Each (line, record) that has a result, several at a time: most of it is the host's reference. Nothing is timed meanwhile."""
    pairs = [(line, record) for line, record in pairs if "clattn" in record]
    with concurrent.futures.ThreadPoolExecutor(max(1, CORES * 3 // 4)) as pool:
        for (line, record), found in zip(pairs, pool.map(lambda pair: bench.check(pair[0]), pairs)):
            record["check"] = found
            if found["passed"] is False:
                record["verdict"] = "**wrong**"
            if not found["passed"]:
                report(f"not good: {line.name}: {found['problem']}\n{found['text']}")
