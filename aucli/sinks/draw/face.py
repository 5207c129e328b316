"""Face boxes with the track's number, and the five landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from aucli.sinks.draw.layout import Layout
from aucli.sinks.draw.palette import Colour, ink_on
from aucli.sinks.draw.text import Writer

Box = tuple[float, float, float, float]  # left, top, right, bottom

_HALO: Colour = (0, 0, 0)
_DASH = 0.6  # em


def draw_box(picture: Image.Image, box: Box, colour: Colour, layout: Layout, *, dashed: bool) -> None:
    """A frame around a face, with a dark edge so that it is seen on any ground.

    dashed: the face is not good enough to trust its AUs.
    """
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = (round(value) for value in box)
    for grown, paint in ((1, _HALO), (0, colour)):
        width = layout.stroke + 2 * grown
        if not dashed:
            outer = (left - grown, top - grown, right + grown, bottom + grown)
            draw.rectangle(outer, outline=paint, width=width)
            continue
        dash = max(2, round(_DASH * layout.em))
        for start in range(left, right, 2 * dash):
            end = min(start + dash, right)
            for y in (top, bottom):
                draw.line((start - grown, y, end + grown, y), fill=paint, width=width)
        for start in range(top, bottom, 2 * dash):
            end = min(start + dash, bottom)
            for x in (left, right):
                draw.line((x, start - grown, x, end + grown), fill=paint, width=width)


def tag_size(text: str, writer: Writer) -> tuple[int, int]:
    """Width and height of a tag in pixels."""
    return writer.width(text) + round(0.8 * writer.em), round(1.5 * writer.em)


def tag_box(box: Box, text: str, writer: Writer, layout: Layout) -> Box:
    """Where the tag of a face lies: on its upper left corner, inside where the picture ends above."""
    width, height = tag_size(text, writer)
    left = min(max(0.0, box[0]), max(0.0, layout.picture_width - width))
    top = box[1] - height
    if top < 0:
        top = max(0.0, box[1])
    return left, top, left + width, top + height


def draw_tag(picture: Image.Image, place: Box, text: str, colour: Colour, writer: Writer) -> None:
    """A small filled label."""
    left, top, right, bottom = (round(value) for value in place)
    ImageDraw.Draw(picture).rectangle((left, top, right - 1, bottom - 1), fill=colour)
    writer.write(picture, left + 0.4 * writer.em, (top + bottom) / 2, text, ink_on(colour))


def draw_landmarks(
    picture: Image.Image, points: NDArray[np.floating], colour: Colour, layout: Layout
) -> None:
    """The points, (5, 2) in pixels, as dots with a dark edge."""
    draw = ImageDraw.Draw(picture)
    radius = max(1.5, 0.16 * layout.em)
    for x, y in points.tolist():
        for size, paint in ((radius + 1, _HALO), (radius, colour)):
            draw.ellipse((x - size, y - size, x + size, y + size), fill=paint)
