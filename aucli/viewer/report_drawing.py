"""Small drawings of the report: a time line as SVG, the table of AUs that go together. No text from files."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aucli.series.events import Event

_BINS = 320
_HEIGHT, _WIDTH = 30.0, 1000.0


def time_line(
    times_seconds: NDArray[np.float64],
    ends_seconds: NDArray[np.float64],
    values: NDArray[np.float32],
    events: Sequence[Event],
    *,
    span_seconds: tuple[float, float],
    top: float,
    threshold: float,
    max_gap_seconds: float,
) -> str:
    """The course of one AU: a line that breaks where nothing is known; events are shaded.

    times_seconds, ends_seconds, values: (frames,), of one track; NaN where unknown. span_seconds: of the
    whole drawing, from left to right. top: value at its upper edge. Long courses are drawn as the highest
    value in each of 320 stretches.
    """
    start, end = span_seconds
    scale = _WIDTH / max(end - start, 1e-9)

    def x(seconds: float) -> str:
        return f"{(seconds - start) * scale:.1f}"

    def y(value: float) -> str:
        return f"{_HEIGHT - 1 - (_HEIGHT - 2) * min(max(value / top, 0.0), 1.0):.1f}"

    shades = "".join(
        f'<rect class="event" x="{x(event.onset_seconds)}" y="0" height="{_HEIGHT:g}" '
        f'width="{max((event.offset_seconds - event.onset_seconds) * scale, 1.0):.1f}"/>'
        for event in events
    )
    known = ~np.isnan(values)
    path, dots = [], []
    stretches = _stretches(
        times_seconds[known], ends_seconds[known], values[known], (end - start) / _BINS, max_gap_seconds
    )
    for stretch in stretches:
        points = [f"{x(seconds)} {y(value)}" for seconds, value in stretch]
        if len(points) == 1:
            seconds, value = stretch[0]
            dots.append(f'<circle class="dot" cx="{x(seconds)}" cy="{y(value)}" r="2"/>')
        else:
            path.append("M" + "L".join(points))
    limit = ""
    if not math.isnan(threshold) and threshold <= top:
        limit = f'<line class="threshold" x1="0" x2="{_WIDTH:g}" y1="{y(threshold)}" y2="{y(threshold)}"/>'
    return (
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" preserveAspectRatio="none" aria-hidden="true">'
        f'{shades}{limit}<path class="curve" d="{"".join(path)}"/>{"".join(dots)}</svg>'
    )


def _stretches(
    times: NDArray[np.float64],
    ends: NDArray[np.float64],
    values: NDArray[np.float32],
    bin_seconds: float,
    max_gap_seconds: float,
) -> list[list[tuple[float, float]]]:
    """Points (seconds, value) in runs without a gap that matters; at most one point per bin."""
    if not len(times):
        return []
    bins = np.floor((times - times[0]) / max(bin_seconds, 1e-9)).astype(np.int64)
    first = np.flatnonzero(np.diff(bins, prepend=-1))
    highest = np.maximum.reduceat(values, first)
    gaps = np.append(0.0, times[1:] - ends[:-1]) > max_gap_seconds
    broken = np.logical_or.reduceat(gaps, first)
    runs: list[list[tuple[float, float]]] = []
    for place, value, breaks in zip(first.tolist(), highest.tolist(), broken.tolist(), strict=True):
        if breaks or not runs:
            runs.append([])
        runs[-1].append((float(times[place]), float(value)))
    return runs


def ticks(start: float, end: float) -> list[str]:
    """Five times from start to end, as people write them."""
    digits = 1 if end - start < 30 else 0
    return [clock(start + (end - start) * i / 4, digits) for i in range(5)]


def clock(seconds: float, digits: int = 0) -> str:
    """`12.3 s` under a minute, else `1:02:03`."""
    if seconds < 60:
        return f"{seconds:.{digits}f} s"
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def matrix(names: Sequence[str], share: NDArray[np.float64], phi: NDArray[np.float64]) -> str:
    """A table: above the diagonal the share of the time with both on, below it phi.

    share, phi: float64 (AUs, AUs), NaN where unknown.
    """
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    most = np.nanmax(share[~np.eye(len(names), dtype=np.bool_)], initial=1e-9)
    lines = []
    for i, row in enumerate(names):
        cells = []
        for j in range(len(names)):
            if i == j:
                cells.append(f'<td class="self">{_percent(share[i, i])}</td>')
            elif j > i:
                cells.append(_cell(share[i, j], share[i, j] / most, _percent(share[i, j])))
            else:
                cells.append(_cell(phi[i, j], phi[i, j], _signed(phi[i, j])))
        lines.append(f'<tr><th scope="row">{row}</th>{"".join(cells)}</tr>')
    return f'<table class="matrix"><tr><th></th>{head}</tr>{"".join(lines)}</table>'


def _cell(value: float, strength: float, text: str) -> str:
    if math.isnan(value):
        return "<td></td>"
    minus = ' class="minus"' if strength < 0 else ""
    return f'<td{minus} style="--a:{0.75 * min(abs(strength), 1.0):.2f}">{text}</td>'


def _signed(value: float) -> str:
    text = f"{value:+.2f}"
    return "0" if text in ("+0.00", "-0.00") else text


def _percent(share: float) -> str:
    if math.isnan(share):
        return ""
    if share == 0:
        return "0"
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"
