"""An extraction made up for the report."""

import numpy as np
import pytest

from tests.sinks.made_extraction import write_extraction

TIMES = np.arange(50) / 25


def bump(first, last, high=0.9, low=0.1):
    values = np.full(50, low)
    values[first:last] = high
    return values


@pytest.fixture
def videos():
    return {
        "a.mp4": {
            "times": TIMES,
            "subject": "P1",
            "tracks": {0: {"AU12": bump(10, 30), "AU4": bump(10, 35)}},
        },
        "b.mp4": {"times": TIMES, "subject": None, "tracks": {}, "status": "no_face"},
    }


@pytest.fixture
def made(tmp_path, videos):
    return write_extraction(tmp_path / "out.parquet", videos)
