"""Odd but healthy files: the right pictures at the right times, or a reason.

tests/media/test_decode.py has the clips of `tests.clips.RECIPES`; here are those that need a recipe of their
own, among them files whose bytes are changed after they were written, because no muxer writes them so.
Oracles: the times and values that were put in, and the packets as PyAV reads them, nothing decoded.
"""

import os
import struct
from fractions import Fraction

import av
import numpy as np
import pytest
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from aucli.datatypes import Selection, Source
from aucli.errors import DecoderUnavailableError, MediaError
from aucli.media import discover, probe
from aucli.media.decode import open_decoder
from aucli.media.truncation import missing_bytes
from tests.clips import Recipe, numbered_frames, read_number, truncate, write_clip

COUNT = 12


def decode(path, kind="video", **selection):
    with open_decoder(Source(path, path.name, kind), Selection(**selection)) as opened:
        return list(opened.frames()), opened.summary


def numbers(frames, *, colour=True):
    return [read_number(frame.pixels, colour=colour) for frame in frames]


def times(frames):
    return [frame.pts * frame.time_base for frame in frames]


def packet_times(path):
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        packets = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
        return sorted(packet.pts * packet.time_base for packet in packets)


def needs(codec):
    try:
        Codec(codec, "w")
    except UnknownCodecError:
        pytest.skip(f"PyAV's FFmpeg has no encoder {codec}")


X265 = "log-level=none:pools=1"
PQ = f"{X265}:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
HLG = f"{X265}:colorprim=bt2020:transfer=arib-std-b67:colormatrix=bt2020nc"
KINDS = {
    "H.264, 10 bits": Recipe(options={"pix_fmt": "yuv420p10le", "bframes": 2}),
    "H.264, 4:2:2": Recipe(".mov", {"pix_fmt": "yuv422p"}),
    "H.264, 4:2:2, 10 bits": Recipe(".mkv", {"pix_fmt": "yuv422p10le"}),
    "H.264, 4:4:4, odd size": Recipe(options={"pix_fmt": "yuv444p"}, width=191, height=127),
    "H.264, interlaced, TS": Recipe(".ts", {"codec_options": {"x264-params": "interlaced=1"}}),
    "H.264, interlaced, MP4": Recipe(".mp4", {"codec_options": {"x264-params": "interlaced=1"}}),
    "MPEG-2, interlaced": Recipe(".mpg", {"codec": "mpeg2video", "codec_options": {"flags": "+ildct+ilme"}}),
    "MPEG-2, 4:2:2": Recipe(".ts", {"codec": "mpeg2video", "pix_fmt": "yuv422p"}),
    "HEVC, MP4": Recipe(options={"codec": "libx265", "bframes": 3, "codec_options": {"x265-params": X265}}),
    "HEVC, 12 bits, 4:2:2": Recipe(
        ".mkv", {"codec": "libx265", "pix_fmt": "yuv422p12le", "codec_options": {"x265-params": X265}}
    ),
    "HDR, PQ": Recipe(
        options={"codec": "libx265", "pix_fmt": "yuv420p10le", "codec_options": {"x265-params": PQ}}
    ),
    "HDR, HLG": Recipe(
        ".mkv", {"codec": "libx265", "pix_fmt": "yuv420p10le", "codec_options": {"x265-params": HLG}}
    ),
    "VP9, 4:4:4, odd size": Recipe(".webm", {"codec": "libvpx-vp9", "pix_fmt": "yuv444p"}, 191, 127),
    "AV1, 10 bits, MP4": Recipe(
        options={
            "codec": "libsvtav1",
            "pix_fmt": "yuv420p10le",
            "codec_options": {"preset": "12", "svtav1-params": "lp=1"},
        }
    ),
    "ProRes": Recipe(".mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}),
    "Motion JPEG, odd size": Recipe(".mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}, 191, 127),
    "first PTS at 2 s, MP4": Recipe(options={"pts": [2000 + 40 * index for index in range(COUNT)]}),
    "first PTS at 1 h, TS": Recipe(".ts", {"pts": [3_600_000 + 40 * index for index in range(COUNT)]}),
    "one frame, MP4": Recipe(),
    "one frame, MKV": Recipe(".mkv"),
    "one frame, AVI": Recipe(".avi", {"codec": "mpeg4"}),
    "one frame, TS": Recipe(".ts"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds(tmp_path, name):
    recipe = KINDS[name]
    needs(recipe.options.get("codec", "libx264"))
    count = 1 if name.startswith("one") else COUNT
    path = recipe.write_numbered(tmp_path / "clip", count)
    frames, summary = decode(path)
    assert numbers(frames) == list(range(count))
    found = times(frames)
    assert [time - found[0] for time in found] == [time - recipe.times(1)[0] for time in recipe.times(count)]
    if path.suffix not in (".ts", ".mpg"):  # those begin later than asked, by the encoder's delay
        assert found[0] == recipe.times(1)[0]
    if path.suffix != ".avi":
        assert found == packet_times(path)
    assert (frames[0].width, frames[0].height) == (recipe.width, recipe.height)
    assert summary.problem is None
    assert [note[:8] for note in summary.notes] == (["HDR (PQ)"] if name == "HDR, PQ" else [])
    assert summary.frames_from_header in (None, count)
    assert probe(Source(path, path.name)).transfer == {"HDR, PQ": "pq", "HDR, HLG": "hlg"}.get(name)


# -- colours

MATRICES = {"BT.601": (0.299, 0.114), "BT.709": (0.2126, 0.0722), "BT.2020": (0.2627, 0.0593)}  # Kr, Kb
SPACES = {"BT.601": Colorspace.ITU601, "BT.709": Colorspace.ITU709, "BT.2020": 9}  # 9: ITU-T H.273
COLOURS = ((200, 40, 40), (40, 200, 40), (40, 40, 200), (230, 230, 230), (25, 25, 25), (180, 120, 60))


def coded(rgb, matrix, *, full, bits):
    """Y, Cb, Cr of a colour as ITU-R BT.601, BT.709 and BT.2020 write them."""
    kr, kb = MATRICES[matrix]
    r, g, b = (value / 255 for value in rgb)
    y = kr * r + (1 - kr - kb) * g + kb * b
    chroma = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    if full:
        top, middle = (1 << bits) - 1, 1 << (bits - 1)
        return [round(y * top), *(round(value * top + middle) for value in chroma)]
    step = 1 << (bits - 8)
    return [round((16 + 219 * y) * step), *(round((128 + 224 * value) * step) for value in chroma)]


@pytest.mark.parametrize("layout", ["yuv420p", "yuv422p10le", "yuv444p"])
@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", MATRICES)
def test_colours_are_those_of_the_standard(tmp_path, matrix, full, layout):
    path, width, height = tmp_path / "clip.mkv", 192, 32
    bits = 10 if "10" in layout else 8
    kind = np.uint16 if bits == 10 else np.uint8
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, layout
        stream.codec_context.colorspace = SPACES[matrix]
        stream.codec_context.color_range = ColorRange.JPEG if full else ColorRange.MPEG
        frame = av.VideoFrame(width, height, layout)
        for place, plane in enumerate(frame.planes):
            values = np.zeros((plane.height, plane.line_size // kind().itemsize), kind)
            for number, colour in enumerate(COLOURS):
                left, right = (step * plane.width // len(COLOURS) for step in (number, number + 1))
                values[:, left:right] = coded(colour, matrix, full=full, bits=bits)[place]
            plane.update(values.tobytes())
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    [frame], _ = decode(path)
    found = frame.pixels.numpy()[height // 2, 16::32].astype(int)
    # One level of rounding in each of the three values, and what the conversion itself rounds.
    assert np.abs(found - np.array(COLOURS)).max() <= 3


@pytest.mark.parametrize("kind", [8, 14])  # YCgCo, ICtCp: ITU-T H.273
def test_ways_to_code_colours_that_ffmpeg_does_not_convert(tmp_path, kind):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        stream.codec_context.colorspace = kind
        for index, picture in enumerate(numbered_frames(3)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.colorspace, frame.pts, frame.time_base = kind, index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames, summary = decode(path)
    assert numbers(frames) == [0, 1, 2]
    assert summary.problem is None
    assert summary.notes == (f"colours are taken for those of BT.709: FFmpeg converts none of kind {kind}",)


# -- time stamps that no muxer writes


def matroska_with_times(path, wanted):
    """A clip of intra frames in Matroska (1 ms) whose blocks get these times instead of 0, 40, 80, ..."""
    # Small: from 4 kB on each key frame would begin a cluster, with times that count from its own.
    write_clip(path, numbered_frames(len(wanted), 48, 32), codec="mjpeg", pix_fmt="yuvj420p")
    content = bytearray(path.read_bytes())
    place = 0
    for index, time in enumerate(wanted):
        # RFC 9559, 10: track number, time in the cluster as int16, flags; then a JPEG.
        place = content.index(b"\x81" + struct.pack(">h", 40 * index) + b"\x80\xff\xd8", place + 1)
        content[place + 1 : place + 3] = struct.pack(">h", time)
    path.write_bytes(content)
    return path


def test_negative_times_are_kept(tmp_path):
    wanted = [-200, -160, -120, -80, -40, 0, 40]
    frames, summary = decode(matroska_with_times(tmp_path / "clip.mkv", wanted))
    assert numbers(frames) == list(range(7))
    assert times(frames) == [Fraction(time, 1000) for time in wanted]
    assert (summary.problem, summary.notes) == (None, ())
    frames, _ = decode(tmp_path / "clip.mkv", start_seconds=0)
    assert [frame.index for frame in frames] == [5, 6]


@pytest.mark.parametrize(
    ("stored", "given"),
    [
        ([0, 40, 120, 80, 160, 200, 240], [0, 40, 60, 80, 160, 200, 240]),  # two are swapped
        ([0, 40, 80, 80, 160, 200, 240], [0, 40, 80, 120, 160, 200, 240]),  # one stands there twice
        ([0, 40, 9000, 120, 160, 200, 240], [0, 40, 80, 120, 160, 200, 240]),  # one is far ahead
        ([0, 40, 80, 120, 7, 200, 240], [0, 40, 80, 120, 160, 200, 240]),  # one is far behind
        ([9000, 40, 80, 120, 160, 200, 240], [0, 40, 80, 120, 160, 200, 240]),  # the first
    ],
)
def test_a_time_stamp_out_of_order_moves_no_other(tmp_path, stored, given):
    frames, summary = decode(matroska_with_times(tmp_path / "clip.mkv", stored))
    assert numbers(frames) == list(range(7)), "each picture once, in the order of the file"
    assert times(frames) == [Fraction(time, 1000) for time in given]
    assert summary.notes == ("1 frame had no usable time stamp; interpolated instead",)
    if len(set(stored)) < len(stored):
        with pytest.raises(DecoderUnavailableError, match="the same time stamp"):
            open_decoder(Source(tmp_path / "clip.mkv", "clip.mkv"), decoder="decord")


# -- edit lists


def edited(path, *edits):
    """An MP4 of 40 frames whose edit list becomes these (duration, media time) in ms, 1/1000 s time scale."""
    write_clip(path, numbered_frames(40), pts=[40 * index for index in range(40)], gop=5)
    content = bytearray(path.read_bytes())
    scale = struct.unpack_from(">I", content, content.index(b"mdhd") + 16)[0]
    movie_scale = struct.unpack_from(">I", content, content.index(b"mvhd") + 16)[0]
    start = content.index(b"elst") - 4
    entries = b"".join(
        struct.pack(
            ">IiHH", duration * movie_scale // 1000, media if media < 0 else media * scale // 1000, 1, 0
        )
        for duration, media in edits
    )
    box = struct.pack(">I4sII", 16 + len(entries), b"elst", 0, len(edits)) + entries
    old = struct.unpack_from(">I", content, start)[0]
    content[start : start + old] = box
    for name in (b"edts", b"trak", b"moov"):  # the boxes around it, which lie behind the pictures
        place = content.index(name) - 4
        size = struct.unpack_from(">I", content, place)[0]
        struct.pack_into(">I", content, place, size + len(box) - old)
    path.write_bytes(content)
    return path


def test_an_edit_list_that_shows_a_part(tmp_path):
    frames, summary = decode(edited(tmp_path / "clip.mp4", (800, 400)))
    assert numbers(frames) == list(range(10, 30))
    assert times(frames) == [Fraction(index, 25) for index in range(20)]
    assert summary.problem is None


def test_an_edit_list_that_waits_first(tmp_path):
    frames, summary = decode(edited(tmp_path / "clip.mp4", (2000, -1), (1600, 0)))
    assert numbers(frames) == list(range(40))
    assert times(frames) == [2 + Fraction(index, 25) for index in range(40)]
    assert summary.problem is None


def test_an_edit_list_that_shows_two_parts_in_another_order(tmp_path):
    path = edited(tmp_path / "clip.mp4", (400, 800), (400, 0))
    frames, _ = decode(path)
    assert numbers(frames) == [*range(20, 30), *range(10)]
    assert times(frames) == [Fraction(index, 25) for index in range(20)]


# -- headers that are wrong


@pytest.mark.parametrize("claimed", [3, 4000])
def test_a_count_in_the_header_of_an_avi_is_not_believed(tmp_path, claimed):
    path = write_clip(tmp_path / "clip.avi", numbered_frames(COUNT), codec="mpeg4")
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"avih") + 8 + 16, claimed)  # dwTotalFrames
    struct.pack_into("<I", content, content.index(b"strh") + 8 + 32, claimed)  # dwLength
    path.write_bytes(content)
    frames, summary = decode(path)
    assert summary.frames_from_header == claimed
    assert numbers(frames) == list(range(COUNT))
    assert times(frames) == [Fraction(index, 25) for index in range(COUNT)]
    assert summary.problem is None


@pytest.mark.parametrize("factor", [0.1, 50])
@pytest.mark.parametrize("box", [b"mvhd", b"mdhd"])
def test_a_duration_in_the_header_of_an_mp4_is_not_believed(tmp_path, box, factor):
    path = write_clip(tmp_path / "clip.mp4", numbered_frames(COUNT))
    content = bytearray(path.read_bytes())
    place = content.index(box) + 20
    struct.pack_into(">I", content, place, int(struct.unpack_from(">I", content, place)[0] * factor))
    path.write_bytes(content)
    frames, summary = decode(path)
    assert numbers(frames) == list(range(COUNT))
    assert times(frames) == [Fraction(index, 25) for index in range(COUNT)]
    assert summary.problem is None


def test_a_header_that_asks_for_a_huge_picture_is_refused(tmp_path):
    path = write_clip(tmp_path / "clip.avi", numbered_frames(3), codec="mjpeg", pix_fmt="yuvj420p")
    content = bytearray(path.read_bytes())
    place = content.index(b"strf") + 8 + 4
    struct.pack_into("<ii", content, place, 12_000, 12_000)
    start = 0
    while (start := content.find(b"\xff\xc0\x00\x11", start) + 1) > 0:  # SOF0: precision, height, width
        struct.pack_into(">HH", content, start - 1 + 5, 12_000, 12_000)
    path.write_bytes(content)
    with pytest.raises(MediaError, match="12000 x 12000 pixels, more than"):
        decode(path)


# -- streams beside the pictures


def test_of_two_video_streams_one_is_read_and_the_other_is_named(tmp_path):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        streams = []
        for width, height in ((96, 64), (192, 128)):
            stream = container.add_stream("ffv1", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            streams.append(stream)
        for index, picture in enumerate(numbered_frames(5)):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame = frame.reformat(width=stream.width, height=stream.height, format="yuv420p")
                frame.pts, frame.time_base = index, Fraction(1, 25)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    frames, summary = decode(path)
    assert numbers(frames) == list(range(5))
    assert len({(frame.width, frame.height) for frame in frames}) == 1
    assert summary.problem is None
    [note] = summary.notes
    assert "1 more video stream" in note


def with_cover(path, *, video):
    """An MP4 with sound, a cover picture, and `video` or not."""
    with av.open(str(path), "w") as container:
        streams = {}
        if video:
            streams["video"] = container.add_stream("libx264", rate=25)
            streams["video"].width, streams["video"].height, streams["video"].pix_fmt = 192, 128, "yuv420p"
        sound = container.add_stream("aac", rate=48_000, layout="mono")
        cover = container.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 400, 400, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        packets = []
        if video:
            for index, picture in enumerate(numbered_frames(8)):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = index, Fraction(1, 25)
                packets += streams["video"].encode(frame)
            packets += streams["video"].encode(None)
        quiet = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        quiet.sample_rate = 48_000
        packets += [*sound.encode(quiet), *sound.encode(None)]
        picture = av.VideoFrame.from_ndarray(np.zeros((400, 400, 3), np.uint8), format="rgb24")
        picture = picture.reformat(format="yuvj420p")
        picture.pts, picture.time_base = 0, Fraction(1, 25)
        container.mux([*cover.encode(picture), *cover.encode(None)])
        container.mux(packets)
    return path


def test_a_cover_picture_in_mp4_is_not_the_video(tmp_path):
    path = with_cover(tmp_path / "clip.mp4", video=True)
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 2
    frames, summary = decode(path)
    assert numbers(frames) == list(range(8))
    assert (summary.problem, summary.notes) == (None, ())


def test_music_with_a_cover_has_no_video(tmp_path):
    path = with_cover(tmp_path / "song.mp4", video=False)
    for attempt in (decode, lambda given: probe(Source(given, given.name))):
        with pytest.raises(MediaError, match=r"song\.mp4: has no video stream"):
            attempt(path)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts"])
def test_a_video_stream_without_a_frame(tmp_path, suffix):
    codec = {".webm": "libvpx-vp9", ".avi": "mpeg4"}.get(suffix, "libx264")
    path = tmp_path / f"clip{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        container.start_encoding()
    with pytest.raises(MediaError) as caught:
        decode(path)
    assert any(
        reason in str(caught.value)
        for reason in (
            "its video stream is empty",
            "cannot be read as a video",
            "is empty",
            "has no video stream",
        )
    ), caught.value


# -- animations

SHOWN_MS = (40, 80, 30, 100, 20)


def animation(path, **options):
    pictures = [Image.fromarray(picture) for picture in numbered_frames(len(SHOWN_MS))]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=list(SHOWN_MS), **options)
    return path


def test_a_gif_with_uneven_times(tmp_path):
    frames, summary = decode(animation(tmp_path / "a.gif"))
    assert numbers(frames) == list(range(5))
    assert times(frames) == [Fraction(time, 1000) for time in (0, 40, 120, 150, 250)]
    assert summary.problem is None
    Image.fromarray(next(numbered_frames(1))).save(tmp_path / "one.gif")
    frames, _ = decode(tmp_path / "one.gif")
    assert numbers(frames) == [0]


def test_an_animated_webp(tmp_path):
    path = animation(tmp_path / "a.webp", lossless=True)
    [source] = discover([path]).sources
    assert source.kind == "image"
    frames, summary = decode(path, "image")
    assert numbers(frames) == list(range(5))
    assert times(frames) == [Fraction(time, 1000) for time in (0, 40, 120, 150, 250)]
    assert [frame.index for frame in frames] == list(range(5))
    assert (summary.problem, summary.notes) == (None, ())
    assert (summary.frames_decoded, summary.frames_from_header) == (5, 5)
    frames, _ = decode(path, "image", start_seconds=0.1, end_seconds=0.2)
    assert [frame.index for frame in frames] == [2, 3]
    described = probe(source)
    assert (described.frames_from_header, described.time_base) == (5, Fraction(1, 1000))
    content = path.read_bytes()
    place = content.index(b"ANMF") + 8 + 12  # of the first picture: 24 bits of ms
    path.write_bytes(content[:place] + bytes(3) + content[place + 3 :])
    frames, _ = decode(path, "image")
    assert times(frames)[:3] == [Fraction(time, 1000) for time in (0, 1, 81)]
    Image.fromarray(next(numbered_frames(1))).save(tmp_path / "one.webp", lossless=True)
    frames, _ = decode(tmp_path / "one.webp", "image")
    assert numbers(frames) == [0]


def test_an_animated_webp_that_is_cut(tmp_path):
    path = truncate(animation(tmp_path / "a.webp", lossless=True), 0.6)
    with pytest.raises(MediaError, match=r"a\.webp: cannot be read as a picture"):
        decode(path, "image")


def test_other_files_of_several_pictures_say_that_one_was_read(tmp_path):
    for name in ("a.png", "a.tiff"):
        frames, summary = decode(animation(tmp_path / name), "image")
        assert numbers(frames) == [0]
        assert "holds 5 pictures and only the first was read" in summary.notes[0]


def test_a_named_pipe_among_numbered_pictures_is_not_opened(tmp_path):
    for number, picture in enumerate(numbered_frames(3)):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    (tmp_path / "1.png").unlink()
    os.mkfifo(tmp_path / "1.png")
    frames, summary = decode(tmp_path, "image_folder")
    assert numbers(frames) == [0, 2]
    assert summary.packets_failed == 1


# -- cut at any byte

CUT = {
    "MP4, index first": Recipe(
        options={"container_options": {"movflags": "faststart"}, "bframes": 2, "gop": 4}
    ),
    "MP4, fragments": Recipe(
        options={"container_options": {"movflags": "frag_keyframe+empty_moov"}, "gop": 4}
    ),
    "MKV": Recipe(".mkv", {"gop": 4}),
    "WebM": Recipe(".webm", {"codec": "libvpx-vp9", "gop": 4}),
    "AVI": Recipe(".avi", {"codec": "mpeg4", "gop": 4}),
    "TS": Recipe(".ts", {"gop": 4}),
}


@pytest.mark.parametrize("name", CUT)
def test_cut_at_any_byte(tmp_path, name):
    recipe = CUT[name]
    whole = recipe.write_numbered(tmp_path / "whole", COUNT)
    content = whole.read_bytes()
    cut = tmp_path / f"cut{recipe.suffix}"
    random = np.random.default_rng(5)
    expected = times(decode(whole)[0])
    places = {1, 7, 8, 9, 40, len(content) - 1, *random.integers(1, len(content), 40).tolist()}
    outcomes = set()
    for length in sorted(places):
        cut.write_bytes(content[:length])
        try:
            frames, summary = decode(cut)
        except MediaError as error:
            assert str(cut) in str(error)  # noqa: PT017 - either outcome is right
            outcomes.add("failed")
            continue
        assert frames, length
        assert set(times(frames)) <= set(expected), length
        assert numbers(frames)[: len(frames) - 3] == list(range(len(frames)))[: len(frames) - 3], length
        if len(frames) < COUNT:
            # A cut between two boxes or packets cannot be seen by anybody.
            assert summary.problem or missing_bytes(cut) == 0, length
        outcomes.add("partial" if summary.problem else "ok")
    assert {"failed", "partial"} <= outcomes
