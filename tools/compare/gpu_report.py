"""The records of gpu.py as JSON and as the table of tools/compare/README.md."""
import json
import textwrap

from gpu_rows import UNITS


def number(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def pair(record, key, word):
    return f" ({number(record['clattn'][key])} of {number(record['base'][key])} {word})"


# unit: what stands beside the figure
BESIDE = {
    "tflops": lambda record: f" ({number(record['clattn']['ms'])} ms)",
    "share": lambda record: pair(record, "tflops", "TFLOP/s"),
    "factor": lambda record: pair(record, "ms", "ms"),
    "copy": lambda record: f" ({number(record['clattn']['gbps'])} GB/s)",
    "peak": lambda record: f" ({number(record['clattn']['tflops'])} TFLOP/s)",
}


def figure(record):
    if "error" in record:
        return record["error"]
    if "calls" in record:
        return "; ".join(f"{name} {number(one['first_ms'])}" for name, one in record["calls"].items()) + " ms"
    if record["unit"] == "demo":
        return "below"
    spread = record.get("clattn", {}).get("spread", 0)
    apart = f", passes {100 * spread:.0f} % apart" if spread > 0.05 else ""
    return f"{number(record['value'])} {UNITS[record['unit']][0]}" + BESIDE.get(record["unit"], lambda record: "")(record) + apart


def peer(name, found, unit):
    if "error" in found:
        return f"{name}: {found['error'][:60]}"
    if "gbps" in found:
        return f"{name} {number(found['gbps'])} GB/s"
    return f"{name} {number(found['tflops'])}" if unit == "tflops" and "tflops" in found else f"{name} {number(found['ms'])} ms"


def bounds(record):
    text = lambda bound: f"{bound:g}" if isinstance(bound, float | int) else " / ".join(f"{x:g}" for x in bound)  # noqa: E731
    return "" if record["unit"] == "demo" else f"{text(record['must'])}, {text(record['aim'])}"


def first_result(record):
    """What a tool said of itself: device, driver, backend."""
    return record.get("clattn") or record.get("calls", {}).get("cold") or (record.get("processes") or [{}])[0]


def line(record):
    checked = {True: "good", False: "**bad**", None: "**no**"}[record["check"]["passed"]] if "check" in record else ""
    peers = "; ".join(peer(name, found, record["unit"]) for name, found in record.get("peers", {}).items())
    cells = [str(record["row"]), record["name"], figure(record), peers, bounds(record), record.get("verdict", "**none**"),
             first_result(record).get("backend", ""), checked]
    return "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def markdown(facts, records):
    lines = ["**Tiny sizes: a trial of the script, no measurement.**", ""] if facts["tiny"] else []
    lines += textwrap.wrap(
        f"`{facts['command']}`: {facts['device']}, driver {facts['driver']}, OpenCL alone, commit `{facts['commit']}`, {facts['date']}; peers: "
        f"{facts['peers']}. bf16, B 2, H 16, N 8192 and TFLOP/s unless a line says otherwise; random normal inputs; means of two medians of "
        f"{facts['runs']} runs, the peers between them. Row 11: first result with programs built (cold) or from our disk cache, the driver's own "
        "cache off, then filled. Checked: sampled rows against the double-precision reference in the same run.", 150)
    lines += ["", "| row | work | clattn | peers | must, aim | | backend | checked |", "|---|---|---|---|---|---|---|---|"]
    lines += map(line, sorted(records, key=lambda record: record["row"]))
    for record in records:
        if record.get("text"):
            lines += ["", "```", record["text"], "```"]
    return "\n".join(lines) + "\n"


def unsound(records):
    """Names of the lines without a figure, and of those whose result is wrong or was not compared."""
    return [record["name"] for record in records if "error" in record or not record.get("check", {"passed": True})["passed"]]


def write(out, facts, records):
    (out / "report.json").write_text(json.dumps({"facts": facts, "rows": records}, indent=1) + "\n")
    (out / "report.md").write_text(markdown(facts, records))
