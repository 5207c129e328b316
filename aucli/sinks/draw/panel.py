"""The panel of one person: the most active AUs with number, name, probability or intensity and whether they
occur.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from aucli.sinks.draw.layout import Layout
from aucli.sinks.draw.legend import Legend
from aucli.sinks.draw.palette import Colour, Theme, ink_on, mixed
from aucli.sinks.draw.text import Writer

# In em.
_EDGE = 0.6
_HEAD = 1.6
_CODES = 1.6
_PADDING = 0.25
_LINE = 1.55
_BAR = 3.6
_BAR_HEIGHT = 0.72
_GAP = 0.5
_NOTE = 1.3
_OPACITY = 218  # of 255: the picture shines through a little, the text stays legible
_SMALL = 0.85  # text of names, in parts of an em
_LARGEST_SHARE = 0.37  # of the picture's width; a wider panel goes without names
_NOT_VALID = "not valid"
_GRADES = ("intensity 0 to 5", "0 to 5")  # where it is not said whether an AU occurs
_WEAK_NOTES = ("* weak: draw no conclusions", "* weak")  # the longest one that fits


@dataclass(frozen=True)
class Form:
    """A panel with so many AUs, `width` pixels wide.

    kind: with the AUs' names and bars; with bars; or with nothing but number and probability.
    """

    rows: int
    width: int
    kind: Literal["names", "bars", "numbers"]


class Panel:
    """Draws panels in several forms; each is drawn again only when what it shows has changed."""

    def __init__(self, legend: Legend, theme: Theme, layout: Layout, rows: int) -> None:
        self._legend, self._theme, self._layout = legend, theme, layout
        self.rows = min(rows, len(legend))
        em = layout.em
        self._plain, self._bold = Writer(em), Writer(em, bold=True)
        self._small = Writer(max(4, round(_SMALL * em)))
        self._code_width = max(self._bold.width(label) for label in legend.labels)
        # Where room is scarce the AUs go without the letters: 12* for AU12*.
        self._short_width = max(self._bold.width(_short(label)) for label in legend.labels)
        self._number_width = self._bold.width("100 %")
        bars = (2 * _EDGE + _BAR + 2 * _GAP) * em + self._code_width + self._number_width
        names = bars + max(self._small.width(title) for title in legend.titles) + _GAP * em
        numbers = (2 * _EDGE + _GAP) * em + self._short_width + self._number_width
        self._widths = {"names": round(names), "bars": round(bars), "numbers": round(numbers)}
        self._fits_names = names <= _LARGEST_SHARE * layout.picture_width
        self._drawn: dict[int, tuple[object, Image.Image]] = {}

    def forms(self, *, named: bool) -> list[Form]:
        """All forms, from the one that tells most to the smallest.

        named: with the names of the AUs, where the picture is wide enough for them.
        """
        rows, forms = self.rows, []
        if named and self._fits_names:
            forms.append(Form(rows, self._widths["names"], "names"))
        while rows:
            forms.append(Form(rows, self._widths["bars"], "bars"))
            forms.append(Form(rows, self._widths["numbers"], "numbers"))
            rows //= 2
        return forms

    def height(self, form: Form, aus: Sequence[int]) -> int:
        """Height in pixels of a panel with some of these columns."""
        note = _NOTE if self._is_noted(aus) else 0.0
        return round((_HEAD + _CODES + form.rows * _LINE + 2 * _PADDING + note) * self._layout.em)

    def draw(
        self,
        track: int,
        form: Form,
        aus: tuple[int, ...],
        probabilities: NDArray[np.float32],
        occurrences: NDArray[np.bool_],
        *,
        valid: bool,
    ) -> tuple[Image.Image, Image.Image]:
        """The panel and its mask for `Image.paste`.

        aus: columns to show, in their order. probabilities, occurrences: (AUs,), of all AUs: the head of the
        panel names every AU that occurs, as FACS codes are written (6+12+25).
        """
        percent = tuple(None if np.isnan(p := float(probabilities[au])) else round(100 * p) for au in aus)
        occurring = self._legend.as_coded(occurrences)
        state = (form, aus, percent, occurring, valid)
        before = self._drawn.get(track)
        if before is None or before[0] != state:
            before = (
                state,
                self._draw(track, form, aus=aus, percent=percent, occurring=occurring, valid=valid),
            )
            self._drawn[track] = before
        picture = before[1]
        return picture, _rounded(picture.width, picture.height, round(0.4 * self._layout.em))

    def forget(self, tracks: set[int]) -> None:
        """Keep the drawings of these tracks only."""
        self._drawn = {track: drawn for track, drawn in self._drawn.items() if track in tracks}

    def _is_noted(self, aus: Sequence[int]) -> bool:
        return any(self._legend.labels[au].endswith("*") for au in aus)

    def _draw(
        self,
        track: int,
        form: Form,
        *,
        aus: tuple[int, ...],
        percent: tuple[int | None, ...],
        occurring: tuple[int, ...],
        valid: bool,
    ) -> Image.Image:
        theme, em, edge = self._theme, self._layout.em, _EDGE * self._layout.em
        colour = theme.person(track)
        width = form.width
        picture = Image.new("RGB", (width, self.height(form, aus)), theme.paper)
        draw = ImageDraw.Draw(picture)
        self._draw_head(picture, draw, track, occurring, valid)
        bar_left = width - edge - self._number_width - (_GAP + _BAR) * em
        for row, (au, value) in enumerate(zip(aus, percent, strict=True)):
            middle = round((_HEAD + _CODES + _PADDING + (row + 0.5) * _LINE) * em)
            occurs = au in occurring
            writer, ink = (self._bold, theme.ink) if occurs else (self._plain, theme.faint)
            label = self._legend.labels[au]
            writer.write(picture, edge, middle, _short(label) if form.kind == "numbers" else label, ink)
            if form.kind == "names":
                left = edge + self._code_width + _GAP * em
                self._small.write(picture, left, middle, self._legend.titles[au], ink)
            if value is None:
                continue
            writer.write_right(picture, width - edge, middle, self._legend.written(value), ink)
            if form.kind != "numbers":
                threshold = float(self._legend.thresholds[au])
                paint = colour if occurs else mixed(colour, theme.paper, 0.6)
                self._draw_bar(draw, bar_left, middle, (value / 100, threshold), paint, thin=not occurs)
        if self._is_noted(aus):
            middle = round(picture.height - (_NOTE / 2 + 0.25) * em)
            fits = (text for text in _WEAK_NOTES if self._small.width(text) <= width - 2 * edge)
            note = next(fits, _WEAK_NOTES[-1])
            self._small.write(picture, edge, middle, note, theme.faint)
        return picture

    def _draw_head(
        self,
        picture: Image.Image,
        draw: ImageDraw.ImageDraw,
        track: int,
        occurring: tuple[int, ...],
        valid: bool,
    ) -> None:
        em, edge, colour = self._layout.em, _EDGE * self._layout.em, self._theme.person(track)
        height = round(_HEAD * em)
        draw.rectangle((0, 0, picture.width, height - 1), fill=colour)
        name = self._bold.fitting(f"Person {track}", picture.width - 2 * edge)
        self._bold.write(picture, edge, height / 2, name, ink_on(colour))
        room = picture.width - 2 * edge - self._bold.width(name) - _GAP * em
        if not valid and self._small.width(_NOT_VALID) <= room:  # the broken box says it too
            self._small.write_right(picture, picture.width - edge, height / 2, _NOT_VALID, ink_on(colour))
        codes = "+".join(self._legend.codes[au] for au in occurring)
        codes = codes or self._none_occurs(picture.width - 2 * edge)
        middle = round((_HEAD + _PADDING / 2 + _CODES / 2) * em)
        codes = self._bold.fitting(codes, picture.width - 2 * edge)
        self._bold.write(picture, edge, middle, codes, self._theme.ink if occurring else self._theme.faint)
        line = round((_HEAD + _CODES + _PADDING / 2) * em)
        draw.line((edge, line, picture.width - edge, line), fill=self._theme.line, width=self._layout.stroke)

    def _none_occurs(self, room: float) -> str:
        if self._legend.measure == "probability":
            return "no AU"
        return next((text for text in _GRADES if self._bold.width(text) <= room), _GRADES[-1])

    def _draw_bar(
        self,
        draw: ImageDraw.ImageDraw,
        left: float,
        middle: int,
        filled_and_mark: tuple[float, float],
        colour: Colour,
        *,
        thin: bool,
    ) -> None:
        """A bar filled up to the first of two parts of its length, with a mark across it at the second."""
        em, length = self._layout.em, _BAR * self._layout.em
        top, bottom = round(middle - _BAR_HEIGHT * em / 2), round(middle + _BAR_HEIGHT * em / 2) - 1
        draw.rectangle((round(left), top, round(left + length) - 1, bottom), fill=self._theme.line)
        filled, mark = filled_and_mark
        right = round(left + length * filled) - 1
        if right >= round(left):
            # What does not occur differs not only by colour.
            inset = round(0.18 * em) if thin else 0
            draw.rectangle((round(left), top + inset, right, bottom - inset), fill=colour)
        if np.isnan(mark):
            return
        stroke, reach = self._layout.stroke, round(0.12 * em)
        x = round(left + length * mark - stroke / 2)
        draw.rectangle((x, top - reach, x + stroke - 1, bottom + reach), fill=self._theme.ink)


def _short(label: str) -> str:
    return label.removeprefix("AU")


@lru_cache(maxsize=32)
def _rounded(width: int, height: int, radius: int) -> Image.Image:
    """A mask with round corners, smooth because it was drawn four times as large."""
    large = Image.new("L", (4 * width, 4 * height))
    ImageDraw.Draw(large).rounded_rectangle((0, 0, 4 * width - 1, 4 * height - 1), 4 * radius, fill=_OPACITY)
    return large.resize((width, height), Image.Resampling.BOX)
