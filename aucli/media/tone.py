"""HDR pictures made watchable on a usual screen: brightness by a curve, colours by a matrix.

A decoder gives the coded values of HDR video as they are. Shown as if they were SDR, PQ looks gray and flat;
HLG was made to look right that way, but for its colours. What is done here is simple, not exact.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Tone = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

_REFERENCE_WHITE = 203.0  # cd/m2, of diffuse white in HDR (ITU-R BT.2408)
_BRIGHTEST = 1000.0  # cd/m2, becomes white
# From the primaries of ITU-R BT.2020 to those of BT.709 (BT.2087): meant for linear light, used here for
# coded values.
_TO_709 = (1.6605, -0.5876, -0.0728, 0.0, -0.1246, 1.1329, -0.0083, 0.0, -0.0182, -0.1006, 1.1187, 0.0)


def tone_for(transfer: str | None) -> Tone | None:
    """What makes pictures of this transfer characteristic (see `VideoProbe`) watchable; None for SDR.

    The function takes and gives uint8 (height, width, 3), RGB.
    """
    if transfer == "pq":
        curve = _pq_curve()
        return lambda pixels: _in_709(curve[pixels])
    return _in_709 if transfer == "hlg" else None


def _in_709(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(pixels).convert("RGB", _TO_709), np.uint8)


def _pq_curve() -> NDArray[np.uint8]:
    """uint8 (256,): coded PQ value (SMPTE ST 2084) to coded SDR value."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = (np.arange(256) / 255) ** (1 / m2)
    light = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1) / _REFERENCE_WHITE
    # Reinhard et al., "Photographic tone reproduction for digital images", 2002, equation 4.
    mapped = light * (1 + light / (_BRIGHTEST / _REFERENCE_WHITE) ** 2) / (1 + light)
    curve: NDArray[np.uint8] = (255 * np.clip(mapped, 0, 1) ** (1 / 2.2)).round().astype(np.uint8)
    return curve
