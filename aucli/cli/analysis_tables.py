"""What `events` and `summary` print."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from aucli.cli.names import shorten
from aucli.sinks.tables.analysis import Analysis

_ROWS_SHOWN = 50
_AUS_SHOWN = 8
_NAME_WIDTH = 32
_WORDS = ("video", "AU", "with", "")


def show_notes(analysis: Analysis, *, as_json: bool) -> None:
    """On stderr: whom the baseline leaves out. In JSON they are already."""
    if not as_json:
        for note in analysis.notes:
            print(f"aucli: {note}", file=sys.stderr)


def show_events(table: pa.Table, analysis: Analysis, console: Console) -> None:
    """The first events, how many more there are, and by which rule."""
    shown = _table("video", "track", "AU", "onset", "apex", "offset", "seconds", "peak", "")
    for row in table.slice(0, _ROWS_SHOWN).to_pylist():
        cut = " and ".join(end for end in ("start", "end") if row[f"cut_{end}"])
        shown.add_row(
            escape(shorten(row["video"], _NAME_WIDTH)),
            str(row["track"]),
            _name(row),
            *(f"{row[name]:.3f}" for name in ("onset_s", "apex_s", "offset_s", "duration_s")),
            f"{row['peak']:.2f}",
            f"cut at {cut}" if cut else "",
        )
    if table.num_rows:
        console.print(shown)
    left_out = max(table.num_rows - _ROWS_SHOWN, 0)
    more = f", {left_out:,} of them not shown: -o events.csv writes all" if left_out else ""
    events = "1 event" if table.num_rows == 1 else f"{table.num_rows:,} events"
    console.print(f"{events}{more}.", markup=False)
    _say(console, rule(analysis))
    _say_weak(analysis, console)


def show_summary(aus: pa.Table, pairs: pa.Table, analysis: Analysis, console: Console) -> None:
    """Of each track the AUs that are on most of the time, then the pairs that are on together longest."""
    if not aus.num_rows:
        _say(console, "No face was found in any video.")
        return
    change = "mean_change" in aus.column_names
    heading = ("mean", "max", *(("change", "max change") if change else ()))
    shown = _table("video", "track", "seconds", "AU", "on", "events", "per min", *heading)
    rows, left_out = 0, 0
    for (video, track), group in groupby(aus.to_pylist(), key=lambda row: (row["video"], row["track"])):
        of_track = [row for row in group if row["events"] or row["active_share"]]
        of_track.sort(key=lambda row: (-(row["active_share"] or 0), -(row["mean"] or 0)))
        left_out += max(len(of_track) - _AUS_SHOWN, 0)
        for i, row in enumerate(of_track[:_AUS_SHOWN]):
            if rows >= _ROWS_SHOWN:
                left_out += 1
                continue
            rows += 1
            names = ("mean", "max", *(("mean_change", "max_change") if change else ()))
            shown.add_row(
                escape(shorten(video, _NAME_WIDTH)) if i == 0 else "",
                str(track) if i == 0 else "",
                f"{row['known_s']:.1f}",
                _name(row),
                _percent(row["active_share"]),
                "" if row["events"] is None else str(row["events"]),
                _figure(row["events_per_minute"], 1),
                *(_figure(row[name], 2) for name in names),
            )
        shown.add_section()
    console.print(shown)
    if left_out:
        _say(
            console,
            f"Not shown: {left_out:,} AUs that are on for less of the time, and those that are never on.",
        )
    _show_pairs(pairs, console)
    _say(console, rule(analysis))
    _say_weak(analysis, console)


def _show_pairs(pairs: pa.Table, console: Console) -> None:
    """Over all tracks, by time."""
    if not pairs.num_rows:
        return
    both = pc.multiply(pairs["both_share"], pairs["known_s"])
    sums = (
        pairs.append_column("both_s", both)
        .group_by(["au_a", "au_b"])
        .aggregate([("both_s", "sum"), ("known_s", "sum")])
    )
    rows = [row for row in sums.to_pylist() if row["both_s_sum"]]
    rows.sort(key=lambda row: -row["both_s_sum"])
    if not rows:
        return
    shown = _table("AU", "with", "seconds", "share of the time")
    for row in rows[:_AUS_SHOWN]:
        shown.add_row(
            row["au_a"],
            row["au_b"],
            f"{row['both_s_sum']:.1f}",
            _percent(row["both_s_sum"] / row["known_s_sum"]),
        )
    console.print(shown)


def rule(analysis: Analysis) -> str:
    """How events were found, in a sentence."""
    events, baseline = analysis.options.events, analysis.options.baseline
    what = "A value" if baseline is None else "A change against the person's neutral"
    valid = "" if analysis.options.with_invalid else " Faces that are not valid are left out."
    return (
        f"{what} counts from {events.enter:g} times the threshold on until it falls below "
        f"{events.leave:g} times; pauses up to {events.max_gap_seconds:g} s are bridged, "
        f"events under {events.min_duration_seconds:g} s dropped.{valid}"
    )


def _say_weak(analysis: Analysis, console: Console) -> None:
    shown = {signal.au for signal in analysis.signals}
    weak = [au for au in analysis.card.get("weak_aus") or () if au in shown]
    if weak:
        _say(console, f"The model's figures for {', '.join(weak)} are weak: draw no conclusions from them.")


def _name(row: dict[str, Any]) -> str:
    return str(row["au"]) + ("" if row["measure"] == "probability" else "_int")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, collapse_padding=True)
    for heading in headings:
        table.add_column(heading, no_wrap=True, justify="left" if heading in _WORDS else "right")
    return table


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
