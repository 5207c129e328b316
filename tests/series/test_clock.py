"""How long frames are shown."""

import numpy as np
import pytest

from aucli.errors import ShapeError
from aucli.series.clock import frame_ends


def test_each_frame_ends_where_the_next_begins():
    times = np.array([0, 1 / 3, 0.7, 0.75])
    assert frame_ends(times).tolist() == [1 / 3, 0.7, 0.75, 0.75 + 1 / 3]  # the last: the median step


def test_every_tenth_frame_is_no_hole():
    times = np.arange(10) / 3
    assert frame_ends(times)[:-1].tolist() == times[1:].tolist()


def test_a_hole_is_cut_to_the_usual_step():
    times = np.array([0, 0.04, 0.08, 2.0, 2.04])
    assert frame_ends(times) == pytest.approx([0.04, 0.08, 0.12, 2.04, 2.08])


def test_one_frame_has_no_length():
    assert frame_ends(np.array([2.0])).tolist() == [2.0]
    assert len(frame_ends(np.zeros(0))) == 0


@pytest.mark.parametrize("times", [[0, 0], [0, -1], [0, np.nan]])
def test_times_increase(times):
    with pytest.raises(ShapeError, match="increase"):
        frame_ends(np.array(times, float))
