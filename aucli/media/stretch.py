"""A part of a file as a decoder has to give it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Stretch:
    """Consecutive pictures of a file, from a key frame on, as they must come out of a decoder.

    first_index: number of the first one in the file. pts: int64 (pictures,), in units of the stream's time
    base. chosen: bool (pictures,), which are to be processed. to_the_end: the file ends with the last one.
    """

    first_index: int
    pts: NDArray[np.int64]
    chosen: NDArray[np.bool_]
    to_the_end: bool
