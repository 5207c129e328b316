"""Damaged, cut, empty and wrong files: what can be read is read, the rest is said."""

import os

import av
import numpy as np
import pytest

from aucli.datatypes import Source
from aucli.errors import DecoderUnavailableError, MediaError
from aucli.media import probe
from aucli.media.decode import open_decoder
from aucli.media.truncation import missing_bytes
from tests.clips import RECIPES, numbered_frames, read_number, truncate, write_clip, zero_middle

FIRST = {"container_options": {"movflags": "faststart"}}  # the index before the pictures


def decode(path, decoder="auto"):
    with open_decoder(Source(path, path.name), decoder=decoder) as opened:
        return list(opened.frames()), opened.summary


def assert_beginning(frames, least):
    """The first frames of a numbered clip, at least so many, each with its time and its picture."""
    assert len(frames) >= least
    assert [frame.index for frame in frames] == list(range(len(frames)))
    # Of the last one, in which the cut may lie, Motion JPEG gives the upper part.
    assert [read_number(frame.pixels) for frame in frames[:-1]] == list(range(len(frames) - 1))
    assert [frame.pts_seconds for frame in frames] == [index / 25 for index in range(len(frames))]


@pytest.mark.parametrize("options", [{}, {"bframes": 3}])
def test_cut_mp4_with_its_index_first(tmp_path, options):
    path = truncate(write_clip(tmp_path / "clip.mp4", numbered_frames(40), **options, **FIRST), 0.7)
    frames, summary = decode(path)
    # The picture in which the cut lies may be lost, and with it those that lean on it.
    assert_beginning(frames, 10)
    assert len(frames) < 40
    assert f"it ends after {len(frames)} of 40 frames" in summary.problem
    assert summary.stopped_early
    with pytest.raises(DecoderUnavailableError, match="--decoder pyav"):
        decode(path, "decord")


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".avi", ".ts"])
def test_cut_files_without_an_index_in_front(tmp_path, suffix):
    options = {
        ".webm": {"codec": "libvpx-vp9"},
        ".avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    }.get(suffix, {"gop": 5})
    path = truncate(write_clip(tmp_path / f"clip{suffix}", numbered_frames(40), **options), 0.7)
    frames, summary = decode(path)
    assert_beginning(frames, 10)
    assert "the file is cut off" in summary.problem


def test_cut_mp4_with_its_index_last_says_so(tmp_path):
    path = truncate(write_clip(tmp_path / "clip.mp4", numbered_frames(40)), 0.5)
    for attempt in (decode, lambda given: probe(Source(given, given.name))):
        with pytest.raises(MediaError, match=r"clip\.mp4: is cut off: at least .* bytes are missing"):
            attempt(path)


def test_cut_before_the_end_of_the_window_only(tmp_path):
    path = truncate(write_clip(tmp_path / "clip.mp4", numbered_frames(40), **FIRST), 0.7)
    source = Source(path, path.name, end_seconds=0.2)
    with open_decoder(source) as opened:
        assert len(list(opened.frames())) == 5
        assert opened.summary.problem is None, "all that was asked for is there"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_hole_in_the_middle_is_read_past(tmp_path, suffix):
    # 2 s of noise: clusters and key frames often enough that the end can be found again.
    noise = np.random.default_rng(0).integers(0, 255, (50, 64, 96, 3), np.uint8)
    path = zero_middle(write_clip(tmp_path / f"clip{suffix}", noise, gop=5), 0.1)
    frames, summary = decode(path)
    assert 25 < len(frames) < 50
    assert frames[-1].pts_seconds == pytest.approx(49 / 25)
    assert summary.problem
    times = [frame.pts_seconds for frame in frames]
    assert times == sorted(set(times))
    for frame in frames[:20]:
        assert frame.pts_seconds == frame.index / 25
    again, _ = decode(path)
    assert all((one.pixels == other.pixels).all() for one, other in zip(frames, again, strict=True))


def test_whole_files_miss_nothing(tmp_path):
    for name, recipe in RECIPES.items():
        path = recipe.write_numbered(tmp_path / name, 12)
        assert missing_bytes(path) == 0, name
        if path.suffix in (".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts"):
            size = path.stat().st_size
            truncate(path, 0.6)
            lost = size - path.stat().st_size
            packet = {".ts": 188, ".m2ts": 192}.get(path.suffix)
            if packet is not None:
                assert missing_bytes(path) == -path.stat().st_size % packet
            elif path.suffix in (".mp4", ".mov"):
                assert 0 < missing_bytes(path) <= lost, name  # of the box in which it ends
            else:
                assert missing_bytes(path) == lost, name


def test_padding_behind_the_video_is_no_damage(tmp_path):
    for suffix in (".mp4", ".mkv", ".avi"):
        path = write_clip(tmp_path / f"clip{suffix}", numbered_frames(10))
        path.write_bytes(path.read_bytes() + bytes(1000))
        frames, summary = decode(path)
        assert_beginning(frames, 10)
        assert summary.problem is None


def audio_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_files_that_are_no_video_say_why(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("the quick brown fox\n" * 50)
    (tmp_path / "short.mp4").write_text("a")
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(1).bytes(5000))
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "lost.mp4").symlink_to("nowhere.mp4")
    audio_only(tmp_path / "sound.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    reasons = {
        "empty": "is empty (0 bytes)",
        "text": "is a text file, not a video",
        "short": "is a text file, not a video",
        "noise": "cannot be read as a video",
        "folder": "is a folder, not a video file",
        "lost": "no such file or directory",
        "missing": "no such file or directory",
        "sound": "has no video stream (audio only)",
        "pipe": "is not a regular file",
    }
    for name, reason in reasons.items():
        source = Source(tmp_path / f"{name}.mp4", f"{name}.mp4")
        for attempt in (open_decoder, probe):
            with pytest.raises(MediaError) as caught:
                attempt(source)
            assert reason in str(caught.value)
            assert f"{name}.mp4" in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(2))
    path.chmod(0)
    with pytest.raises(MediaError, match="permission denied"):
        probe(Source(path, path.name))


def test_text_with_the_suffix_of_a_raw_stream(tmp_path):
    # FFmpeg opens these by name alone; they must fail all the same.
    for name in ("text.h264", "text.mjpeg", "text.ts", "text.mpg", "text.gif"):
        path = tmp_path / name
        path.write_text("no pictures here\n" * 200)
        with pytest.raises(MediaError):
            decode(path)


def test_video_of_which_nothing_can_be_decoded(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(20), **FIRST)
    content = bytearray(path.read_bytes())
    begin = content.index(b"mdat") + 4
    content[begin:] = bytes(len(content) - begin)
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"no picture can be decoded"):
        decode(path)


@pytest.mark.parametrize(
    "name", ["bframes_mp4", "bframes_vfr_mkv", "vp9_webm", "mpeg_ts", "bframes_mpeg4_avi"]
)
def test_random_damage_gives_frames_or_a_reason(tmp_path, name):
    random = np.random.default_rng(7)
    whole = RECIPES[name].write_numbered(tmp_path / name, 40).read_bytes()
    for trial in range(12):
        content = np.frombuffer(whole, np.uint8).copy()
        start, length = int(random.integers(len(content))), int(random.integers(1, len(content) // 4))
        if trial % 3 == 0:
            content[random.integers(len(content), size=20)] ^= np.uint8(1 << random.integers(8))
        elif trial % 3 == 1:
            content[start : start + length] = random.integers(0, 256, len(content[start : start + length]))
        else:
            content = np.delete(content, slice(start, start + length))
        path = tmp_path / f"damaged{RECIPES[name].suffix}"
        path.write_bytes(content.tobytes())
        try:
            frames, summary = decode(path)
        except MediaError as error:
            assert str(path) in str(error)  # noqa: PT017 - either outcome is right
            continue
        assert [frame.index for frame in frames] == list(range(len(frames)))
        assert summary.frames_decoded == len(frames) > 0
        times = [frame.pts * frame.time_base for frame in frames]
        assert times == sorted(set(times))


def test_playlist_does_not_lead_elsewhere(tmp_path):
    clip = write_clip(tmp_path / "secret.ts", numbered_frames(5))
    playlist = tmp_path / "list.mp4"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{clip}\n#EXT-X-ENDLIST\n")
    with pytest.raises(MediaError):
        decode(playlist)
