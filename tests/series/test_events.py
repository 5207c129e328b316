"""Onset, apex and offset: courses made by hand, an oracle of scipy, and what must hold for any course."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from aucli.errors import ShapeError, UsageError
from aucli.series.events import EventSettings, find_events

BARE = EventSettings(min_duration_seconds=0, max_gap_seconds=0)


def course(text):
    """One value in tenths per character at 10 frames per second; a dot is unknown."""
    values = np.array([np.nan if sign == "." else int(sign) / 10 for sign in text], np.float32)
    return np.arange(len(text)) / 10, values


def spans(text, settings=BARE, threshold=0.5, **options):
    times, values = course(text)
    found = find_events(times, values, threshold, settings=settings, **options)
    return [
        (round(10 * e.onset_seconds), round(10 * e.apex_seconds), round(10 * e.offset_seconds)) for e in found
    ]


def test_onset_apex_offset_and_peak():
    times, values = course("0012587410")
    (event,) = find_events(times, values, 0.5, settings=BARE)
    assert (event.onset_seconds, event.apex_seconds) == (0.4, 0.5)
    assert event.offset_seconds == times[8]  # 0.4 is at 0.8 times the threshold: still on
    assert event.duration_seconds == pytest.approx(0.4)
    assert event.peak == np.float32(0.8)
    assert (event.onset_index, event.apex_index, event.last_index) == (4, 5, 7)
    assert not event.cut_start
    assert not event.cut_end


def test_one_event_while_the_value_hovers_about_the_threshold():
    assert spans("0545450") == [(1, 1, 6)]
    assert spans("0545450", EventSettings(leave=1, min_duration_seconds=0, max_gap_seconds=0)) == [
        (1, 1, 2),
        (3, 3, 4),
        (5, 5, 6),
    ]
    assert spans("0444440") == []  # it never entered


def test_enter_and_leave_are_shares_of_the_threshold():
    settings = EventSettings(enter=1.2, leave=0.4, min_duration_seconds=0, max_gap_seconds=0)
    assert spans("0553210", settings) == []
    assert spans("0563210", settings) == [(2, 2, 5)]


def test_short_events_are_dropped_after_pauses_are_bridged():
    settings = EventSettings(min_duration_seconds=0.3, max_gap_seconds=0.1)
    assert spans("0500550005550", settings) == [(9, 9, 12)]
    assert spans("050505", settings) == [(1, 1, 6)]
    assert spans("05005050", settings) == [(4, 4, 7)]


def test_a_third_of_a_tenth_three_times_is_a_tenth():
    times, values = np.arange(10) / 30, np.zeros(10, np.float32)
    values[3:6] = 1
    assert len(find_events(times, values, 0.5, settings=EventSettings(min_duration_seconds=0.1))) == 1


def test_unknown_values_are_bridged_up_to_the_gap_and_never_made_up():
    settings = EventSettings(min_duration_seconds=0, max_gap_seconds=0.2)
    assert spans("0588..5500", settings) == [(1, 2, 8)]
    assert spans("0588..00", settings) == [(1, 2, 4)]  # not lengthened into what nobody saw
    assert spans("0588...5500", settings) == [(1, 2, 4), (7, 7, 9)]
    assert spans("04..8", settings) == [(4, 4, 5)]
    assert spans("...", settings) == []


def test_events_at_the_ends_of_a_track_and_at_holes_are_marked():
    settings = EventSettings(min_duration_seconds=0, max_gap_seconds=0.1)
    times, values = course("550055..5500550")
    marks = [(e.cut_start, e.cut_end) for e in find_events(times, values, 0.5, settings=settings)]
    assert marks == [(True, False), (False, True), (True, False), (False, False)]


def test_missing_frames_are_seen_from_the_times():
    times, values = course("0055555500")
    kept = np.array([0, 1, 2, 3, 6, 7, 8, 9])
    settings = EventSettings(min_duration_seconds=0, max_gap_seconds=0.1)
    ends = times + 0.1  # the video has frames 4 and 5, the face was not seen in them
    found = find_events(times[kept], values[kept], 0.5, settings=settings, ends_seconds=ends[kept])
    assert [(e.onset_seconds, e.offset_seconds) for e in found] == [(0.2, ends[3]), (0.6, ends[7])]
    assert [(e.cut_start, e.cut_end) for e in found] == [(False, True), (True, False)]


def test_a_hole_in_the_video_is_no_long_frame():
    times = np.array([0, 0.04, 0.08, 0.12, 5.0, 5.04, 5.08])
    found = find_events(times, np.ones(7, np.float32), 0.5, settings=BARE)
    assert [(e.onset_seconds, e.offset_seconds) for e in found] == [
        (0, pytest.approx(0.16)),
        (5, pytest.approx(5.12)),
    ]


def test_one_frame_and_none():
    assert find_events(np.zeros(0), np.zeros(0, np.float32), 0.5) == []
    (event,) = find_events(np.array([3.0]), np.ones(1, np.float32), 0.5, settings=BARE)
    assert (event.onset_seconds, event.offset_seconds, event.cut_start, event.cut_end) == (3, 3, True, True)


def noise(seed, count=2000):
    return ndimage.gaussian_filter1d(np.random.default_rng(seed).random(count), 2).astype(np.float32)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("gap", "shortest"), [(0, 1), (3, 1), (0, 4), (2, 5)])
def test_like_labelled_regions_of_scipy(seed, gap, shortest):
    values = noise(seed)
    enter, leave = np.float32(0.55), np.float32(0.55 * 0.9)
    on = np.zeros(len(values), bool)
    regions, count = ndimage.label(values >= leave)
    for label in range(1, count + 1):
        places = np.flatnonzero(regions == label)
        entered = places[values[places] >= enter]
        on[entered[0] if len(entered) else places[-1] + 1 : places[-1] + 1] = True
    pauses, count = ndimage.label(~on)
    for label in range(1, count + 1):
        places = np.flatnonzero(pauses == label)
        if len(places) <= gap and places[0] > 0 and places[-1] < len(on) - 1:
            on[places] = True
    regions, count = ndimage.label(on)
    wanted = [np.flatnonzero(regions == label)[[0, -1]] for label in range(1, count + 1)]
    wanted = [(first, last) for first, last in wanted if last - first + 1 >= shortest]
    settings = EventSettings(
        leave=0.9, min_duration_seconds=shortest / 25 if shortest > 1 else 0, max_gap_seconds=gap / 25
    )
    found = find_events(np.arange(len(values)) / 25, values, 0.55, settings=settings)
    assert [(e.onset_index, e.last_index) for e in found] == wanted
    assert len(wanted) > 5
    kept = [regions[first] for first, _ in wanted]
    assert [(e.apex_index,) for e in found] == ndimage.maximum_position(values, regions, kept)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_course(seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.choice([0.02, 0.033, 0.1, 0.7], 1500, p=[0.4, 0.4, 0.19, 0.01]))
    values = noise(seed, 1500)
    values[rng.random(1500) < 0.1] = np.nan
    settings = EventSettings(leave=0.9)
    found = find_events(times, values, 0.52, settings=settings)
    assert len(found) > 5
    for event in found:
        inside = values[event.onset_index : event.last_index + 1]
        assert event.onset_seconds == times[event.onset_index] <= event.apex_seconds < event.offset_seconds
        assert event.apex_seconds == times[event.apex_index]
        assert event.peak == np.nanmax(inside) == values[event.apex_index]
        assert inside[0] >= np.float32(0.52)
        assert event.duration_seconds >= settings.min_duration_seconds - 1e-6
    for event, later in pairwise(found):
        assert later.onset_seconds - event.offset_seconds > settings.max_gap_seconds


@pytest.mark.parametrize("seed", range(4))
def test_each_frame_shown_twice_at_double_rate_changes_nothing(seed):
    values = noise(seed)
    values[100:120] = np.nan
    times = np.arange(len(values)) / 25
    found = find_events(times, values, 0.52)
    doubled = find_events(np.arange(2 * len(values)) / 50, np.repeat(values, 2), 0.52)
    assert len(found) > 5
    for one, other in zip(found, doubled, strict=True):
        assert one.onset_seconds == other.onset_seconds
        assert one.apex_seconds == other.apex_seconds
        assert one.offset_seconds == pytest.approx(other.offset_seconds, abs=1e-9)
        assert (one.peak, one.cut_start, one.cut_end) == (other.peak, other.cut_start, other.cut_end)


def test_thresholds_are_compared_as_extract_does():
    threshold = float(np.float32(0.3859484791755676))
    values = np.full(5, threshold, np.float32)
    assert len(find_events(np.arange(5) / 10, values, threshold)) == 1


@pytest.mark.parametrize(
    ("times", "values", "error"),
    [
        (np.array([0.0, 0.1, 0.1]), np.zeros(3), ShapeError),
        (np.array([0.0, 0.2, 0.1]), np.zeros(3), ShapeError),
        (np.array([0.0, np.nan, 0.1]), np.zeros(3), ShapeError),
        (np.arange(4.0), np.zeros(3), ShapeError),
    ],
)
def test_arrays_that_do_not_fit(times, values, error):
    with pytest.raises(error):
        find_events(times, values, 0.5)


@pytest.mark.parametrize("threshold", [0, -1, np.nan, np.inf])
def test_a_threshold_is_above_0(threshold):
    with pytest.raises(UsageError, match="above 0"):
        find_events(np.arange(3.0), np.zeros(3), threshold)


@pytest.mark.parametrize(
    "wrong", [{"leave": 1.2}, {"leave": 0}, {"max_gap_seconds": -1}, {"min_duration_seconds": np.nan}]
)
def test_settings_out_of_range(wrong):
    with pytest.raises(UsageError):
        EventSettings(**wrong)
