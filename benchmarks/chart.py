"""Draw the results of `bench_extract.py --vary` as one chart: frames per second, and what limits them.

    python benchmarks/chart.py [--device cpu]

Reads `results/bench_extract_DEVICE_*.json`, of which at least one must be there, and writes
`results/bench_extract_DEVICE.png`. What is not yet measured has no panel.
"""

import argparse
import json

import matplotlib.pyplot as plt
from machine import RESULTS
from matplotlib.ticker import FuncFormatter, NullLocator

PANELS = {
    "resolution": ("size", "height of the picture"),
    "faces": ("faces", "faces in 720p"),
    "length": ("seconds", "length, 360p"),
    "workers": ("workers", "processes, 360p"),
    "in_flight": ("in_flight", "videos in one process, 360p"),
}
LINES = {"fps": "extract", "decode_alone_fps": "decoding alone", "matrix_fps": "networks at the matrix rate"}


def length(seconds):
    return (
        f"{seconds / 3600:g} h"
        if seconds >= 3600
        else f"{seconds / 60:g} min"
        if seconds >= 60
        else f"{seconds:g} s"
    )


def draw(axes, kind, result):
    key, title = PANELS[kind]
    rows = result["rows"]
    names = [length(row[key]) if kind == "length" else str(row[key]) for row in rows]
    for (what, label), style in zip(LINES.items(), ("o-", "s--", "^:"), strict=True):
        axes.plot(names, [row[what] for row in rows], style, label=label)
    for name, row in zip(names, rows, strict=True):
        axes.annotate(
            f"{row['fps']:.0f}", (name, row["fps"]), (0, -14), textcoords="offset points", ha="center"
        )
    axes.set_yscale("log")
    axes.margins(y=0.1)  # room for the figures below the line
    axes.set_xlabel(title)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    device = parser.parse_args().device.replace(":", "")
    files = {kind: RESULTS / f"bench_extract_{device}_{kind}.json" for kind in PANELS}
    results = {kind: json.loads(path.read_text()) for kind, path in files.items() if path.exists()}
    if not results:
        raise SystemExit(
            f"nothing is measured on {device}: run bench_extract.py --vary {'|'.join(PANELS)} first"
        )
    figure, panels = plt.subplots(
        1, len(results), figsize=(3.4 * len(results), 3.6), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, (kind, result) in zip(panels[0], results.items(), strict=True):
        draw(axes, kind, result)
    first = panels[0][0]
    first.set_ylabel("frames per second")
    first.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    first.yaxis.set_minor_locator(NullLocator())
    figure.legend(
        *first.get_legend_handles_labels(), loc="outside upper center", ncols=len(LINES), frameon=False
    )
    figure.savefig(RESULTS / f"bench_extract_{device}.png", dpi=130)


if __name__ == "__main__":
    main()
