"""Where the panels go: beside their face, over no face, and still unless they have to move."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aucli.sinks.draw.face import Box
from aucli.sinks.draw.layout import Layout

_GAPS = (1.2, 0.3)  # em between a face and its panel: so that the face can move a little, or at least this
_TOUCHING = 0.02  # of a panel over a face: bearable, and better than to move with each step of the face
_COVERING = 10.0  # cost of covering a face with all of the panel
_STAYING = 0.25  # what a new place must save in distance, in parts of the picture's diagonal
_GROWING = 1.0  # em that a larger panel needs free on each side, or it would shrink again at once

_OUTWARD = np.array([-1.0, -1.0, 1.0, 1.0])

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """Where a panel goes: its left upper corner in pixels, and which of the sizes offered it has."""

    left: int
    top: int
    size: int


class Placer:
    """Finds places for the panels of one video; remembers those of the frame before."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._before: dict[int, Place] = {}

    def place(
        self,
        faces: Sequence[tuple[int, Box]],
        sizes: Sequence[Sequence[tuple[int, int]]],
        blocked: Sequence[Box],
    ) -> dict[int, Place]:
        """Places of the panels by track; a panel for which there is no room has none.

        faces: track and box of each person who gets a panel, the most important first. sizes: width and
        height of each panel in all its sizes, the best first; the first that covers nothing is taken.
        blocked: what should not be covered: the boxes and tags of all faces.
        """
        placed: dict[int, Place] = {}
        taken: list[Box] = []
        for (track, box), offered in zip(faces, sizes, strict=True):
            search = _Search(self._layout, box, np.array([*blocked, *taken], np.float64))
            found = search.free(offered, self._before.get(track))
            if found is None and not taken:
                # The first panel is always shown: a face that fills the picture has to bear its smallest.
                found = search.least_covering(offered)
            if found is None:
                continue
            placed[track] = found
            width, height = offered[found.size]
            taken.append((found.left, found.top, found.left + width, found.top + height))
        self._before = placed
        return placed


class _Search:
    """The search for one panel, of a face in `box`; blocked: float64 (boxes, 4), not to be covered."""

    def __init__(self, layout: Layout, box: Box, blocked: Floats) -> None:
        self._layout, self._box, self._blocked = layout, box, blocked

    def free(self, sizes: Sequence[tuple[int, int]], before: Place | None) -> Place | None:
        """The first of the sizes with a place where it covers nothing; None if there is none.

        before: where the panel was, which it leaves only for a place that is clearly better.
        """
        slack = _GROWING * self._layout.em
        for number, size in enumerate(sizes):
            grown = before is not None and number < before.size
            around = self._blocked + (slack * _OUTWARD if grown else 0.0)
            stayed = self._stayed(before, size) if before is not None and number == before.size else None
            for gap in _GAPS:
                corners = self._corners(size, gap)
                corners = corners[_covered(corners, size, around) == 0]
                if not len(corners):
                    continue
                best = corners[self._costs(corners, size).argmin()]
                if stayed is not None:
                    costs = self._costs(np.stack([stayed, best]), size)
                    best = stayed if costs[0] - _STAYING <= costs[1] else best
                return Place(int(best[0]), int(best[1]), number)
            if stayed is not None:
                return Place(int(stayed[0]), int(stayed[1]), number)
        return None

    def _stayed(self, before: Place, size: tuple[int, int]) -> Floats | None:
        """Its corner where it was, float64 (2,); None where it would cover something now."""
        layout = self._layout
        corner = np.array(
            [
                min(before.left, layout.picture_width - size[0]),
                min(before.top, layout.picture_height - size[1]),
            ],
            np.float64,
        )
        covers = _covered(corner[None], size, self._blocked)[0] > _TOUCHING or corner.min() < 0
        return None if covers else corner

    def least_covering(self, sizes: Sequence[tuple[int, int]]) -> Place | None:
        """A place for the last of the sizes, over something; None where it is larger than the picture."""
        corners = self._corners(sizes[-1], _GAPS[0])
        if not len(corners):
            return None
        best = corners[self._costs(corners, sizes[-1]).argmin()]
        return Place(int(best[0]), int(best[1]), len(sizes) - 1)

    def _corners(self, size: tuple[int, int], gap_ems: float) -> Floats:
        """Left upper corners worth looking at, float64 (places, 2), whole numbers; all inside the picture.

        A place that is free can be pushed to the left and up until it meets an edge or something blocked:
        it is enough to look at those, and at the same from the other sides.
        """
        layout, (width, height), blocked = self._layout, size, self._blocked
        right, bottom = layout.picture_width - width, layout.picture_height - height
        if right < 0 or bottom < 0:
            return np.zeros((0, 2))
        gap, box = gap_ems * layout.em, self._box
        margin_x, margin_y = min(layout.margin, right // 2), min(layout.margin, bottom // 2)
        x = [0, right, box[0], box[2] - width, *(blocked[:, 2] + gap), *(blocked[:, 0] - gap - width)]
        y = [0, bottom, box[1], box[3] - height, *(blocked[:, 3] + gap), *(blocked[:, 1] - gap - height)]
        across = np.unique(np.clip(np.round(x), margin_x, right - margin_x))
        down = np.unique(np.clip(np.round(y), margin_y, bottom - margin_y))
        return np.stack(np.meshgrid(across, down, indexing="ij"), axis=-1).reshape(-1, 2)

    def _costs(self, corners: Floats, size: tuple[int, int]) -> Floats:
        """What speaks against each place, float64 (places,): covering, and being far from the face."""
        layout, (left, top, right, bottom) = self._layout, self._box
        away = corners + np.array(size) / 2 - [(left + right) / 2, (top + bottom) / 2]
        far = np.hypot(away[:, 0], away[:, 1]) / math.hypot(layout.picture_width, layout.picture_height)
        over = np.maximum(0.0, _covered(corners, size, self._blocked) - _TOUCHING)
        return np.asarray(_COVERING * over + far, np.float64)


def _covered(corners: Floats, size: tuple[int, int], blocked: Floats) -> Floats:
    """Area of the blocked boxes under a panel at each corner, in parts of the panel: float64 (places,)."""
    ends = corners + np.array(size)
    across = np.minimum(ends[:, None, 0], blocked[:, 2]) - np.maximum(corners[:, None, 0], blocked[:, 0])
    down = np.minimum(ends[:, None, 1], blocked[:, 3]) - np.maximum(corners[:, None, 1], blocked[:, 1])
    shared = np.maximum(0.0, across) * np.maximum(0.0, down)
    return np.asarray(shared.sum(1) / (size[0] * size[1]), np.float64)
