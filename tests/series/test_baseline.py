"""Neutrals against numpy, thresholds above them, and what may be typed."""

import numpy as np
import pytest

from aucli.errors import UsageError
from aucli.series.baseline import change, mean_of, median_of, read_baseline, threshold_above
from aucli.series.course import Signal
from tests.series.recipes import track, variable_times


@pytest.mark.parametrize("count", [1, 2, 7, 100, 101])
def test_at_an_even_rate_the_median_is_numpy_s(count):
    values = np.random.default_rng(count).random((2, count)).astype(np.float32)
    values[1, ::3] = np.nan
    one = track(np.arange(count) / 25, AU1=values[0], AU12=values[1])
    wanted = np.nanmedian(values[0]), np.nanmedian(values[1]) if count > 1 else np.nan
    assert median_of([one]) == pytest.approx(wanted, nan_ok=True)


def test_the_median_is_by_time():
    # 0.1 for one second in one long frame, 0.9 for 0.4 seconds in ten short ones.
    times = np.array([*np.arange(10) * 0.04, 0.4, 0.8, 1.2])
    one = track(times, AU1=[0.9] * 10 + [0.1] * 3)
    assert median_of([one])[0] == np.float32(0.1)
    assert np.median(one.values) == np.float32(0.9)


def test_the_tracks_of_a_person_are_taken_together():
    values = np.random.default_rng(0).random(90).astype(np.float32)
    parts = [track(np.arange(30) / 25, subject="P1", AU1=part) for part in np.split(values, 3)]
    assert median_of(parts)[0] == pytest.approx(np.median(values))
    assert mean_of(parts, 0, 100)[0] == pytest.approx(values.mean())


def test_the_mean_of_a_stretch_is_by_time_and_without_its_end():
    times = variable_times(1, 60)
    values = np.random.default_rng(2).random(60).astype(np.float32)
    values[5] = np.nan
    start, end = times[3], times[20]
    inside = np.r_[3:5, 6:20]
    wanted = np.average(values[inside], weights=np.diff(times)[inside])
    assert mean_of([track(times, AU1=values)], start, end)[0] == pytest.approx(wanted, rel=1e-6)
    assert np.isnan(mean_of([track(times, AU1=values)], 1000, 2000)).all()


def test_a_change_is_a_difference_and_keeps_what_is_unknown():
    one = track([0, 0.1, 0.2], subject="P1", AU1=[0.5, np.nan, 0.2], AU12_int=[3, 1, 0])
    changed, neutral = change(one, {"P1": np.array([0.3, 1.0])})
    assert changed == pytest.approx(np.array([[0.2, np.nan, -0.1], [2, 0, -1]]), abs=1e-6, nan_ok=True)
    assert neutral.tolist() == [0.3, 1.0]
    unknown, neutral = change(one, {"P2": np.array([0.3, 1.0])})
    assert np.isnan(unknown).all()
    assert np.isnan(neutral).all()


def test_a_person_is_a_subject_or_else_a_track():
    assert track([0, 1], subject="P1", AU1=[0, 0]).person == "P1"
    assert track([0, 1], video="b.mp4", number=3, AU1=[0, 0]).person == ("b.mp4", 3)


@pytest.mark.parametrize("neutral", [0, 0.3, 0.9])
@pytest.mark.parametrize("threshold", [0.06, 0.76])
def test_a_threshold_above_the_neutral_can_always_be_reached(neutral, threshold):
    above = threshold_above(threshold, neutral, Signal("AU25"))
    assert 0 < above <= 1 - neutral  # the largest change there is
    assert above <= threshold
    assert threshold_above(threshold, 0, Signal("AU25")) == threshold
    assert threshold_above(2, 5 * neutral, Signal("AU25", "intensity")) == pytest.approx(2 * (1 - neutral))


def test_what_may_be_typed(tmp_path):
    assert read_baseline("median").kind == "median"
    stretch = read_baseline("1:30-1:45.5")
    assert (stretch.start_seconds, stretch.end_seconds) == (90, 105.5)
    (tmp_path / "0-5.parquet").touch()
    assert read_baseline(str(tmp_path / "0-5.parquet")).file == tmp_path / "0-5.parquet"


@pytest.mark.parametrize("text", ["mean", "5-5", "5-2", "1:75-3:00", "-3", "none.parquet", "", "1-2-3"])
def test_what_may_not(text):
    with pytest.raises(UsageError, match="--baseline"):
        read_baseline(text)
