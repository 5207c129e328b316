"""What is written is what was given: pictures, times to the tick, and the bytes of the sound."""

import os
import subprocess
import sys
import textwrap
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from aucli.datatypes import Source
from aucli.errors import MediaError, UsageError
from aucli.media.codecs import Encoding
from aucli.media.decode import open_decoder
from aucli.media.encode import SoundTracks, VideoWriter, comment_of, fits
from tests.clips import RECIPES, numbered_frames, packets, read_number, write_clip

COUNT = 30
SIZE = {"width": 192, "height": 128}


def copied(source, target, container="mp4", **options):
    """Decode a clip, and write it again with its sound."""
    with open_decoder(Source(source, source.name)) as decoder:
        frames = list(decoder.frames())
    sound = SoundTracks(source)
    height, width = frames[0].height // 2 * 2, frames[0].width // 2 * 2
    with VideoWriter(
        target,
        container,
        width=width,
        height=height,
        time_base=frames[0].time_base,
        frame_rate=Fraction(25),
        encoding=options.pop("encoding", Encoding()),
        sound=sound,
        **options,
    ) as writer:
        for frame in frames:
            writer.write(np.ascontiguousarray(frame.pixels.numpy()[:height, :width]), frame.pts)
    sound.close()
    return [frame.pts * frame.time_base for frame in frames], sound


@pytest.mark.parametrize("name", [name for name in RECIPES if "av1" not in name])
def test_every_frame_is_there_at_its_own_time(tmp_path, name):
    recipe = RECIPES[name]
    clip = recipe.write_numbered(tmp_path / name, COUNT)
    times, _ = copied(clip, tmp_path / "out.mp4")
    assert sorted(time for time, _ in packets(tmp_path / "out.mp4")) == times
    with open_decoder(Source(tmp_path / "out.mp4", "out")) as decoder:
        numbers = [read_number(frame.pixels, colour=recipe.colour) for frame in decoder.frames()]
    assert numbers == list(range(COUNT))


def test_matroska_keeps_times_to_its_own_tick_of_a_millisecond(tmp_path):
    clip = RECIPES["cfr_2997_mov"].write_numbered(tmp_path / "clip", COUNT)
    times, _ = copied(clip, tmp_path / "out.mkv", "matroska")
    written = sorted(time for time, _ in packets(tmp_path / "out.mkv"))
    assert len(written) == COUNT
    assert max(abs(a - b) for a, b in zip(written, times, strict=True)) <= Fraction(1, 1000)


@pytest.mark.parametrize(
    ("name", "container"), [("audio_mp4", "mp4"), ("vp9_webm", "mp4"), ("audio_mp4", "mov")]
)
def test_sound_packets_are_the_same_bytes_at_the_same_times(tmp_path, name, container):
    clip = RECIPES[name].write_numbered(tmp_path / name, COUNT)
    copied(clip, tmp_path / "out", container)
    before, after = packets(clip, "audio"), packets(tmp_path / "out", "audio")
    assert [data for _, data in after] == [data for _, data in before]
    # WebM's times are whole milliseconds, which a clock of 1/48000 s can tell exactly.
    assert [time for time, _ in after] == [time for time, _ in before]


def test_sound_of_a_transport_stream_loses_only_the_header_of_each_packet(tmp_path):
    clip = RECIPES["mpeg_ts"].write_numbered(tmp_path / "clip", COUNT)
    copied(clip, tmp_path / "out.mp4")
    before, after = packets(clip, "audio"), packets(tmp_path / "out.mp4", "audio")
    assert [data for _, data in after] == [data[7:] for _, data in before]


def test_sound_lies_beside_its_pictures(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", numbered_frames(150), audio=True)
    copied(clip, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        order = [
            (packet.stream.type, float(packet.dts * packet.time_base))
            for packet in container.demux()
            if packet.size
        ]
    latest = {"video": 0.0, "audio": 0.0}
    for kind, seconds in order:
        latest[kind] = seconds
        assert abs(latest["video"] - latest["audio"]) < 1.5


def write_sound(path, codec):
    """A tenth of a second of silence, without pictures."""
    with av.open(str(path), "w") as made:
        stream = made.add_stream(codec, rate=44_100, layout="mono", bit_rate=64_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 44_100, 0
        made.mux([*stream.encode(frame), *stream.encode(None)])
    return path


@pytest.mark.parametrize(
    ("name", "codec", "containers"),
    [
        ("a.m4a", "aac", ["mp4", "mov", "matroska"]),
        ("a.wma", "wmav2", []),
        ("a.wav", "pcm_mulaw", ["mov"]),
    ],
)
def test_which_sound_fits_where(tmp_path, name, codec, containers):
    sound = SoundTracks(write_sound(tmp_path / name, codec))
    assert sound.codecs == [codec]
    assert [name for name in ("mp4", "mov", "matroska") if fits(name, sound)] == containers


def test_a_clip_without_sound_has_none(tmp_path):
    clip = RECIPES["cfr_mp4"].write_numbered(tmp_path / "clip", 3)
    _, sound = copied(clip, tmp_path / "out.mp4")
    assert sound.codecs == []
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_colours_are_those_given(tmp_path):
    clip = RECIPES["cfr_mp4"].write_numbered(tmp_path / "clip", 3)
    with open_decoder(Source(clip, "clip")) as decoder:
        given = [frame.pixels.numpy().astype(int) for frame in decoder.frames()]
    copied(clip, tmp_path / "out.mp4", encoding=Encoding(crf=5))
    with open_decoder(Source(tmp_path / "out.mp4", "out")) as decoder:
        written = [frame.pixels.numpy().astype(int) for frame in decoder.frames()]
    assert np.abs(given[1] - written[1]).mean() < 3
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.colorspace == 1  # ITU-R BT.709


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
def test_codecs(tmp_path, codec):
    clip = RECIPES["vfr_mp4"].write_numbered(tmp_path / "clip", 12)
    times, _ = copied(clip, tmp_path / "out.mp4", encoding=Encoding(codec))
    assert sorted(time for time, _ in packets(tmp_path / "out.mp4")) == times
    with av.open(str(tmp_path / "out.mp4")) as container:
        name = container.streams.video[0].codec_context.codec.canonical_name
    assert name == {"libx264": "h264", "libx265": "hevc", "libsvtav1": "av1"}[codec]


@pytest.mark.skipif(sys.platform != "linux", reason="threads are looked up as Linux lists them")
def test_no_encoder_puts_this_process_before_all_others(tmp_path):
    """As root SVT-AV1 makes its threads, and the one that opens it, real-time ones."""

    def policies():
        return {os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()}

    before = policies()
    with VideoWriter(
        tmp_path / "out.mp4",
        "mp4",
        width=64,
        height=64,
        time_base=Fraction(1, 25),
        frame_rate=Fraction(25),
        encoding=Encoding("libsvtav1"),
    ) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8), 0)
        assert policies() == before
        writer.write(np.zeros((64, 64, 3), np.uint8), 1)
    assert policies() == before


def test_quality_is_a_number_of_the_codec(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", numbered_frames(20))
    sizes = []
    for crf in (10, 30, 50):
        copied(clip, tmp_path / f"{crf}.mp4", encoding=Encoding(crf=crf))
        sizes.append((tmp_path / f"{crf}.mp4").stat().st_size)
    assert all(better > worse for better, worse in pairwise(sizes))
    with pytest.raises(UsageError, match=r"--crf 52: must be 0 \(best\) to 51"):
        Encoding(crf=52)
    with pytest.raises(UsageError, match="choose one of auto, libx264"):
        Encoding("h263")


def test_the_comment_can_be_read_again(tmp_path):
    clip = RECIPES["cfr_mp4"].write_numbered(tmp_path / "clip", 3)
    for container in ("mp4", "matroska"):
        copied(clip, tmp_path / "out", container, comment="made by hand")
        assert comment_of(tmp_path / "out") == "made by hand"
    assert comment_of(clip) == ""
    (tmp_path / "text").write_text("words")
    assert comment_of(tmp_path / "text") == ""


def test_times_that_go_back_are_refused(tmp_path):
    def write():
        with VideoWriter(
            tmp_path / "out.mp4",
            "mp4",
            **SIZE,
            time_base=Fraction(1, 25),
            frame_rate=Fraction(25),
            encoding=Encoding(),
        ) as writer:
            for pts in [*range(30), *range(30)]:
                writer.write(np.zeros((128, 192, 3), np.uint8), pts)

    with pytest.raises(MediaError, match="cannot be encoded"):
        write()


FULL = """
    import resource, sys
    from fractions import Fraction
    from pathlib import Path
    import numpy as np
    from aucli.media.codecs import Encoding
    from aucli.media.encode import VideoWriter
    rng = np.random.default_rng(0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
    try:
        with VideoWriter(Path(sys.argv[1]), "mp4", width=192, height=128, time_base=Fraction(1, 25),
                         frame_rate=Fraction(25), encoding=Encoding()) as writer:
            for pts in range(60):
                writer.write(rng.integers(0, 255, (128, 192, 3), np.uint8), pts)
    except OSError as error:
        print(type(error).__name__, error.strerror)
"""


def test_a_full_disk_is_the_system_s_error(tmp_path):
    code = f"import sys; sys.path[:0] = {sys.path!r}\n{textwrap.dedent(FULL)}"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "out.mp4"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "OSError File too large\n", done.stderr
