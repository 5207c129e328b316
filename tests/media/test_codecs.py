"""Encoders are taken where they really work, and refused with the reason where they do not."""

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from aucli.errors import UsageError
from aucli.media import codecs
from aucli.media.codecs import CODECS, HARDWARE_H264, Encoding, choose_encoder, refusal
from aucli.media.encode import VideoWriter
from tests.clips import numbered_frames, packets

HERE = [name for name, kind in CODECS.items() if kind.is_hardware and not refusal(name, 640, 360)]
NOT_HERE = [name for name, kind in CODECS.items() if kind.is_hardware and name not in HERE]


@pytest.fixture
def no_hardware(monkeypatch):
    """`auto` on a machine without any, whatever this one has."""
    monkeypatch.setattr(codecs, "HARDWARE_H264", tuple(name for name in HARDWARE_H264 if name in NOT_HERE))


def written(path, encoding, pts=(0, 3, 4, 11, 12)):
    with VideoWriter(
        path,
        "mp4",
        width=192,
        height=128,
        time_base=Fraction(1, 90_000),
        frame_rate=Fraction(25),
        encoding=encoding,
    ) as writer:
        for frame, time in zip(numbered_frames(len(pts)), pts, strict=True):
            writer.write(frame, time * 3000)
    return packets(path), writer.note


def options_of(packet):
    """What x264 writes about itself before the first picture: a unit with its length in front."""
    return packet[4 : 4 + int.from_bytes(packet[:4], "big")]


@pytest.mark.skipif(not NOT_HERE, reason="this machine has an encoder of every maker")
def test_a_named_encoder_that_does_not_work_is_refused_with_the_reason():
    for name in NOT_HERE:
        with pytest.raises(
            UsageError, match=rf"--codec {name} does not work here .*\(.{{5,}}\): leave --codec"
        ):
            choose_encoder(Encoding(name))


@pytest.mark.skipif("h264_nvenc" in HERE, reason="NVENC works here")
def test_nvenc_without_a_gpu_writes_nothing(tmp_path):
    with pytest.raises(UsageError, match="--codec h264_nvenc does not work here for 192 x 128 pixels"):
        written(tmp_path / "x.mp4", Encoding("h264_nvenc"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_hardware")
def test_auto_without_hardware_is_libx264_with_its_options_and_says_why(tmp_path):
    """Not to the byte: one run of x264 in twenty spends two bytes more on the first picture, named or not."""
    auto, note = written(tmp_path / "auto.mp4", Encoding())
    named, silence = written(tmp_path / "named.mp4", Encoding("libx264"))
    assert [time for time, _ in auto] == [time for time, _ in named]
    first, second = (options_of(found[0][1]) for found in (auto, named))
    assert first == second
    assert b"x264 - core" in first
    assert b"crf=20.0" in first
    assert silence == ""
    assert note.startswith("encoded by libx264: no hardware encoder for H.264 works here (")
    there = [name for name in NOT_HERE if name in HARDWARE_H264 and name in av.codecs_available]
    assert all(f"{name}: " in note for name in there)


def test_auto_takes_the_first_that_works_and_stays_with_it(tmp_path, monkeypatch):
    # libx265 stands for hardware that works: it is tried in the same way.
    monkeypatch.setitem(CODECS, "libx265", replace(CODECS["libx265"], is_hardware=True))
    absent = tuple(name for name in HARDWARE_H264 if name in NOT_HERE)
    monkeypatch.setattr(codecs, "HARDWARE_H264", (*absent, "libx265"))
    refusal.cache_clear()
    times, note = written(tmp_path / "out.mp4", Encoding())
    refusal.cache_clear()
    assert note == "encoded by libx265, the hardware of this machine"
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "hevc"
    assert sorted(time for time, _ in times) == [Fraction(each, 30) for each in (0, 3, 4, 11, 12)]


def test_hardware_that_cannot_take_the_size_is_refused_for_that_size(monkeypatch):
    # libx264 stands for it: it takes no odd width.
    monkeypatch.setitem(CODECS, "libx264", replace(CODECS["libx264"], is_hardware=True))
    refusal.cache_clear()
    assert refusal("libx264", 640, 360) == ""
    assert "not divisible by 2" in refusal("libx264", 641, 360)
    refusal.cache_clear()


@pytest.mark.skipif(not HERE, reason="no hardware encoder works here")
def test_hardware_keeps_times_and_obeys_the_quality(tmp_path):
    for name in HERE:
        sizes = []
        for crf in (10, 40):
            found, _ = written(tmp_path / f"{name}{crf}.mp4", Encoding(name, crf))
            assert sorted(time for time, _ in found) == [Fraction(each, 30) for each in (0, 3, 4, 11, 12)]
            sizes.append(sum(len(data) for _, data in found))
        assert sizes[0] > sizes[1]


@pytest.mark.parametrize("name", CODECS)
def test_better_quality_is_a_better_number_of_the_encoder(name):
    kind = CODECS[name]
    levels = np.array([[int(kind.options(crf)[key]) for key in kind.quality] for crf in (0, 10, 30, 51)])
    up = -1 if "videotoolbox" in name else 1  # it counts from 1, the worst, to 100
    assert (np.diff(levels, axis=0) * up > 0).all()
    assert kind.options(None) == kind.options(kind.default_crf)
    if kind.is_hardware:
        assert levels.min() > 0  # 0 would be "choose yourself"


def test_logging_is_left_as_it_was():
    before = av.logging.get_level()
    refusal.cache_clear()
    choose_encoder(Encoding())
    assert av.logging.get_level() == before
