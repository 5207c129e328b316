"""Sizes of everything on the canvas, from the size of the picture."""

from __future__ import annotations

from dataclasses import dataclass

_EMS_IN_PICTURE = 36  # text is this part of the picture's shorter side ...
_SMALLEST_EM = 11  # ... but can be read in a small one too
_LARGEST_SHARE = 0.07  # ... unless there is no room at all for it

# The strip under the picture, in em.
ROW = 1.75
_STRIP_MARGIN = 0.7
_AXIS = 1.7
_LABELS = 14.5
_LABELS_SHORT = 6.5

_GRAPH = 15.0  # em, width of the column at the right


@dataclass(frozen=True)
class Layout:
    """Where things lie on the canvas, in pixels.

    picture_width, picture_height: of the drawn picture, in the upper left corner.
    width, height: of the canvas, both even, as the usual codecs demand: the picture is padded, never cut.
    em: height of the text. strip_top: where the time line begins; equal to the picture's height.
    labels: width of the names at the left of the time line; has_names: whether they fit beside numbers.
    graph: width of the column with the relation graph, right of picture and time line; 0: there is none.
    """

    picture_width: int
    picture_height: int
    width: int
    height: int
    em: int
    rows: int  # of the time line; 0: there is none
    labels: int
    has_names: bool
    graph: int

    @classmethod
    def of(cls, picture_width: int, picture_height: int, *, rows: int, graph: bool = False) -> Layout:
        """The layout for a picture of this size, with `rows` AUs in the time line (0: no time line).

        graph: with a column for the relation graph, where it covers nothing.
        """
        shorter = min(picture_width, picture_height)
        em = max(round(shorter / _EMS_IN_PICTURE), min(_SMALLEST_EM, round(shorter * _LARGEST_SHARE)), 4)
        strip = round((rows * ROW + 2 * _STRIP_MARGIN + _AXIS) * em) if rows else 0
        has_names = picture_width >= 38 * em
        height = picture_height + strip
        column = round(_GRAPH * em) if graph else 0
        width = picture_width + column
        return cls(
            picture_width=picture_width,
            picture_height=picture_height,
            width=width + width % 2,
            height=height + height % 2,
            em=em,
            rows=rows,
            labels=round((_LABELS if has_names else _LABELS_SHORT) * em),
            has_names=has_names,
            graph=column,
        )

    @property
    def margin(self) -> int:
        return max(1, round(_STRIP_MARGIN * self.em))

    @property
    def stroke(self) -> int:
        """Width of a line in pixels."""
        return max(1, round(self.em / 9))
