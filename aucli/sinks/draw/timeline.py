"""The strip under the picture: the course of the most active AUs over the last seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from aucli.sinks.draw.history import Stretch
from aucli.sinks.draw.layout import ROW, Layout
from aucli.sinks.draw.legend import Legend
from aucli.sinks.draw.palette import Colour, Theme
from aucli.sinks.draw.text import Writer

SECONDS = 10.0  # from the left to the right end of the strip
_FILLED, _FILLED_OCCURRING = 0.16, 0.55  # opacity of the surface under a trace
_GAP_FRAMES = 3.0  # a pause longer than so many usual frame intervals is a gap in the trace
_LONGEST_STEP = 0.5  # seconds; ... but rarely analysed frames are joined up to here
_TICK_STEPS = (0.5, 1, 2, 5, 10)  # seconds between time marks


# Probability, float32 (columns,), NaN in gaps; occurrence, bool (columns,); and the number of the first of
# these columns of pixels, before which the person was not in the picture.
Columns = tuple[NDArray[np.float32], NDArray[np.bool_], int]


class Timeline:
    """Draws the strip; its background is kept until other AUs are shown."""

    def __init__(self, legend: Legend, theme: Theme, layout: Layout) -> None:
        self._legend, self._theme, self._layout = legend, theme, layout
        em = layout.em
        self._plain, self._small = Writer(em), Writer(max(4, round(0.85 * em)))
        self._left = layout.labels
        self._right = layout.picture_width - layout.margin
        self._top = layout.margin
        self._row = ROW * em
        self._background: tuple[tuple[int, ...], NDArray[np.uint8]] | None = None
        step_pixels = max(1, self._right - self._left) / SECONDS
        wanted = 4.0 * em / step_pixels
        self._tick = next((step for step in _TICK_STEPS if step >= wanted), _TICK_STEPS[-1])

    def draw(
        self,
        aus: tuple[int, ...],
        persons: Mapping[int, Stretch],
        seconds: float,
        frame: int,
    ) -> Image.Image:
        """The strip at this moment.

        aus: columns to show, in their order from above. persons: the traces, by track. seconds, frame: time
        and number of the frame shown, which is at the right end.
        """
        strip = self._with_labels(aus).copy()
        # Later ones lie over earlier ones, so the largest face comes last.
        for track, stretch in reversed(list(persons.items())):
            colour = self._theme.person(track)
            for row, au in enumerate(aus):
                columns = self._columns(stretch, au, seconds)
                self._draw_trace(strip, row, columns, colour, filled=len(persons) == 1)
        picture = Image.fromarray(strip)
        self._draw_axis(picture, seconds, frame)
        return picture

    def _with_labels(self, aus: tuple[int, ...]) -> NDArray[np.uint8]:
        if self._background is not None and self._background[0] == aus:
            return self._background[1]
        layout, theme, em = self._layout, self._theme, self._layout.em
        width = layout.picture_width if layout.graph else layout.width
        picture = Image.new("RGB", (width, layout.height - layout.picture_height), theme.paper)
        draw = ImageDraw.Draw(picture)
        code_width = max(self._plain.width(label) for label in self._legend.labels)
        for row, au in enumerate(aus):
            top, bottom = self._edges(row)
            middle = round((top + bottom) / 2)
            self._plain.write(picture, layout.margin, middle, self._legend.labels[au], theme.ink)
            if layout.has_names:
                left = layout.margin + code_width + 0.5 * em
                name = self._small.fitting(self._legend.titles[au], self._left - 0.5 * em - left)
                self._small.write(picture, left, middle, name, theme.faint)
            draw.line((self._left, bottom, self._right - 1, bottom), fill=theme.line)
            if np.isnan(self._legend.thresholds[au]):
                continue
            threshold = bottom - (bottom - top) * float(self._legend.thresholds[au])
            dash = max(2, round(0.3 * em))
            for x in range(self._left, self._right, 3 * dash):
                draw.line((x, threshold, min(x + dash, self._right) - 1, threshold), fill=theme.line)
        self._background = (aus, np.asarray(picture))
        return self._background[1]

    def _edges(self, row: int) -> tuple[int, int]:
        """Highest and lowest line of pixels of a row: probability 1 and 0."""
        top = self._top + row * self._row
        return round(top + 0.2 * self._layout.em), round(top + self._row) - 1

    def _draw_trace(
        self, strip: NDArray[np.uint8], row: int, columns: Columns, colour: Colour, *, filled: bool
    ) -> None:
        """One AU of one person, as a line with soft edges; thick, and filled where alone, while it occurs."""
        values, occurs, first = columns
        top, bottom = self._edges(row)
        height = bottom - top
        y = (bottom - np.float32(height) * values).astype(np.float32)
        # A line that rises steeply covers, in each column, all heights up to the middle of the next one.
        before = np.concatenate([y[:1], (y[:-1] + y[1:]) / 2])
        after = np.concatenate([(y[:-1] + y[1:]) / 2, y[-1:]])
        before, after = (np.where(np.isnan(near), y, near) for near in (before, after))
        half = np.where(occurs, 1.5, 0.8).astype(np.float32) * (self._layout.stroke / 2)
        upper = np.minimum(np.minimum(before, after), y) - half
        lower = np.maximum(np.maximum(before, after), y) + half
        lines = np.arange(top - self._layout.stroke, bottom + 1, dtype=np.float32)[:, None]
        cover = np.minimum(lines + 0.5, lower) - np.maximum(lines - 0.5, upper)
        if filled:
            opacity = np.where(occurs, np.float32(_FILLED_OCCURRING), np.float32(_FILLED))
            cover = np.maximum(cover, opacity * np.clip(lines + 0.5 - y, 0, 1))
        share = np.nan_to_num(np.clip(cover, 0, 1), nan=0.0)[:, :, None]
        area = strip[
            int(lines[0, 0]) : int(lines[-1, 0]) + 1, self._left + first : self._left + first + share.shape[1]
        ]
        area += (share * (np.array(colour, np.float32) - area)).astype(np.int16).astype(np.uint8)

    def _columns(self, stretch: Stretch, au: int, seconds: float) -> Columns:
        columns = self._right - self._left
        times = stretch.times
        begin = math.floor((times[0] - seconds + SECONDS) / SECONDS * columns)
        first = min(max(0, begin), columns - 1)
        middles = (np.arange(first, columns) + 0.5) / columns * SECONDS + seconds - SECONDS
        place = np.clip(np.searchsorted(times, middles, side="right") - 1, 0, len(times) - 1)
        following = np.minimum(place + 1, len(times) - 1)
        values = np.interp(middles, times, stretch.probabilities[:, au]).astype(np.float32)
        step = times[following] - times[place]
        longest = self._longest_step(times)
        past_end = (following == place) & (middles - times[place] > longest)
        values[(step > longest) | past_end] = np.nan
        return values, stretch.occurrences[place, au], first

    @staticmethod
    def _longest_step(times: NDArray[np.float64]) -> float:
        if len(times) < 2:
            return _LONGEST_STEP
        return max(_LONGEST_STEP, _GAP_FRAMES * float(np.median(np.diff(times))))

    def _draw_axis(self, picture: Image.Image, seconds: float, frame: int) -> None:
        layout, theme, em = self._layout, self._theme, self._layout.em
        bottom = self._edges(layout.rows - 1)[1]
        middle = bottom + 1.25 * em
        draw = ImageDraw.Draw(picture)
        now = clock(seconds, digits=2)
        self._small.write(picture, layout.margin, middle, now, theme.ink)
        number = f"frame {frame}"
        if layout.has_names:
            left = layout.margin + self._small.width(now) + em
            self._small.write(
                picture, left, middle, self._small.fitting(number, self._left - left), theme.faint
            )
        scale = (self._right - self._left) / SECONDS
        mark = math.ceil((seconds - SECONDS) / self._tick) * self._tick
        while mark <= seconds:
            x = self._right - (seconds - mark) * scale
            text = clock(mark, digits=1 if self._tick < 1 else 0)
            half = self._small.width(text) / 2
            if mark >= 0 and x - half >= self._left and x + half <= self._right:
                draw.line(
                    (round(x), bottom + 1, round(x), bottom + max(2, round(0.3 * em))), fill=theme.faint
                )
                self._small.write(picture, x - half, middle, text, theme.faint)
            mark += self._tick


def clock(seconds: float, *, digits: int) -> str:
    """`83.5` -> "1:23.50" with two digits; hours where there are any."""
    sign = "-" if seconds < 0 else ""
    whole = round(abs(seconds) * 10**digits)
    minutes, rest = divmod(whole, 60 * 10**digits)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 10**digits:0{2 + (digits + 1 if digits else 0)}.{digits}f}"
    return f"{sign}{hours}:{minutes:02d}:{text}" if hours else f"{sign}{minutes}:{text}"
