from contextlib import contextmanager
from importlib.resources import as_file, files

import av
import numpy as np
import pytest

from aucli.faces.follow import find_faces
from tests.clips import pan_over, photo_astronaut, photo_t1
from tests.faces.stream import frames_of

PHOTO_T1 = photo_t1()


def people(count=8):
    """Six people, panned."""
    return list(pan_over(PHOTO_T1, 640, 443, count, travel=0.04))


def astronaut(count=6):
    return list(pan_over(photo_astronaut(), 320, 320, count))


def run(pictures, detector, **options):
    found = list(find_faces(frames_of(pictures), detector, **options))
    assert [frame.index for frame, _ in found] == list(range(len(found)))
    return [faces for _, faces in found]


def assert_same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        for name in ("tracks", "boxes", "scores", "landmarks"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


class Recorder:
    """Passes on to a real detector and keeps what it was asked."""

    def __init__(self, detector, can_refit=True):
        self._detector = detector
        self.name, self.version, self.sure_score = detector.name, detector.version, detector.sure_score
        self.can_refit = can_refit
        self.detected, self.refitted, self.largest_call = 0, 0, 0

    def detect(self, pictures):
        self.detected += len(pictures)
        self.largest_call = max(self.largest_call, len(pictures))
        return self._detector.detect(pictures)

    def refit(self, pictures, boxes):
        assert self.can_refit
        self.refitted += len(pictures)
        return self._detector.refit(pictures, boxes)


def test_six_people_keep_six_tracks(mtcnn):
    found = run(people(), mtcnn)
    assert [faces.tracks.tolist() for faces in found] == [list(range(6))] * 8
    paths = np.stack([faces.boxes[:, 0] + faces.boxes[:, 2] / 2 for faces in found])
    assert (np.diff(paths, axis=0).mean(axis=0) < 0).all()  # the camera goes right, the people left
    assert np.abs(np.diff(paths, axis=0)).max() < 8


@pytest.mark.parametrize(("clip", "tracks"), [("two_people.mp4", [0, 1]), ("smile.mp4", [0])])
def test_the_examples_keep_their_people(mtcnn, clip, tracks):
    with as_file(files("aucli") / "examples" / clip) as path, av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    found = run(pictures[:48], mtcnn, detect_every=4)
    assert [faces.tracks.tolist() for faces in found] == [tracks] * len(found)
    assert min(faces.scores.min() for faces in found) > 0.9


def test_one_person_keeps_one_track(mtcnn):
    assert [faces.tracks.tolist() for faces in run(astronaut(), mtcnn)] == [[0]] * 6


@pytest.mark.parametrize("detect_every", [1, 3, 4])
def test_the_size_of_the_batch_changes_nothing(mtcnn, detect_every):
    clip = [*astronaut(5), *(picture[:, ::-1] for picture in astronaut(4))]
    whole = run(clip, mtcnn, detect_every=detect_every, batch_frames=16)
    assert sum(len(faces) for faces in whole) >= 8
    for batch_frames in (1, 3):
        assert_same(run(clip, mtcnn, detect_every=detect_every, batch_frames=batch_frames), whole)


def test_a_cut_begins_new_tracks_and_is_detected_at_once(mtcnn):
    first = [picture[:320, 150:470] for picture in people(4)]
    recorder = Recorder(mtcnn)
    found = run([*first, *astronaut(6)], recorder, detect_every=5)
    before = {number for faces in found[:4] for number in faces.tracks.tolist()}
    after = {number for faces in found[4:] for number in faces.tracks.tolist()}
    assert before
    assert after == {max(before) + 1}
    # Frames 0, 3 (the last before the cut), 4 (the cut), 5 (the count goes on over the cut), 9 (the end).
    assert recorder.detected == 5
    assert recorder.refitted == 5


@pytest.mark.parametrize("clip", [people, astronaut])
def test_refitted_landmarks_are_near_the_detected_ones(mtcnn, clip):
    pictures = clip(11)
    recorder = Recorder(mtcnn)
    each, fifth = run(pictures, mtcnn), run(pictures, recorder, detect_every=5)
    assert (recorder.detected, recorder.refitted) == (3, 8)
    moved = []
    for one, other in zip(each, fifth, strict=True):
        np.testing.assert_array_equal(one.tracks, other.tracks)
        moved.append(np.abs(one.landmarks - other.landmarks).max(axis=(1, 2)) / one.boxes[:, 2])
    assert np.median(moved) < 0.015
    assert np.max(moved) < 0.05


def test_without_refit_skipped_frames_lie_on_the_line_between(mtcnn):
    pictures = astronaut(5)
    ends = run([pictures[0], pictures[4]], mtcnn)
    found = run(pictures, Recorder(mtcnn, can_refit=False), detect_every=4)
    assert [faces.tracks.tolist() for faces in found] == [[0]] * 5
    for index, faces in enumerate(found):
        part = index / 4
        expected = (1 - part) * ends[0].landmarks + part * ends[1].landmarks
        np.testing.assert_allclose(faces.landmarks, expected, atol=1e-3)


def test_a_face_that_is_hidden_for_a_moment_is_interpolated_and_scores_low(mtcnn):
    pictures = [np.array(picture) for picture in astronaut(5)]
    pictures[2][:150] = 128
    found = run(pictures, mtcnn, detect_every=4)
    assert [faces.tracks.tolist() for faces in found] == [[0]] * 5
    middle = (found[0].landmarks + found[4].landmarks) / 2
    np.testing.assert_allclose(found[2].landmarks, middle, atol=1e-3)
    assert found[2].scores[0] < 0.7
    assert found[1].scores[0] > 0.9


def test_someone_who_leaves_between_two_detections_is_followed_until_then(mtcnn):
    pictures = [np.array(picture) for picture in astronaut(6)]
    for picture in pictures[3:]:
        picture[:150] = 128
    assert [len(faces) for faces in run(pictures, mtcnn, detect_every=5)] == [1, 1, 1, 0, 0, 0]
    assert [len(faces) for faces in run(pictures[::-1], mtcnn, detect_every=5)] == [0, 0, 0, 1, 1, 1]


def test_max_faces_holds_in_every_frame(mtcnn):
    for detect_every in (1, 4):
        found = run(people(6), mtcnn, max_faces=2, detect_every=detect_every)
        assert [faces.tracks.tolist() for faces in found] == [[0, 1]] * 6


def test_the_picture_may_change_its_size(mtcnn):
    clip = [*astronaut(3), *pan_over(photo_astronaut(), 400, 400, 3)]
    found = run(clip, mtcnn, detect_every=2, batch_frames=4)
    assert [len(faces) for faces in found] == [1] * 6
    assert found[2].boxes[0, 2] * 1.15 < found[3].boxes[0, 2]


def test_frames_without_faces_and_streams_without_frames(mtcnn):
    grey = np.full((120, 160, 3), 90, np.uint8)
    for detect_every in (1, 3):
        found = run([grey] * 5, mtcnn, detect_every=detect_every)
        assert [len(faces) for faces in found] == [0] * 5
        assert all(faces.tracks is not None for faces in found)
    assert run([], mtcnn) == []


def test_memory_is_bounded(mtcnn):
    taken = 0

    def counted():
        nonlocal taken
        for frame in frames_of(np.full((64, 64, 3), 90, np.uint8) for _ in range(100)):
            taken += 1
            yield frame

    recorder = Recorder(mtcnn)
    ahead = []
    for given, _ in enumerate(find_faces(counted(), recorder, detect_every=5, batch_frames=6), start=1):
        ahead.append(taken - given)
    assert recorder.largest_call <= 6
    assert max(ahead) <= 6 + 5 + 1


def test_the_timer_sees_all_stages(mtcnn):
    stages = []

    @contextmanager
    def timer(stage):
        stages.append(stage)
        yield

    run(astronaut(4), mtcnn, detect_every=3, timer=timer)
    assert set(stages) == {"detect", "refit", "track"}
