"""Finds hard cuts, so that no track continues into another scene."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

GRID = 64  # samples along the longer side of the picture
BLOCKS = 12  # along each side of the grey picture
LEVELS = 4  # per colour in the histogram
SMALLEST_CHANGE = 0.2  # of the colour histogram: share of the picture that changed its colour
LARGEST_CORRELATION = 0.5  # of the grey pictures
SMALLEST_CONTRAST = 6.0  # grey levels; below, a picture is blank and says nothing about the scene


class CutFinder:
    """Says of each frame whether it begins a new scene.

    A cut is a frame of which both hold against the frame before: at least a fifth of the picture has
    other colours (total variation of the 4 x 4 x 4 colour histogram), and the grey pictures are not
    alike (correlation below 0.5 of 12 x 12 blocks, so large that a moving camera changes them slowly).
    A pan keeps the colours, a flash or a change of exposure keeps the correlation. Blank pictures (a
    flash to white, a black frame) are left out: the picture after them is compared with the one before.
    Fades and dissolves are not found, nor most cuts between two views with the same colours. About
    2,500 pixels are looked at, taken at regular steps: 0.1 ms.
    """

    def __init__(self) -> None:
        self._histogram: NDArray[np.float64] | None = None
        self._grey: NDArray[np.float64] | None = None

    @property
    def state(self) -> bytes:
        """All that it knows of the frames so far: equal bytes, equal answers from here on."""
        known = [part.tobytes() for part in (self._histogram, self._grey) if part is not None]
        return b"".join(known)

    def update(self, pixels: Tensor) -> bool:
        """Whether this frame begins a new scene; false for the first.

        pixels: uint8 (height, width, 3), RGB, of any size, which may change; or what `sampled` gave of it.
        """
        sample = sampled(pixels).cpu().numpy()
        brightness = sample.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        grey = adaptive_avg_pool2d(torch.from_numpy(brightness[None]), BLOCKS)[0].double().numpy()
        grey -= grey.mean()
        if grey.std() < SMALLEST_CONTRAST:
            return False
        grey /= np.linalg.norm(grey)
        bins = (sample // (256 // LEVELS)) @ np.array([LEVELS * LEVELS, LEVELS, 1])
        histogram = np.bincount(bins.ravel(), minlength=LEVELS**3) / bins.size
        before_histogram, before_grey = self._histogram, self._grey
        self._histogram, self._grey = histogram, grey
        if before_histogram is None or before_grey is None:
            return False
        change = np.abs(histogram - before_histogram).sum() / 2
        correlation = float((grey * before_grey).sum())
        return bool(change > SMALLEST_CHANGE and correlation < LARGEST_CORRELATION)


def sampled(pixels: Tensor) -> Tensor:
    """The pixels that `CutFinder` looks at: uint8 (rows, columns, 3), a view. A sample's sample is itself."""
    step = max(1, max(pixels.shape[:2]) // GRID)
    return pixels[step // 2 :: step, step // 2 :: step]
