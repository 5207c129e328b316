"""SCC's points of AUs from 68 landmarks, by the table in au_places.toml, which says where it is from."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aucli.errors import UsageError
from aucli_models.au import AU_SETS

LANDMARKS = 68


@cache
def _table() -> dict[str, list[list[int]]]:
    text = (Path(__file__).parent / "au_places.toml").read_text(encoding="utf-8")
    table: dict[str, list[list[int]]] = tomllib.loads(text)
    return table


@cache
def weights_of_landmarks(au_set: str) -> NDArray[np.float32]:
    """float32 (points, 68): the points of the set's AUs are this times the landmarks.

    Raises:
        UsageError: an AU of the set is not in the table.
    """
    missing = [au for au in AU_SETS[au_set] if au not in _table()]
    if missing:
        raise UsageError(
            f"--au-set {au_set}: SCC needs the places of its AUs, and there are none for "
            f"{', '.join(missing)}; choose bp4d_intensity or disfa_intensity"
        )
    parts = [part for au in AU_SETS[au_set] for part in _table()[au]]
    weights = np.zeros((len(parts), LANDMARKS), np.float32)
    for row, part in enumerate(parts):
        weights[row, part] = 1 / len(part)
    return weights


def au_points(landmarks: NDArray[np.floating], au_set: str) -> NDArray[np.float32]:
    """Landmarks (faces, 68, 2) -> points float32 (faces, points, 2), both x, y in the same pixels.

    Raises:
        UsageError: see `weights_of_landmarks`.
    """
    points: NDArray[np.float32] = weights_of_landmarks(au_set) @ landmarks.astype(np.float32)
    return points
