"""Names of exported files: readable, each once, never outside the folder."""

from pathlib import PurePath

import pytest

from aucli.sinks.export.names import file_names


def named(*names):
    return file_names([(name, "") for name in names], ".csv")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["talk.mp4"], ["talk.csv"]),
        (["a/talk.mp4", "b/talk.mp4"], ["a/talk.csv", "b/talk.csv"]),
        (["talk.mp4", "talk.mov", "other.mp4"], ["talk.mp4.csv", "talk.mov.csv", "other.csv"]),
        (["Talk.mp4", "talk.MP4"], ["Talk.mp4.csv", "talk.MP4-2.csv"]),
        (["same.mp4", "same.mp4"], ["same.mp4.csv", "same.mp4-2.csv"]),
        (["u\u0308ber.mp4", "\u00fcber.mov"], ["u\u0308ber.mp4.csv", "\u00fcber.mov.csv"]),
        (["talk.mp4#0-10s", "talk.mp4#10-20s"], ["talk.mp4#0-10s.csv", "talk.mp4#10-20s.csv"]),
        (["Dr. Miller, part 2"], ["Dr. Miller, part 2.csv"]),
        (["../../etc/passwd", "/etc/passwd.mp4"], ["etc/passwd.csv", "etc/passwd.mp4.csv"]),
        (["..", "/"], ["video.csv", "video-2.csv"]),
        ([".hidden", "no suffix", "日本語 😀.mp4"], [".hidden.csv", "no suffix.csv", "日本語 😀.csv"]),
        (["=1+1.mp4", "-o.mp4"], ["=1+1.csv", "-o.csv"]),
    ],
)
def test_names(names, expected):
    assert named(*names) == expected


def test_a_video_that_is_called_like_the_file_of_a_track():
    names = [("talk.mp4", ".track1"), ("talk.mp4", ".track2"), ("talk.track1.mp4", "")]
    assert file_names(names, ".csv") == ["talk.mp4.track1.csv", "talk.track2.csv", "talk.track1.mp4.csv"]


def test_a_number_does_not_take_another_s_name():
    chosen = named("a.mp4", "a.mp4", "a.mp4-2", "A.MP4")
    assert len({name.casefold() for name in chosen}) == 4


def test_nothing_leads_out_of_the_folder():
    for name in named("../a.mp4", "b/../../c.mp4", "/d.mp4", "//e.mp4", "x/./y.mp4"):
        assert not PurePath(name).is_absolute()
        assert ".." not in PurePath(name).parts
