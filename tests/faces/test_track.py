import numpy as np
import pytest

from aucli.datatypes import Faces
from aucli.faces.track import GAP_SECONDS, Tracker


def faces(*boxes, scores=None):
    """Faces with these boxes (left, top, width, height)."""
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    given = np.full(len(rows), 0.99) if scores is None else scores
    landmarks = np.repeat(rows[:, None, :2] + rows[:, None, 2:] / 2, 5, axis=1)
    return Faces(rows, np.array(given, np.float32), landmarks)


def follow(tracker, frames, rate=25.0, start=0.0):
    return [
        tracker.update(one, cut=False, pts_seconds=start + index / rate).tracks.tolist()
        for index, one in enumerate(frames)
    ]


def test_numbers_are_in_order_of_appearance_and_rows_in_order_of_numbers():
    tracker = Tracker()
    first = tracker.update(faces([300, 50, 40, 50], [10, 10, 80, 90]), cut=False, pts_seconds=0.0)
    assert first.tracks.dtype == np.int32
    assert first.tracks.tolist() == [0, 1]
    assert first.boxes[0].tolist() == [10, 10, 80, 90]  # the larger one first
    later = tracker.update(
        faces([600, 60, 99, 99], [303, 52, 40, 50], [12, 10, 80, 90]), cut=False, pts_seconds=0.04
    )
    assert later.tracks.tolist() == [0, 1, 2]
    assert later.boxes[:, 0].tolist() == [12, 303, 600]
    assert tracker.update(Faces.none(), cut=False, pts_seconds=0.08).tracks.tolist() == []


def test_two_people_who_cross_keep_their_numbers():
    # 20 pixels a frame towards each other; boxes overlap fully in the middle, where one is not detected.
    frames = []
    for index in range(21):
        left, right = [100 + 20 * index, 100, 60, 70], [500 - 20 * index, 104, 62, 72]
        frames.append(faces(left) if index == 10 else faces(left, right))
    tracker = Tracker()
    found = [tracker.update(one, cut=False, pts_seconds=index / 25) for index, one in enumerate(frames)]
    assert found[0].tracks.tolist() == [0, 1]
    start = {number: box[0] for number, box in zip(found[0].tracks, found[0].boxes, strict=True)}
    end = {number: box[0] for number, box in zip(found[-1].tracks, found[-1].boxes, strict=True)}
    assert sorted(end) == [0, 1]
    for number in (0, 1):
        assert abs(end[number] - start[number]) == pytest.approx(400, abs=10)


def test_a_gap_keeps_the_number_for_a_second_of_stream_time():
    box = [100, 100, 60, 60]
    for gap, number in ((GAP_SECONDS - 0.1, 0), (GAP_SECONDS + 0.1, 1)):
        tracker = Tracker()
        tracker.update(faces(box), cut=False, pts_seconds=5.0)
        assert tracker.update(faces(box), cut=False, pts_seconds=5.0 + gap).tracks.tolist() == [number]


def test_misses_and_noise_do_not_change_numbers():
    random = np.random.default_rng(0)
    starts = np.array([[40 + 150 * person, 80 + 40 * (person % 2)] for person in range(6)], float)
    speeds = random.normal(0, 40, (6, 2))  # pixels per second
    tracker, seen = Tracker(), {}
    for index in range(100):
        people = np.flatnonzero(random.random(6) > 0.1) if index else np.arange(6)
        corners = starts + speeds * index / 25 + random.normal(0, 1.5, (6, 2))
        size = np.array([60, 75]) + random.normal(0, 1, (6, 2))
        update = tracker.update(faces(*np.hstack([corners, size])[people]), cut=False, pts_seconds=index / 25)
        for number, corner in zip(update.tracks, update.boxes[:, :2], strict=True):
            person = int(np.linalg.norm(corners - corner, axis=1).argmin())
            seen.setdefault(person, set()).add(int(number))
    assert sorted(seen) == list(range(6))
    assert sorted(next(iter(numbers)) for numbers in seen.values()) == list(range(6))
    assert all(len(numbers) == 1 for numbers in seen.values())


def test_fast_motion_without_overlap_keeps_the_number():
    frames = [faces([100 + 40 * index, 100, 60, 60]) for index in range(8)]
    assert follow(Tracker(), frames, rate=5) == [[0]] * 8


def test_a_cut_breaks_every_track():
    tracker = Tracker()
    box = [100, 100, 60, 60]
    assert tracker.update(faces(box), cut=True, pts_seconds=0.0).tracks.tolist() == [0]
    assert tracker.update(faces(box), cut=True, pts_seconds=0.04).tracks.tolist() == [1]
    assert tracker.update(faces(box), cut=False, pts_seconds=0.08).tracks.tolist() == [1]


def test_a_new_person_must_be_sure_and_a_known_one_need_not():
    tracker = Tracker(sure_score=0.9)
    person, hand = [100, 100, 60, 60], [400, 100, 60, 60]
    assert follow(
        tracker,
        [
            faces(person, hand, scores=[0.95, 0.8]),
            faces(person, hand, scores=[0.72, 0.89]),
            faces(person, hand, scores=[0.72, 0.92]),
        ],
    ) == [[0], [0], [0, 1]]


def test_max_faces_prefers_known_people_then_larger_boxes():
    small, middle, large = [10, 10, 40, 40], [200, 10, 60, 60], [400, 10, 90, 90]
    assert follow(Tracker(max_faces=2), [faces(small, middle, large)]) == [[0, 1]]
    tracker = Tracker(max_faces=2)
    assert follow(tracker, [faces(small, middle), faces(small, middle, large), faces(small, large)]) == [
        [0, 1],
        [0, 1],
        [1, 2],
    ]
    # The one who was away for a moment is known for longer than the one who took the place.
    back = tracker.update(faces(small, middle, large), cut=False, pts_seconds=0.2)
    assert back.tracks.tolist() == [0, 1]
