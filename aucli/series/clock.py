"""How long each frame counts, so that no figure depends on the frame rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aucli.errors import ShapeError

# A longer step than both is not a slow frame but pictures that are missing from the video.
_LONGEST_SECONDS, _LONGEST_STEPS = 0.5, 4.0


def frame_ends(times_seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """When each frame gives way to the next one: at the time stamp of that.

    times_seconds: float64 (frames,), strictly increasing. The last frame, and one before a hole (a step
    longer than 0.5 s and than four usual steps), is shown for the usual step, which is the median. A single
    frame ends when it begins: nobody knows how long it was shown.

    Returns:
        float64 (frames,), seconds.

    Raises:
        ShapeError: times that do not increase.
    """
    if len(times_seconds) < 2:
        return times_seconds.copy()
    steps = np.diff(times_seconds)
    if not (steps > 0).all():  # also refuses NaN
        raise ShapeError("the times of frames must increase from one to the next")
    usual = float(np.median(steps))
    in_hole = steps > max(_LONGEST_SECONDS, _LONGEST_STEPS * usual)
    ends = np.append(times_seconds[1:], times_seconds[-1] + usual)
    ends[:-1][in_hole] = times_seconds[:-1][in_hole] + usual
    return ends
