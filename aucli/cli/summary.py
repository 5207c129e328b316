"""The table at the end of a run, and what to know beside it."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from aucli.cli.names import one_line, shorten
from aucli.sinks.place import OutputPlace
from aucli.sinks.report import Report
from aucli.zoo.card import Card
from aucli.zoo.catalogue import packaged
from aucli_models.au import parse, unsided

ROWS_SHOWN = 50
AUS_SHOWN = 3
_STYLES = {"ok": "green", "no_face": "yellow", "partial": "yellow", "failed": "red", "skipped": "dim"}


def stdout_console() -> Console:
    """Rich on stdout; 100 columns where nobody says how wide it is (a file, a pipe)."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 100
    return Console(width=width, highlight=False)


def show_table(report: Report, console: Console) -> None:
    """One row per video, a row of sums, then why some failed."""
    left_out = len(report.entries) - ROWS_SHOWN
    for name_width in (96, 64, 48, 32, 24, 16):
        table = _table(report, name_width)
        least = Measurement.get(console, console.options.update(max_width=1000), table)
        # The AUs may take several lines; names are shortened further only when that is not enough.
        if console.width >= (least.maximum if name_width > 24 else least.minimum):
            break
    console.print(table)
    if left_out > 0:
        console.print(f"{left_out} more are in the report.\n", style="dim")
    show_problems(report, console)


def _table(report: Report, name_width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, collapse_padding=True)
    table.add_column("video", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for name in ("frames", "faces", "tracks", "seconds", "fps"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("most frequent AUs")
    entries = report.entries
    # Where not all can be shown, what went wrong must be among those that are.
    first = sorted(
        range(len(entries)), key=lambda place: entries[place].status in ("ok", "no_face", "skipped")
    )
    for entry in (entries[place] for place in sorted(first[:ROWS_SHOWN])):
        table.add_row(
            escape(shorten(entry.video, name_width)),
            f"[{_STYLES[entry.status]}]{entry.status}[/]",
            *_numbers(entry.frames, entry.faces, entry.tracks, entry.wall_seconds, entry.fps),
            " ".join(f"{au}\N{NO-BREAK SPACE}{share:.0%}" for au, share in entry.top_aus[:AUS_SHOWN]),
        )
    if len(entries) > 1:
        totals = report.totals
        table.add_section()
        table.add_row(
            f"{len(entries)} inputs",
            "",
            *_numbers(*(totals[name] for name in ("frames", "faces", "tracks", "wall_seconds", "fps"))),
        )
    return table


def show_problems(report: Report, console: Console) -> None:
    """One line for each input that is not wholly in the output, with the reason; one for all that were
    skipped for the same reason.
    """
    skipped = Counter(entry.reason for entry in report.entries if entry.status == "skipped")
    for entry in report.entries:
        if not entry.reason:
            continue
        others = ""
        if entry.status == "skipped":
            count = skipped.pop(entry.reason, 0)
            if not count:
                continue  # said with the first of them
            others = f" and {count - 1} more" if count > 1 else ""
        style = _STYLES[entry.status]
        what = one_line(f"{entry.video}{others}: {entry.reason}")
        console.print(
            f"[{style}]{entry.status}[/] {escape(what)}",
            highlight=False,
            soft_wrap=True,
        )


def show_written(output: Path | str, console: Console) -> None:
    """Where the rows and the report are; a string is an address."""
    report: Path | str
    if isinstance(output, Path):
        report = OutputPlace(output, single_file=not output.is_dir()).report
    elif output.endswith(".parquet"):
        report = f"{output.removesuffix('.parquet')}.report.json"
    else:
        report = f"{output.rstrip('/')}/report.json"
    console.print(f"Written: {output} (report: {report})", markup=False, soft_wrap=True)


def show_model(card: Card, console: Console) -> None:
    """Which model the numbers come from, and what to know before believing them."""
    console.print(
        f"Model {card.name}: {card.system}, {len(card.au_names)} AUs. Licence: {card.licence}.", markup=False
    )
    if not card.probabilities:
        judged = (
            "an AU counts as present from the card's intensity on"
            if card.gives_occurrences
            else ("it does not say whether an AU is present")
        )
        console.print(f"It gives intensities alone, no probabilities; {judged}.", markup=False)
    if card.intensity_aus:
        sides = dict.fromkeys(f"AU{number}" for number, side in map(parse, card.intensity_aus) if side)
        apart = f"; left and right apart for {', '.join(sides)}" if sides else ""
        whole = ", ".join(unsided(card.intensity_aus))
        console.print(f"Intensities (0 to 5) are written for {whole}{apart}.", markup=False)
    if card.weak_aus:
        console.print(f"Its figures for {', '.join(card.weak_aus)} are weak: draw no conclusions from them.")
    if card.name in packaged():
        console.print(
            "It was trained on synthetic faces only. For models trained on people: aucli models list"
        )


def _numbers(frames: int, faces: int, tracks: int, seconds: float, fps: float) -> tuple[str, ...]:
    return f"{frames:,}", f"{faces:,}", f"{tracks:,}", f"{seconds:,.1f}", f"{fps:,.1f}"
