"""Which AUs are shown where there is no room for all: the most active ones, without restlessness."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from aucli.sinks.draw.history import Stretch

# A newcomer must be this much more active than the weakest AU shown, or the two would take turns.
_LEAD_SHARE, _LEAD = 1.2, 0.05


def activity(stretches: Iterable[Stretch], opposite: NDArray[np.int64]) -> NDArray[np.float64]:
    """How active each AU is, float64 (AUs,), 0 to 2: mean probability, plus the share of frames with it.

    opposite: int64 (AUs,), see `Legend`. Such a side counts for as much as it has more than the other side:
    what both do is seen of the AU as a whole. Of several persons the most active one counts.
    """
    most = np.zeros(len(opposite))
    sided = opposite >= 0
    for stretch in stretches:
        values = np.nan_to_num(stretch.probabilities, nan=0.0).astype(np.float64)
        occurs = stretch.occurrences.astype(np.float64)
        for each in (values, occurs):
            each[:, sided] = np.maximum(each[:, sided] - each[:, opposite[sided]], 0.0)
        most = np.maximum(most, values.mean(0) + occurs.mean(0))
    return most


class Chooser:
    """Keeps `count` AUs, and exchanges one only for another that is clearly more active."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._shown: list[int] = []

    def choose(self, active: NDArray[np.float64]) -> list[int]:
        """The columns shown now, given the activity of all, float64 (AUs,); in no order."""
        if not self._shown:
            self._shown = np.argsort(-active, kind="stable")[: self._count].tolist()
            return self._shown
        others = [au for au in np.argsort(-active, kind="stable").tolist() if au not in self._shown]
        for newcomer in others:
            weakest = min(self._shown, key=lambda au: float(active[au]))
            if active[newcomer] <= active[weakest] * _LEAD_SHARE + _LEAD:
                break
            self._shown = [newcomer if au == weakest else au for au in self._shown]
        return self._shown
