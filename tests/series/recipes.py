"""Tracks made by hand."""

import numpy as np

from aucli.series.clock import frame_ends
from aucli.series.course import Signal, TrackCourses


def track(times, *, video="a.mp4", subject=None, number=0, **values):
    """A track whose signals are `AU12=[...]` or `AU12_int=[...]`."""
    times = np.asarray(times, np.float64)
    names = [name.partition("_") for name in values]
    return TrackCourses(
        video,
        subject,
        number,
        np.arange(len(times)),
        times,
        frame_ends(times),
        np.ones(len(times), bool),
        tuple(Signal(au, "intensity" if kind else "probability") for au, _, kind in names),
        np.array(list(values.values()), np.float32),
    )


def variable_times(seed, count):
    """Strictly increasing, no two steps alike, none long enough to be a hole."""
    return np.cumsum(np.random.default_rng(seed).uniform(0.02, 0.2, count))
