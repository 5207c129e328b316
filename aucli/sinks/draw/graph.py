"""The relation graph of one person: which AUs the network sees together, in a column beside the picture.

Nodes are the AUs without a side, in FACS order on a ring: the upper face at the top, the lower face below.
A node grows and takes on colour with the AU's probability; its number is bold where the AU occurs. A line
between two AUs is the network's probability that both occur in this frame (edge features of ME-GraphAU, Luo
et al., IJCAI 2022, section 3.2; the mean of both directions), thick where it is high. Only the strongest few
are drawn, and never one below `WEAKEST`. These probabilities are the network's own: unlike those of the
single AUs, no card calibrates them.
Not drawn is how much more often than by chance two AUs occur together: where both are nearly certain or
nearly impossible, that ratio says nothing.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from aucli.sinks.draw.choose import Chooser
from aucli.sinks.draw.layout import Layout
from aucli.sinks.draw.legend import Legend
from aucli.sinks.draw.palette import Colour, Theme, ink_on, mixed
from aucli.sinks.draw.text import Writer
from aucli.sinks.frames import FrameResult
from aucli_models.au import region, unsided

MOST_PAIRS = 6
WEAKEST = 0.2  # probability of both AUs below which no line is drawn
_NODE_SEEN = 0.15  # probability below which an AU is only a number
_SWITCHES = 1.5  # another face takes over when it is larger by this factor

# In em.
_EDGE = 0.6
_HEAD = 1.6
_NODE = (0.62, 0.95)  # radius at probability 0 and 1
_LINE = 1.55
_BAR = 3.6
_BAR_HEIGHT = 0.5
_NUMBER = 0.78  # height of the numbers in the nodes
_SMALL = 0.85
_CAPTIONS = ("line: probability of both,", "as the network gives it")
_SMOOTH = 2  # lines are drawn so many times as large, and made smaller


class Graph:
    """Draws the column; what does not change is drawn once, and all of it only when a number changed."""

    def __init__(self, legend: Legend, theme: Theme, layout: Layout) -> None:
        self._legend, self._theme, self._layout = legend, theme, layout
        em = layout.em
        self._plain, self._bold = Writer(em), Writer(em, bold=True)
        self._small = Writer(max(4, round(_SMALL * em)))
        self._number, self._strong = (
            Writer(max(4, round(_NUMBER * em)), bold=bold) for bold in (False, True)
        )
        nodes = unsided(legend.au_names)
        self._columns = [legend.au_names.index(au) for au in nodes]  # of the nodes
        self._first, self._second = np.triu_indices(len(nodes), 1)  # the two nodes of each pair
        self._chooser = Chooser(MOST_PAIRS)
        self._track: int | None = None
        self._side = min(layout.graph, layout.height - round(_HEAD * em))  # of the square with the ring
        self._places = self._ring(nodes)
        spacing = 2 * math.pi * self._radius / max(1, len(nodes) + 2)
        self._largest = min(1.0, 0.6 * spacing / (_NODE[1] * em))  # so that neighbours hardly touch
        self._background = self._empty()
        self._drawn: tuple[object, Image.Image] = (None, self._background)

    def draw(self, result: FrameResult | None) -> Image.Image:
        """The column for the largest face; it stays with a person until another face is clearly larger."""
        row = None if result is None else self._row(result)
        if result is None or row is None:
            return self._background
        assert result.faces.tracks is not None  # results are of tracked faces
        assert result.pairs is not None  # a graph is drawn only where edges were asked for
        percent = tuple(
            np.rint(100 * np.nan_to_num(result.probabilities[row, self._columns])).astype(int).tolist()
        )
        both = result.pairs[row][self._first, self._second].astype(np.float64)
        chosen = self._chooser.choose(both)
        pairs = sorted(((round(100 * float(both[pair])), pair) for pair in chosen), reverse=True)
        state = (
            int(result.faces.tracks[row]),
            bool(result.valid[row]),
            percent,
            tuple(result.occurrences[row, self._columns].tolist()),
            tuple(pair for pair in pairs if pair[0] >= 100 * WEAKEST),
        )
        if self._drawn[0] != state:
            self._drawn = state, self._draw(*state)
        return self._drawn[1]

    def _row(self, result: FrameResult) -> int | None:
        faces = result.faces
        assert faces.tracks is not None  # results are of tracked faces
        if not len(faces):
            return None
        tracks: list[int] = faces.tracks.tolist()
        areas = faces.boxes[:, 2] * faces.boxes[:, 3]
        largest = int(areas.argmax())
        if self._track in tracks:
            current = tracks.index(self._track)
            if areas[largest] <= _SWITCHES * areas[current]:
                return current
        self._track = tracks[largest]
        self._chooser = Chooser(MOST_PAIRS)
        return largest

    @property
    def _radius(self) -> float:
        return self._side / 2 - (_NODE[1] + 0.25) * self._layout.em

    def _ring(self, nodes: tuple[str, ...]) -> NDArray[np.float64]:
        """Middles of the nodes in pixels of the column, float64 (nodes, 2)."""
        upper = sum(region(au) == "upper" for au in nodes)
        # One free place on each side between the upper and the lower face.
        slots = {"upper": 0, "lower": upper + 1}
        places = np.zeros((len(nodes), 2))
        in_order = sorted(range(len(nodes)), key=lambda node: int(self._legend.order[self._columns[node]]))
        for node in in_order:
            part = region(nodes[node])
            turn = 2 * math.pi * (slots[part] - (upper - 1) / 2) / (len(nodes) + 2)  # clockwise from the top
            slots[part] += 1
            places[node] = math.sin(turn), -math.cos(turn)
        middle = self._layout.graph / 2, _HEAD * self._layout.em + self._side / 2
        return places * self._radius + middle

    def _empty(self) -> Image.Image:
        """The column without a face: the ring with its numbers, and what the lines mean."""
        layout, theme, em = self._layout, self._theme, self._layout.em
        picture = Image.new("RGB", (layout.width - layout.picture_width, layout.height), theme.paper)
        draw = ImageDraw.Draw(picture)
        draw.rectangle((0, 0, picture.width, round(_HEAD * em) - 1), fill=theme.line)
        self._bold.write(picture, _EDGE * em, _HEAD * em / 2, "No face", theme.ink)
        for node, column in enumerate(self._columns):
            self._write_node(picture, node, self._legend.codes[column], theme.faint, strong=False)
        for line, caption in enumerate(_CAPTIONS):
            middle = layout.height - (_EDGE + 0.6 + 1.1 * (len(_CAPTIONS) - 1 - line)) * em
            if middle - em > _HEAD * em + self._side:
                self._small.write(picture, _EDGE * em, middle, caption, theme.faint)
        return picture

    def _write_node(self, picture: Image.Image, node: int, text: str, ink: Colour, *, strong: bool) -> None:
        writer = self._strong if strong else self._number
        x, y = self._places[node]
        writer.write(picture, x - writer.width(text) / 2, y, text, ink)

    def _draw(
        self,
        track: int,
        valid: bool,
        percent: tuple[int, ...],
        occurrences: tuple[bool, ...],
        pairs: tuple[tuple[int, int], ...],
    ) -> Image.Image:
        theme, em = self._theme, self._layout.em
        colour = theme.person(track)
        picture = self._background.copy()
        draw = ImageDraw.Draw(picture)
        draw.rectangle((0, 0, picture.width, round(_HEAD * em) - 1), fill=colour)
        self._bold.write(picture, _EDGE * em, _HEAD * em / 2, f"Person {track}", ink_on(colour))
        said = "AU pairs" if valid else "not valid"
        self._small.write_right(picture, picture.width - _EDGE * em, _HEAD * em / 2, said, ink_on(colour))
        self._draw_lines(picture, pairs, colour)
        touched = {int(node) for _, pair in pairs for node in (self._first[pair], self._second[pair])}
        for node in sorted(range(len(percent)), key=lambda node: percent[node]):
            share = percent[node] / 100
            if share < _NODE_SEEN and node not in touched:
                continue
            smallest, largest = _NODE
            radius = max(2, round((smallest + (largest - smallest) * share) * self._largest * em))
            fill = mixed(colour, theme.paper, 0.15 + 0.85 * share)
            x, y = (round(value) - radius for value in self._places[node].tolist())
            picture.paste(fill, (x, y), _disc(radius))
            text = self._legend.codes[self._columns[node]]
            self._write_node(picture, node, text, ink_on(fill), strong=occurrences[node])
        self._draw_list(picture, draw, pairs, colour)
        return picture

    def _draw_lines(self, picture: Image.Image, pairs: tuple[tuple[int, int], ...], colour: Colour) -> None:
        top = round(_HEAD * self._layout.em)
        mask = Image.new("L", (self._layout.graph * _SMOOTH, self._side * _SMOOTH))
        draw = ImageDraw.Draw(mask)
        for value, pair in reversed(pairs):  # the strongest lies above
            ends = [
                ((x + 0.5) * _SMOOTH, (y - top + 0.5) * _SMOOTH)
                for x, y in self._places[[self._first[pair], self._second[pair]]].tolist()
            ]
            width = round(_SMOOTH * self._layout.stroke * (0.8 + 2.2 * value / 100))
            draw.line([*ends[0], *ends[1]], fill=round(255 * (0.3 + 0.7 * value / 100)), width=width)
        picture.paste(colour, (0, top), mask.reduce(_SMOOTH))

    def _draw_list(
        self,
        picture: Image.Image,
        draw: ImageDraw.ImageDraw,
        pairs: tuple[tuple[int, int], ...],
        colour: Colour,
    ) -> None:
        """The same pairs in words under the ring, as many as there is room for."""
        theme, em, edge = self._theme, self._layout.em, _EDGE * self._layout.em
        right = self._layout.graph - edge
        end = self._layout.height - (_EDGE + 1.2 * len(_CAPTIONS)) * em
        if not pairs:
            middle = _HEAD * em + self._side + _LINE / 2 * em
            self._small.write(picture, edge, middle, f"no pair above {WEAKEST:.0%}", theme.faint)
        for row, (value, pair) in enumerate(pairs):
            middle = _HEAD * em + self._side + (row + 0.5) * _LINE * em
            if middle + _LINE * em / 2 > end:
                return
            names = (self._legend.codes[self._columns[node[pair]]] for node in (self._first, self._second))
            self._plain.write(picture, edge, middle, " + ".join(names), theme.ink)
            self._plain.write_right(picture, right, middle, f"{value} %", theme.ink)
            bar_right = right - self._plain.width("100 %") - 0.4 * em
            left, length = round(bar_right - _BAR * em), _BAR * em
            top, bottom = round(middle - _BAR_HEIGHT * em / 2), round(middle + _BAR_HEIGHT * em / 2) - 1
            draw.rectangle((left, top, round(left + length) - 1, bottom), fill=theme.line)
            draw.rectangle((left, top, round(left + length * value / 100) - 1, bottom), fill=colour)


@lru_cache(maxsize=256)
def _disc(radius: int) -> Image.Image:
    """A mask of a round disc, smooth because it was drawn four times as large."""
    side = 2 * radius + 1
    large = Image.new("L", (4 * side, 4 * side))
    ImageDraw.Draw(large).ellipse((0, 0, 4 * side - 1, 4 * side - 1), fill=255)
    return large.reduce(4)
