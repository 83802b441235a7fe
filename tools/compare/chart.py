#!/usr/bin/env python3
"""Draws the five rows of the README's table as bars: python3 tools/compare/chart.py [OUT.svg]. Needs matplotlib.

The rows are read from README.md, so that the picture shows what the table says: work, clattn, peer, ratio, device.
"""
import pathlib
import re
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]


def rows():
    """(work, ratio, device) of the table whose head is that of the README's speeds."""
    lines = (ROOT / "README.md").read_text().split("| work | clattn | peer | ratio | device |")[1].splitlines()
    for line in lines[2:]:
        if not line.startswith("|"):
            return
        work, ours, peer, ratio, device = [cell.strip() for cell in line.strip("|").split("|")]
        yield f"{work}\n{ours}; {peer}", float(re.match(r"[\d.]+", ratio).group()), device


def main():
    data = list(rows())[::-1]
    colours = {"H200": "#2f6f9f", "Zen 4": "#7a9a3a", "Xeon": "#b07030"}
    matplotlib.rcParams.update({"font.size": 9, "svg.hashsalt": "clattn", "font.family": "sans-serif"})
    figure, axes = plt.subplots(figsize=(8, 3.4))
    for i, (work, ratio, device) in enumerate(data):
        colour = next((c for name, c in colours.items() if name in device), "#777777")
        axes.barh(i, ratio, color=colour, height=0.6)
        axes.text(ratio, i, f" {ratio:g}x  {device}", va="center")
    axes.axvline(1, color="#444444", linewidth=0.8)
    axes.set_yticks(range(len(data)), [work for work, _, _ in data])
    axes.set_xlim(0, max(ratio for _, ratio, _ in data) * 1.35)
    axes.set_xlabel("times as fast as the peer (the line)")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    out = sys.argv[1] if len(sys.argv) > 1 else ROOT / "tools/compare/speed.svg"
    figure.savefig(out, metadata={"Date": None})


main()
