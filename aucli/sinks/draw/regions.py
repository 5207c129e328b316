"""Tints the parts of a face over the muscles of its active AUs; which parts stands in regions.toml."""

from __future__ import annotations

import math
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aucli.datatypes import CropConvention
from aucli.faces.align import TEMPLATE, similarity
from aucli.sinks.draw.palette import Colour
from aucli_models.au import parse

# The stretch of the mean face that holds all regions, in eye distances: left, top, right, bottom.
EXTENT = (-1.3, -1.2, 1.3, 2.3)
_CELLS = 40  # of the masks, in an eye distance
_FIRST_SEEN = 0.15  # probability below which nothing is tinted: most AUs of a still face are there
_STRONGEST = 0.55  # opacity at probability 1

_UNIT = CropConvention(size=1, scale=1.0, shift_y=0.0)
_EYES = TEMPLATE[:2]
_EYE_DISTANCE = float(_EYES[1, 0] - _EYES[0, 0])


@cache
def region_parts() -> dict[int, dict[str, Any]]:
    """The table of regions.toml by AU number."""
    text = (files("aucli.sinks.draw") / "regions.toml").read_text(encoding="utf-8")
    return {parse(name)[0]: entry for name, entry in tomllib.loads(text).items()}


def region_mask(au: str) -> NDArray[np.float32]:
    """Where this AU shows on the mean face: float32 (rows, columns) over `EXTENT`, 0 to 1, soft edges."""
    number, side = parse(au)
    entry = region_parts()[number]
    left, top, right, bottom = EXTENT
    x = np.arange(round((right - left) * _CELLS)) / _CELLS + left + 0.5 / _CELLS
    y = (np.arange(round((bottom - top) * _CELLS)) / _CELLS + top + 0.5 / _CELLS)[:, None]
    mask = np.zeros((len(y), len(x)))
    for part in entry["parts"]:
        for mirror in (1, -1) if entry["paired"] else (1,):
            mask = np.maximum(mask, _ellipse(mirror * x, y, part))
    if side:
        # The person's own left is at the right of the picture.
        mask = mask * (x > 0 if side == "L" else x < 0)
    return mask.astype(np.float32)


def _ellipse(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    part: list[float],
) -> NDArray[np.float64]:
    centre_x, centre_y, half_width, half_height, turn_degrees = part
    turn = math.radians(turn_degrees)
    across, down = x - centre_x, y - centre_y
    u = (across * math.cos(turn) + down * math.sin(turn)) / half_width
    v = (down * math.cos(turn) - across * math.sin(turn)) / half_height
    fading: NDArray[np.float64] = np.clip(1.4 * (1 - (u**2 + v**2)), 0, 1)
    return fading


class Tint:
    """Tints faces of a model with these AUs."""

    def __init__(self, au_names: tuple[str, ...], colour: Colour) -> None:
        self._colour = colour
        self._masks = np.stack([region_mask(au) for au in au_names])

    def apply(
        self, picture: Image.Image, landmarks: NDArray[np.floating], probabilities: NDArray[np.float32]
    ) -> None:
        """Tint one face in place.

        landmarks: (5, 2), x, y in pixels of the picture. probabilities: (AUs,), NaN where unknown.
        """
        strength = np.nan_to_num((probabilities - _FIRST_SEEN) / (1 - _FIRST_SEEN), nan=0.0).clip(0, 1)
        active = np.flatnonzero(strength > 0)
        if not len(active):
            return
        heat = (self._masks[active] * strength[active, None, None]).max(0)
        cells = Image.fromarray((heat * (255 * _STRONGEST)).astype(np.uint8))
        paste_through(picture, self._colour, cells, _picture_to_cells(landmarks))


def paste_through(
    picture: Image.Image, colour: Colour, mask: Image.Image, to_mask: NDArray[np.float64]
) -> None:
    """Paint the picture with a colour as opaque as a mask that lies anywhere on it.

    to_mask: (2, 3), from the centres of the picture's pixels to places on the mask, counted from its corner.
    """
    held = mask.getbbox()
    if held is None:
        return
    corners = _corners(to_mask, held)
    left, top = np.floor(corners.min(0)).astype(int)
    right, bottom = np.ceil(corners.max(0)).astype(int)
    left, top = max(0, int(left)), max(0, int(top))
    right, bottom = min(picture.width, int(right)), min(picture.height, int(bottom))
    if right <= left or bottom <= top:
        return
    # Pillow asks for the way from the result's pixels to the source's, both counted from corners.
    (a, b, c), (d, e, f) = to_mask.tolist()
    here = (a, b, c + a * (left - 0.5) + b * (top - 0.5), d, e, f + d * (left - 0.5) + e * (top - 0.5))
    laid = mask.transform(
        (right - left, bottom - top), Image.Transform.AFFINE, here, Image.Resampling.BILINEAR
    )
    picture.paste(colour, (left, top), laid)


def _picture_to_cells(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """float64 (2, 3): from the centres of the picture's pixels to places on the masks."""
    to_unit = similarity(np.asarray(landmarks, np.float64)[None], _UNIT)[0]
    cells = _CELLS / _EYE_DISTANCE
    matrix: NDArray[np.float64] = to_unit * cells
    matrix[:, 2] -= _EYES.mean(0) * cells
    matrix[:, 2] -= np.array(EXTENT[:2]) * _CELLS
    return matrix


def _corners(to_cells: NDArray[np.float64], held: tuple[int, int, int, int]) -> NDArray[np.float64]:
    """float64 (4, 2): where corners of the masks' stretch (left, top, right, bottom) are in the picture."""
    ends = np.array([(x, y) for x in held[::2] for y in held[1::2]], np.float64)
    return np.asarray(np.linalg.solve(to_cells[:, :2], (ends - to_cells[:, 2]).T).T, np.float64)
