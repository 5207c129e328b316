"""How a stored picture is to be shown: turned, mirrored, and with square pixels."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray


@dataclass(frozen=True)
class Orientation:
    """Swap rows and columns first, then reverse columns (`flip_x`) and rows (`flip_y`)."""

    transposed: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def from_display_matrix(cls, matrix: bytes) -> Orientation:
        """From the nine native 32-bit integers of AV_FRAME_DATA_DISPLAYMATRIX (a b u; c d v; x y w).

        A stored point (p, q) is shown at (a p + c q, b p + d q), up to a shift. Angles between the
        quarter turns are rounded to the nearest.
        """
        a, b, _, c, d, *_ = struct.unpack("=9i", matrix)
        if abs(a) + abs(d) >= abs(b) + abs(c):
            return cls(False, a < 0, d < 0)
        return cls(True, c < 0, b < 0)

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """From the display matrix that a decoded frame carries, upright without one."""
        # typed by PyAV as a dictionary of motion vectors only
        side_data: Any = frame.side_data
        matrix = side_data.get("DISPLAYMATRIX")
        return cls() if matrix is None else cls.from_display_matrix(bytes(matrix))

    @classmethod
    def turned(cls, rotation_degrees: int, *, mirrored: bool) -> Orientation:
        """The one with these two properties."""
        flip_x = (rotation_degrees in (180, 270)) ^ mirrored
        transposed = rotation_degrees in (90, 270)
        return cls(transposed, flip_x, transposed ^ flip_x ^ mirrored)

    @property
    def mirrored(self) -> bool:
        return self.transposed ^ self.flip_x ^ self.flip_y

    @property
    def rotation_degrees(self) -> int:
        """Counter-clockwise, 0, 90, 180 or 270; a mirrored picture is turned first, then mirrored."""
        flip_x = self.flip_x ^ self.mirrored
        if self.transposed:
            return 270 if flip_x else 90
        return 180 if flip_x else 0

    def apply(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The upright picture (height, width, 3): a view where it can be."""
        if self.transposed:
            picture = picture.swapaxes(0, 1)
        return picture[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]


def display_width(width: int, sample_aspect_ratio: Fraction | None) -> int:
    """Width in pixels at which the stored picture has square pixels; the height stays."""
    # A ratio of zero means unknown; far from one it is a damaged header that would ask for a huge picture.
    if sample_aspect_ratio is None or not Fraction(1, 4) <= sample_aspect_ratio <= 4:
        return width
    return round(width * sample_aspect_ratio)
