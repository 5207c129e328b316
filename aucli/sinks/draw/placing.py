"""Where the panels go: beside their face, over no face, and still unless they have to move."""

from __future__ import annotations

import math
from collections.abc import Sequence

from aucli.sinks.draw.face import Box
from aucli.sinks.draw.layout import Layout

_GAP = 1.2  # em between a face and its panel, so that the face can move a little
_TOUCHING = 0.02  # of a panel over a face is free: better than to move with each step of the face
_COVERING = 10.0  # cost of covering a face with all of the panel
_STAYING = 0.25  # what a new place must save in distance, in parts of the picture's diagonal
_LARGEST_COVER = 0.05  # a panel that lies with more of itself than this on faces or others is left out


class Placer:
    """Finds places for the panels of one video; remembers those of the frame before."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._before: dict[int, tuple[float, float]] = {}

    def place(
        self, faces: Sequence[tuple[int, Box]], size: Sequence[tuple[int, int]], blocked: Sequence[Box]
    ) -> dict[int, tuple[int, int]]:
        """Left upper corners of the panels by track; a panel for which there is no room has none.

        faces: track and box of each person who gets a panel, the most important first. size: width and
        height of each panel. blocked: what should not be covered: the boxes and tags of all faces.
        """
        placed: dict[int, tuple[int, int]] = {}
        taken: list[Box] = []
        for (track, box), (width, height) in zip(faces, size, strict=True):
            best = self._best(track, box, (width, height), [*blocked, *taken], is_first=not taken)
            if best is None:
                continue
            left, top = best
            self._before[track] = best
            placed[track] = round(left), round(top)
            taken.append((left, top, left + width, top + height))
        self._before = {track: place for track, place in self._before.items() if track in placed}
        return placed

    def _best(
        self, track: int, box: Box, size: tuple[int, int], blocked: Sequence[Box], *, is_first: bool
    ) -> tuple[float, float] | None:
        layout, (width, height) = self._layout, size
        right, bottom = layout.picture_width - width, layout.picture_height - height
        margin = min(layout.margin, max(0, right) / 2, max(0, bottom) / 2)
        if right < 0 or bottom < 0:
            return None
        diagonal = math.hypot(layout.picture_width, layout.picture_height)
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2

        def cost(place: tuple[float, float]) -> float:
            mine = (place[0], place[1], place[0] + width, place[1] + height)
            covered = sum(_common(mine, other) for other in blocked) / (width * height)
            away = math.hypot(place[0] + width / 2 - middle[0], place[1] + height / 2 - middle[1])
            return _COVERING * max(0.0, covered - _TOUCHING) + away / diagonal

        gap = _GAP * layout.em
        beside = [(x, y) for x in (box[2] + gap, box[0] - gap - width) for y in (box[1], box[3] - height)]
        stacked = [(x, y) for y in (box[3] + gap, box[1] - gap - height) for x in (box[0], box[2] - width)]
        corners = [(x, y) for x in (margin, right - margin) for y in (margin, bottom - margin)]
        candidates = [
            (min(max(x, margin), right - margin), min(max(y, margin), bottom - margin))
            for x, y in (*beside, *stacked, *corners)
        ]
        best = min(candidates, key=cost)
        before = self._before.get(track)
        if before is not None:
            stayed = min(max(before[0], 0), right), min(max(before[1], 0), bottom)
            if cost(stayed) - _STAYING <= cost(best):
                best = stayed
        mine = (best[0], best[1], best[0] + width, best[1] + height)
        covered = sum(_common(mine, other) for other in blocked)
        # The first panel is always shown: a face that fills the picture has to bear it.
        return best if is_first or covered <= _LARGEST_COVER * width * height else None


def _common(one: Box, other: Box) -> float:
    """Area that two boxes share, in pixels."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, down)
