"""Where a network that measures intensities sees each AU: tints on the faces, and a column of small pictures.

A map's height is the intensity that the network would read there. The column shows the largest face, as it
was cut out for the network, once for each AU with that AU's map over it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from aucli.datatypes import CropConvention
from aucli.faces.align import similarity
from aucli.sinks.draw.layout import Layout
from aucli.sinks.draw.legend import Legend
from aucli.sinks.draw.palette import Theme
from aucli.sinks.draw.regions import paste_through
from aucli.sinks.draw.text import Writer
from aucli.sinks.frames import FrameResult

_OPACITY = 0.55  # of the strongest tint on a face
_DIMMED = 0.55  # of the face behind a map
# What a map's colour is at intensity 0, 2.5 and 5, and how opaque; the face is seen through where nothing is.
_STOPS = np.array([0.0, 0.5, 1.0])
_COLOURS = np.array([[70, 30, 110], [213, 94, 0], [255, 236, 110]], np.float64)
_OPACITIES = np.array([0.0, 0.75, 0.95])

# In em.
_EDGE = 0.6
_LINE = 1.35
_BAR = 0.8
_SMALL = 0.85


class Heatmaps:
    """Draws what results have as `heatmaps`.

    crop: how the network's pictures were cut: their size in pixels is four times that of a map.
    """

    def __init__(self, legend: Legend, theme: Theme, layout: Layout, crop: CropConvention) -> None:
        self._legend, self._theme, self._layout, self._crop = legend, theme, layout, crop
        em = layout.em
        self._writer, self._small = Writer(em, bold=True), Writer(max(4, round(_SMALL * em)))
        self._top = round((2 * _LINE + _EDGE) * em)
        bottom = layout.height - round((_BAR + _LINE + 2 * _EDGE) * em)
        self._columns, self._side = self._best_tiles(bottom - self._top)
        self._bar_top = bottom + round(_EDGE * em)

    def tint(
        self, picture: Image.Image, landmarks: NDArray[np.floating], heatmaps: NDArray[np.uint8]
    ) -> None:
        """Tint one face in place. landmarks: (5, 2), in the picture; heatmaps: (AUs, side, side)."""
        highest = heatmaps.max(0)
        side = len(highest)
        to_map = similarity(landmarks[None], self._crop)[0] * (side / self._crop.size)
        to_map[:, 2] += 0.5  # a map's first value belongs to the crop's first pixel
        mask = Image.fromarray((highest * _OPACITY).astype(np.uint8))
        paste_through(picture, self._theme.tint, mask, to_map)

    def draw(self, picture: Image.Image, result: FrameResult | None) -> Image.Image:
        """The column; picture: the frame, on which nothing has been drawn."""
        layout, theme, em = self._layout, self._theme, self._layout.em
        column = Image.new("RGB", (layout.graph, layout.height), theme.paper)
        left, room = _EDGE * em, layout.graph - 2 * _EDGE * em
        middle = (_EDGE + _LINE / 2) * em
        row = _largest(result)
        if result is None or row is None:
            self._writer.write(column, left, middle, self._writer.fitting("no face", room), theme.faint)
        else:
            assert result.faces.tracks is not None  # results are of tracked faces
            name = f"Heatmaps, person {int(result.faces.tracks[row])}"
            self._writer.write(column, left, middle, self._writer.fitting(name, room), theme.ink)
            note = self._small.fitting("intensity of each AU", room)
            self._small.write(column, left, middle + _LINE * em, note, theme.faint)
            self._draw_tiles(column, picture, result, row)
        self._draw_bar(column)
        return column

    def _draw_tiles(self, column: Image.Image, picture: Image.Image, result: FrameResult, row: int) -> None:
        assert result.heatmaps is not None  # see `_largest`
        em, side = self._layout.em, self._side
        face = self._cut(picture, result.faces.landmarks[row])
        for place, au in enumerate(self._legend.in_facs_order(range(len(self._legend)))):
            line, across = divmod(place, self._columns)
            left = round(_EDGE * em + across * (side + _EDGE * em))
            top = round(self._top + line * (side + _LINE * em))
            column.paste(_overlaid(face, result.heatmaps[row, au]), (left, top))
            value = float(result.probabilities[row, au])
            text = self._legend.labels[au]
            if not np.isnan(value):
                text = f"{text} {self._legend.written(round(100 * value))}"
            text = self._small.fitting(text, side)
            self._small.write(column, left, top + side + _LINE * em / 2, text, self._theme.ink)

    def _cut(self, picture: Image.Image, landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
        """The face as the network saw it, grey and dimmed: float64 (side, side, 3)."""
        crop = CropConvention(self._side, self._crop.scale, self._crop.shift_y)
        forward = np.vstack([similarity(landmarks[None], crop)[0], [0, 0, 1]])
        (a, b, c), (d, e, f) = np.linalg.inv(forward)[:2].tolist()
        # Pillow counts from corners, the aligner from the centres of pixels.
        back = (a, b, c + 0.5 - 0.5 * (a + b), d, e, f + 0.5 - 0.5 * (d + e))
        size = (self._side, self._side)
        cut = picture.transform(size, Image.Transform.AFFINE, back, Image.Resampling.BILINEAR)
        return np.repeat(np.asarray(cut.convert("L"), np.float64)[:, :, None] * _DIMMED, 3, axis=2)

    def _draw_bar(self, column: Image.Image) -> None:
        """What the colours mean."""
        em, theme = self._layout.em, self._theme
        left, right = round(_EDGE * em), round(self._layout.graph - _EDGE * em)
        height = max(2, round(_BAR * em))
        along = np.tile(np.linspace(0, 1, max(2, right - left)), (height, 1))
        ground = np.full((*along.shape, 3), 96.0 * _DIMMED)
        column.paste(Image.fromarray(_blended(ground, along)), (left, self._bar_top))
        ImageDraw.Draw(column).rectangle(
            (left - 1, self._bar_top - 1, right, self._bar_top + height), outline=theme.line
        )
        middle = self._bar_top + height + _LINE * em / 2
        self._small.write(column, left, middle, "0", theme.faint)
        words = self._small.fitting("intensity", right - left - 4 * em)
        self._small.write(column, (left + right - self._small.width(words)) / 2, middle, words, theme.faint)
        self._small.write_right(column, right, middle, "5", theme.faint)

    def _best_tiles(self, height: int) -> tuple[int, int]:
        """How many tiles lie side by side, and their side: the largest with which all have room."""
        em, best = self._layout.em, (1, 1)
        for columns in range(1, len(self._legend) + 1):
            lines = -(-len(self._legend) // columns)
            wide = (self._layout.graph - (columns + 1) * _EDGE * em) / columns
            side = int(min(wide, height / lines - _LINE * em))
            if side > best[1]:
                best = columns, side
        return best


def _largest(result: FrameResult | None) -> int | None:
    """Row of the largest face that has heatmaps."""
    if result is None or result.heatmaps is None or not len(result.faces):
        return None
    return int(np.argmax(result.faces.boxes[:, 2] * result.faces.boxes[:, 3]))


def _overlaid(face: NDArray[np.float64], heatmap: NDArray[np.uint8]) -> Image.Image:
    side = len(face)
    levels = Image.fromarray(heatmap).resize((side, side), Image.Resampling.BILINEAR)
    return Image.fromarray(_blended(face, np.asarray(levels, np.float64) / 255))


def _blended(ground: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Colours of levels (height, width), 0 to 1, over a ground (height, width, 3)."""
    colours = np.stack([np.interp(levels, _STOPS, _COLOURS[:, part]) for part in range(3)], axis=-1)
    opacity = np.interp(levels, _STOPS, _OPACITIES)[:, :, None]
    blended: NDArray[np.uint8] = np.rint(ground + opacity * (colours - ground)).astype(np.uint8)
    return blended
