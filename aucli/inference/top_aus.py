"""The AUs that a report names for a video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aucli_models.au import repeated_sides

TOP_AUS = 3


def top_aus(
    au_names: Sequence[str], counts: NDArray[np.integer[Any]], faces: int
) -> tuple[tuple[str, float], ...]:
    """The AUs present in most face rows, with their share of them.

    counts: (AUs,), the rows in which each occurs. faces: rows in all. Left out are AUs never present, and
    sides of an AU that is there as a whole, which would only repeat it.
    """
    sides = repeated_sides(au_names)
    repeats = [au in sides for au in au_names]
    best = np.argsort(-np.where(repeats, 0, counts), kind="stable")[:TOP_AUS]
    return tuple(
        (au_names[au], round(float(counts[au] / faces), 4)) for au in best if counts[au] and not repeats[au]
    )
