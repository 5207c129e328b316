"""Selection of frames against its definition, spelled out the slow way."""

import math
import random
from fractions import Fraction

import pytest

from aucli.datatypes import Selection
from aucli.media.decode.choose import FrameChooser
from aucli.media.decode.clock import PresentationClock
from tests.clips import VFR_PTS

CFR = [Fraction(index, 25) for index in range(60)]
NTSC = [Fraction(index * 1001, 30000) for index in range(60)]
VFR = [Fraction(pts, 1000) for pts in VFR_PTS]
LATE = [time + Fraction(67, 1000) for time in VFR]


def chosen(times, **selection):
    chooser = FrameChooser(Selection(**selection))
    taken = []
    for time in times:
        decision = chooser.decide(time)
        if decision == "stop":
            break
        if decision == "take":
            taken.append(time)
    return taken


@pytest.mark.parametrize("times", [CFR, NTSC, VFR, LATE])
@pytest.mark.parametrize("fps", [0.7, 1, 5, 7.5, 10, 12.5, 24, 25, 29.97, 100])
@pytest.mark.parametrize("start", [None, 0.2, 0.5])
def test_fps_takes_the_first_frame_at_or_after_each_tick(times, fps, start):
    rate = Fraction(str(fps))
    inside = [time for time in times if start is None or time >= Fraction(str(start))]
    origin = inside[0] if start is None else Fraction(str(start))
    wanted = []
    for tick in range(math.ceil((inside[-1] - origin) * rate) + 1):
        later = [time for time in inside if time >= origin + tick / rate]
        if later and later[0] not in wanted:
            wanted.append(later[0])
    assert chosen(times, fps=fps, start_seconds=start) == wanted


def test_fps_above_the_videos_own_rate_takes_all():
    assert chosen(CFR, fps=25) == CFR
    assert chosen(VFR, fps=1000) == VFR


def test_every_counts_from_the_first_frame_in_the_window():
    assert chosen(CFR, every=3) == CFR[::3]
    assert chosen(VFR, every=4, start_seconds=0.3) == [time for time in VFR if time >= Fraction(3, 10)][::4]


def test_window_is_closed_at_its_start_and_open_at_its_end():
    # As binary numbers 0.2 is above 5/25 and 0.6 below 15/25: frame 5 would be lost and frame 15 kept.
    assert chosen(CFR, start_seconds=0.2, end_seconds=0.6) == CFR[5:15]
    for first, last in random.Random(0).sample([(a, b) for a in range(50) for b in range(a + 1, 60)], 50):
        assert chosen(CFR, start_seconds=first / 25, end_seconds=last / 25) == CFR[first:last]


def test_empty_window_is_noted():
    chooser = FrameChooser(Selection(start_seconds=5, end_seconds=6))
    assert [chooser.decide(time) for time in (Fraction(1), Fraction(7))] == ["leave", "stop"]
    assert chooser.note == "no frame lies in the window; the last one before its end is at 1.000 s"


def test_clock_believes_increasing_time_stamps_and_repairs_the_others():
    clock = PresentationClock(Fraction(1, 1000), Fraction(25), in_packet_order=False)
    given = [(0, 0), (40, 40), (None, 80), (None, None), (90, 170), (200, 200), (200, None)]
    assert [clock.stamp(pts, dts) for pts, dts in given] == [0, 40, 80, 120, 170, 200, 240]
    assert clock.repaired == 4


def test_clock_without_any_time_stamp_counts_intervals():
    clock = PresentationClock(Fraction(1, 90000), None, in_packet_order=False)
    assert [clock.stamp(None, None) for _ in range(3)] == [0, 3600, 7200]


def test_clock_in_packet_order():
    clock = PresentationClock(Fraction(1, 25), Fraction(25), in_packet_order=True)
    for dts in (0, 1, 3, 4):  # chunk 2 was dropped by the camera
        clock.packet_sent(dts)
    assert [clock.stamp(pts, None) for pts in (1, 3, 2, 5, None)] == [0, 1, 3, 4, 5]
