"""Results meet their frames; every frame comes out once, at its own time."""

import threading
import time

import numpy as np
import pytest

from aucli.datatypes import Source
from aucli.errors import MediaError
from aucli.inference.annotate_video import Seen, draw_video
from aucli.media.decode import open_decoder
from aucli.sinks.draw.annotator import AHEAD_SECONDS, Annotator
from aucli.sinks.draw.look import Look
from tests.clips import RECIPES, read_number
from tests.sinks.drawing import LEGEND, face_result

COUNT = 30
BOX = (60, 70, 40, 50)  # below the code by which a frame tells its number


@pytest.fixture(scope="module", params=["vfr_mp4", "rotated_90_mp4", "odd_size_mkv", "mpeg_ts"])
def clip(request, tmp_path_factory):
    return RECIPES[request.param].write_numbered(tmp_path_factory.mktemp("clip") / request.param, COUNT)


@pytest.fixture(scope="module")
def vfr(tmp_path_factory):
    return RECIPES["vfr_mp4"].write_numbered(tmp_path_factory.mktemp("clip") / "vfr", COUNT)


def frames_of_clip(path):
    with open_decoder(Source(path, path.name)) as decoder:
        return list(decoder.frames())


def results_of(frames, every=1, boxes=(BOX,)):
    return [face_result(f.index, f.pts_seconds, boxes, {"AU12": 0.9}) for f in frames[::every]]


def annotated(path, results, threaded=True, seen=None):
    frames = frames_of_clip(path)
    annotator = Annotator(LEGEND, Look(regions=False), frames[0].width, frames[0].height)
    drawn = draw_video(path, iter(frames), iter(results), annotator, seen=seen, threaded=threaded)
    return list(drawn), annotator.layout, frames


def test_every_frame_is_there_once_at_its_own_time(clip):
    frames = frames_of_clip(clip)
    seen = Seen()
    drawn, layout, _ = annotated(clip, results_of(frames), seen=seen)
    assert [pts for _, pts in drawn] == [frame.pts for frame in frames]
    for number, (picture, _) in enumerate(drawn):
        assert picture.shape == (layout.height, layout.width, 3)
        code = picture[: layout.picture_height, : layout.picture_width]
        assert (code[20:30, 5:9] == frames[number].pixels.numpy()[20:30, 5:9]).all()
    assert (seen.frames, seen.faces, seen.tracks) == (COUNT, COUNT, {0})
    assert seen.occurrences[LEGEND.au_names.index("AU12")] == COUNT


def test_the_picture_is_the_frame_of_that_time(tmp_path):
    clip = RECIPES["bframes_mp4"].write_numbered(tmp_path / "clip", COUNT)
    frames = frames_of_clip(clip)
    drawn, layout, _ = annotated(
        clip, [face_result(f.index, f.pts_seconds, np.zeros((0, 4))) for f in frames]
    )
    assert [read_number(picture[: layout.picture_height]) for picture, _ in drawn] == list(range(COUNT))


def test_threads_change_nothing(vfr):
    results = results_of(frames_of_clip(vfr))
    for (one, pts), (other, same) in zip(
        annotated(vfr, results)[0], annotated(vfr, results, threaded=False)[0], strict=True
    ):
        assert pts == same
        assert np.array_equal(one, other)


def has_box(picture, frame):
    x, y, _, h = BOX
    return bool((picture[y + h // 2, x] != frame.pixels.numpy()[y + h // 2, x]).any())


def test_frames_between_analysed_ones_hold_the_result_before(vfr):
    frames = frames_of_clip(vfr)
    seen = Seen()
    drawn, _, _ = annotated(vfr, results_of(frames, every=3)[2:6], seen=seen)
    shown = [has_box(picture, frame) for (picture, _), frame in zip(drawn, frames, strict=True)]
    assert shown == [6 <= number <= 15 for number in range(COUNT)]
    assert seen.faces == 4


def test_a_long_pause_shows_nothing(vfr):
    frames = frames_of_clip(vfr)
    results = [results_of(frames)[number] for number in (0, 1, 28)]
    assert frames[28].pts_seconds - frames[1].pts_seconds > 1
    drawn, _, _ = annotated(vfr, results)
    shown = [has_box(picture, frame) for (picture, _), frame in zip(drawn, frames, strict=True)]
    assert shown == [number in (0, 1, 28) for number in range(COUNT)]


def test_results_of_another_time_are_refused(vfr):
    results = results_of(frames_of_clip(vfr))
    results[7] = face_result(7, results[7].pts_seconds + 1e-6, [BOX])
    with pytest.raises(MediaError, match=r"not of this video: frame 7 is shown at .* run extract again"):
        annotated(vfr, results)


def test_results_of_a_longer_video_are_refused(vfr):
    frames = frames_of_clip(vfr)
    with pytest.raises(MediaError, match=f"it has {COUNT} frames, and there are rows of frame {COUNT}"):
        annotated(vfr, [*results_of(frames), face_result(COUNT, 99.0, [BOX])])


def test_an_error_of_the_analysis_arrives(vfr):
    def failing():
        yield results_of(frames_of_clip(vfr))[0]
        raise MediaError("the analysis cannot go on")

    with pytest.raises(MediaError, match="cannot go on"):
        annotated(vfr, failing())


def test_stopping_early_ends_all_threads_and_closes_all_stages(vfr):
    frames, closed = frames_of_clip(vfr), []

    def endless(kind, items):
        try:
            while True:
                yield from items
        finally:
            closed.append(kind)

    annotator = Annotator(LEGEND, Look(), frames[0].width, frames[0].height)
    before = threading.active_count()
    drawn = draw_video(vfr, endless("frames", frames), endless("results", results_of(frames)), annotator)
    next(drawn)
    drawn.close()
    assert sorted(closed) == ["frames", "results"]
    assert threading.active_count() == before


def test_few_pictures_wait(vfr):
    """However slow the encoder is, decoding goes only some frames ahead of it."""
    frames, decoded = frames_of_clip(vfr), []

    def decoding():
        for frame in frames:
            decoded.append(frame.index)
            yield frame

    annotator = Annotator(LEGEND, Look(), frames[0].width, frames[0].height)
    drawn = draw_video(vfr, decoding(), iter(results_of(frames)), annotator)
    next(drawn)
    time.sleep(0.5)
    assert len(decoded) <= 12
    drawn.close()


def test_results_are_known_ahead_of_their_frames(vfr):
    frames, expected = frames_of_clip(vfr), []
    annotator = Annotator(LEGEND, Look(), frames[0].width, frames[0].height)
    expect, annotator.expect = annotator.expect, lambda result: (expected.append(result), expect(result))
    drawn = draw_video(vfr, iter(frames), iter(results_of(frames)), annotator, threaded=False)
    next(drawn)
    assert expected[-1].pts_seconds > AHEAD_SECONDS >= expected[-2].pts_seconds
    drawn.close()
