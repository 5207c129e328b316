"""What is refused and said where models read clips."""

from dataclasses import replace

import pytest

import aucli
from aucli.errors import UsageError
from aucli.inference.clip_mode import check_clip_mode, clip_notes
from aucli.zoo.catalogue import find
from aucli.zoo.published import generic
from tests.inference.analysed import EXAMPLES


@pytest.fixture(scope="module")
def card():
    return generic("mdhr", "resnet50", "bp4d", 1)


def test_official_clips_of_single_pictures_are_refused(card):
    check_clip_mode("official", card)
    check_clip_mode("track", find("builtin").card)
    with pytest.raises(UsageError, match="reads single pictures and has no clips: leave --clips out"):
        aucli.extract(EXAMPLES / "smile.mp4", clips="official")
    with pytest.raises(UsageError, match="choose one of track, official"):
        aucli.extract(EXAMPLES / "smile.mp4", clips="windows")


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (25.0, None),
        (24.0, None),
        (30.0, "with 30 here motion looks slower to it than it is: --fps 25 takes its own rate"),
        (12.5, "with 12.5 here motion looks faster"),
        (None, "the rate here is not known"),
    ],
)
def test_other_frame_rates_are_said(card, rate, said):
    notes = clip_notes(card, rate)
    assert (said is None) == (notes == ())
    assert said is None or said in notes[0]
    assert clip_notes(find("builtin").card, rate) == ()
    assert clip_notes(replace(card, frame_rate=None), rate) == ()
