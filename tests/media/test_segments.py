"""Where a video is split, against its raw packets, and that decoding from there gives the same pictures."""

import math
from dataclasses import replace
from itertools import pairwise

import av
import numpy as np
import pytest
import torch

from aucli.datatypes import Selection, Source
from aucli.errors import SplitError
from aucli.media.decode import open_decoder
from aucli.media.decode.choose import FrameChooser
from aucli.media.segments import CHECKED_PICTURES, divide, is_long, scan_packets
from tests.clips import RECIPES, numbered_frames, truncate, write_clip
from tests.media.torchcodec_stretch import stretches_alike

COUNT = 72
GOP = 8
X264_OPEN = "keyint=8:min-keyint=8:scenecut=0:open-gop=1:b-adapt=0:b-pyramid=normal:ref=8"
FURTHER = {  # key frames that pictures shown before them refer to; pictures that are never shown
    "open_gop.mkv": {"bframes": 3, "codec_options": {"x264-params": X264_OPEN}},
    "hidden_pictures.webm": {
        "codec": "libvpx",
        "codec_options": {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "4"},
    },
}
KINDS = [
    *FURTHER,
    "cfr_mp4",
    "bframes_mp4",
    "fragmented_mp4",
    "audio_mp4",
    "late_start_mkv",
    "bframes_vfr_mkv",
    "ten_bit_hevc_mkv",
    "vp9_webm",
    "av1_mkv",
]
UNEVEN = tuple(int(pts) for pts in np.cumsum([40, 200, 33, 67, 120, 41, 159, 160] * (COUNT // 8)))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("segments")

    def write(kind):
        if kind in FURTHER:
            return write_clip(folder / kind, numbered_frames(COUNT), gop=GOP, **FURTHER[kind])
        recipe = RECIPES[kind]
        options = recipe.options | {"gop": GOP}
        if kind == "late_start_mkv":
            options["pts"] = tuple(2000 + 40 * index for index in range(COUNT))
        elif "pts" in options:
            options["pts"] = UNEVEN
        path = folder / f"{kind}{recipe.suffix}"
        return path if path.exists() else replace(recipe, options=options).write_numbered(path, COUNT)

    return write


def raw(path):
    """Time stamps of all pictures and of the key frames, as the packets have them."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        return sorted(packet.pts for packet in packets), sorted(p.pts for p in packets if p.is_keyframe)


def parts(path, selection=None, *, seconds=1.0, detect_every=1, warm_up=0.3, context=0):
    return divide(
        scan_packets(path),
        selection or Selection(),
        seconds,
        detect_every=detect_every,
        warm_up_seconds=warm_up,
        context_frames=context,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_stretch_is_decoded_as_in_the_whole_video(clips, kind):
    source = Source(clips(kind), kind)
    with open_decoder(source, decoder="pyav") as decoder:
        whole = list(decoder.frames())
    segments = parts(source.path)
    assert len(segments) > 1
    for segment in segments:
        with open_decoder(source, decoder="pyav", stretch=segment.stretch) as decoder:
            found = list(decoder.frames())
            assert decoder.summary.problem is None
        first = segment.stretch.first_index
        expected = whole[first : first + len(segment.stretch.pts)]
        assert [(f.index, f.pts) for f in found] == [(f.index, f.pts) for f in expected]
        assert all(torch.equal(one.pixels, other.pixels) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("kind", ["bframes_mp4", "vp9_webm"])
def test_so_it_is_by_a_decoder_that_has_to_read_everything_before(clips, kind):
    path = clips(kind)
    assert stretches_alike(path) == {"first": parts(path)[1].stretch.first_index, "alike": True}


SELECTIONS = [
    Selection(),
    Selection(every=2),
    Selection(fps=7.0),
    Selection(start_seconds=0.5, end_seconds=2.6),
    Selection(start_seconds=0.9, every=3),
]


@pytest.mark.parametrize("context", [0, 7])
@pytest.mark.parametrize("detect_every", [1, 3])
@pytest.mark.parametrize("kind", ["bframes_mp4", "bframes_vfr_mkv", "late_start_mkv"])
def test_the_plan_follows_from_the_raw_packets(clips, kind, detect_every, context):
    path = clips(kind)
    times, keys = raw(path)
    with av.open(str(path)) as container:
        unit = float(container.streams.video[0].time_base)
        exact = container.streams.video[0].time_base
    split = 0
    for selection in SELECTIONS:
        chooser = FrameChooser(selection)
        decisions = [chooser.decide(pts * exact) for pts in times]
        chosen = [index for index, decision in enumerate(decisions) if decision == "take"]
        length = (times[chosen[-1]] - times[chosen[0]]) * unit
        longest = 0.7
        try:
            segments = parts(
                path, selection, seconds=longest, detect_every=detect_every, warm_up=0.2, context=context
            )
        except SplitError:
            continue
        if length <= longest:
            assert segments == []
            continue
        split += 1
        detected = chosen[::detect_every]
        assert len(segments) <= math.ceil(length / longest)
        assert [segment.number for segment in segments] == list(range(len(segments)))
        assert segments[0].begin == 0
        assert segments[0].met is None
        assert segments[-1].meets is None
        # Every selected frame is in exactly one segment.
        own = [[index for index in chosen if s.begin <= index < s.end] for s in segments]
        assert [index for mine in own for index in mine] == chosen
        assert [len(mine) for mine in own] == [s.frames for s in segments]
        for before, after in pairwise(segments):
            assert after.begin == before.end
            assert after.begin in detected
            assert before.meets == after.met
            meeting = after.met.index
            assert meeting in detected
            assert chosen.index(after.begin) - chosen.index(meeting) >= context
            assert (times[meeting] - after.stretch.pts[0]) * unit >= 0.2 - 1e-9
            assert after.stretch.pts[0] in keys
            later = [key for key in keys if after.stretch.pts[0] < key < times[meeting] - 0.2 / unit - 1]
            assert later == []
            seen = [index for index in chosen if after.met.checked_from <= index <= meeting]
            assert 1 <= len(seen) <= CHECKED_PICTURES
        for segment in segments:
            stretch = segment.stretch
            last = stretch.first_index + len(stretch.pts)
            assert stretch.pts.tolist() == times[stretch.first_index : last]
            frames = [stretch.first_index + int(place) for place in np.flatnonzero(stretch.chosen)]
            # All selected ones from a detection before the meeting to a detection after its end.
            assert frames == [index for index in chosen if frames[0] <= index < last]
            assert frames[0] in detected
            assert stretch.to_the_end == (last == len(times) and segment is segments[-1])
            if segment.met:
                assert frames[0] <= segment.met.checked_from
            if segment.meets:
                behind = [index for index in frames if index >= segment.end]
                assert frames[-1] in detected or frames[-1] == chosen[-1]
                assert len(behind) > context or frames[-1] == chosen[-1]
    assert split >= 2


def test_a_video_that_is_short_enough_is_not_split(clips):
    path = clips("cfr_mp4")
    assert not is_long(path, Selection(), COUNT / 25 + 0.1)
    assert is_long(path, Selection(), COUNT / 25 - 0.1)
    assert not is_long(path, Selection(start_seconds=1.0), COUNT / 25 - 0.1)
    assert parts(path, seconds=COUNT / 25) == []


def test_without_key_frames_there_is_no_plan(tmp_path):
    recipe = RECIPES["cfr_mp4"]
    path = replace(recipe, options={"gop": 500}).write_numbered(tmp_path / "one_gop", COUNT)
    with pytest.raises(SplitError, match="no key frame"):
        parts(path)


@pytest.mark.parametrize(
    ("kind", "why"), [("h264_avi", "avi"), ("mpeg_ts", "mpegts"), ("mpeg2_mpg", "mpeg"), ("cut", "cut off")]
)
def test_where_packets_do_not_tell_all_frames_there_is_no_plan(clips, tmp_path, kind, why):
    if kind == "cut":
        path = truncate(RECIPES["fragmented_mp4"].write_numbered(tmp_path / "cut"), 0.6)
    else:
        path = clips(kind)
    with pytest.raises(SplitError, match=why):
        scan_packets(path)


def test_pictures_that_are_renewed_bit_by_bit_have_no_key_frame_to_begin_with(tmp_path):
    options = {"x264-params": "intra-refresh=1:keyint=8"}
    path = write_clip(tmp_path / "a.mp4", numbered_frames(COUNT), gop=GOP, codec_options=options)
    source, stretch = Source(path, "a"), parts(path)[1].stretch
    with (
        open_decoder(source, decoder="pyav", stretch=stretch) as decoder,
        pytest.raises(SplitError, match="came with time stamp"),
    ):
        list(decoder.frames())


def test_a_file_that_is_not_as_planned_is_refused(clips):
    source = Source(clips("bframes_mp4"), "a")
    stretch = parts(source.path)[1].stretch
    end = parts(source.path)[-1].stretch

    def frames(wrong):
        with open_decoder(source, decoder="pyav", stretch=wrong) as decoder:
            return list(decoder.frames())

    with pytest.raises(SplitError, match="did not come"):  # no such key frame
        frames(replace(stretch, pts=stretch.pts + 1))
    with pytest.raises(SplitError, match="time stamp"):  # one more than planned
        frames(replace(stretch, pts=np.delete(stretch.pts, 3), chosen=stretch.chosen[1:]))
    with pytest.raises(SplitError, match="did not come"):  # one fewer
        frames(replace(end, pts=np.append(end.pts, end.pts[-1] + 512), chosen=np.append(end.chosen, True)))
    with pytest.raises(SplitError, match="more than"):
        frames(replace(end, pts=end.pts[:-1], chosen=end.chosen[:-1]))
    with pytest.raises(SplitError, match="start only"):
        open_decoder(source, decoder="decord", stretch=stretch)
