"""One video from file to rows: the synthetic clips with known truth, real faces, and all containers."""

import numpy as np
import pandas as pd
import pytest

from aucli.config import ExtractConfig
from aucli.inference.parallel_detector import ParallelDetector, useful_threads
from tests.clips import RECIPES, pan_over, photo_astronaut, photo_t1
from tests.inference.analysed import EXAMPLES, analysed


@pytest.fixture(scope="module")
def smile(detector, predictor):
    return analysed(EXAMPLES / "smile.mp4", detector, predictor)


@pytest.fixture(scope="module")
def smile_truth(request):
    return pd.read_csv(request.path.parent / "mini_smile.csv")


def test_one_row_a_frame_at_its_exact_time(smile, smile_truth):
    np.testing.assert_array_equal(smile.frames, smile_truth["frame"])
    np.testing.assert_array_equal(smile.times, smile_truth["pts"] / 600)  # exactly, not nearly
    assert smile.has_face.all()
    assert set(smile.tracks) == {0}


def test_the_smile_is_followed_in_time(smile, smile_truth, predictor):
    """The figure that matters to a user: AU12 over time against the course that was rendered."""
    au12 = smile.probabilities[:, predictor.card.au_names.index("AU12")]
    assert np.corrcoef(au12, smile_truth["AU12"])[0, 1] > 0.7


def test_boxes_lie_on_the_faces(smile, smile_truth):
    centre = smile.boxes[:, :2] + smile.boxes[:, 2:] / 2
    for axis, (low, high) in enumerate((("x0", "x1"), ("y0", "y1"))):
        assert (centre[:, axis] > smile_truth[low]).all()
        assert (centre[:, axis] < smile_truth[high]).all()


def test_two_people_keep_their_tracks(detector, predictor, request):
    truth = pd.read_csv(request.path.parent / "mini_two.csv")
    rows = analysed(EXAMPLES / "two_people.mp4", detector, predictor)
    assert len(rows.frames) == len(truth)
    np.testing.assert_array_equal(rows.times, np.sort(truth["pts"]) / 600)
    assert set(rows.tracks) == {0, 1}
    # Each track stays on one person: nearest true box centre in every frame.
    centre = rows.boxes[:, 0] + rows.boxes[:, 2] / 2
    wide = truth.assign(x=(truth["x0"] + truth["x1"]) / 2).pivot(index="frame", columns="face", values="x")
    nearest = np.abs(wide.to_numpy()[rows.frames] - centre[:, None]).argmin(1)
    assert all(len(set(nearest[rows.tracks == track])) == 1 for track in (0, 1))
    assert len(set(zip(rows.tracks, nearest, strict=True))) == 2


@pytest.mark.parametrize(
    ("photo", "width", "height", "people"), [(photo_t1, 960, 664, 6), (photo_astronaut, 320, 240, 1)]
)
def test_real_people_are_found_and_kept(tmp_path, detector, predictor, photo, width, height, people):
    clip = RECIPES["cfr_mp4"].write(tmp_path / "pan.mp4", pan_over(photo(), width, height, 12, travel=0.03))
    rows = analysed(clip, detector, predictor)
    assert (np.bincount(rows.tracks) == 12).all()
    assert set(rows.tracks) == set(range(people))


@pytest.fixture(scope="module")
def face_frames():
    return list(pan_over(photo_astronaut(), 400, 400, 10))


@pytest.fixture(scope="module")
def plain(tmp_path_factory, face_frames, detector, predictor):
    path = tmp_path_factory.mktemp("plain") / "clip.mp4"
    return analysed(RECIPES["cfr_mp4"].write(path, face_frames), detector, predictor)


KINDS = ["vfr_mp4", "rotated_90_mp4", "bframes_mp4", "vfr_mkv", "vp9_webm", "bframes_mpeg4_avi", "mpeg_ts"]


@pytest.mark.parametrize("kind", KINDS)
def test_any_container_gives_the_same_faces_at_its_own_times(
    tmp_path, kind, face_frames, plain, detector, predictor
):
    recipe = RECIPES[kind]
    rows = analysed(recipe.write(tmp_path / f"clip{recipe.suffix}", face_frames), detector, predictor)
    np.testing.assert_array_equal(rows.frames, plain.frames)
    np.testing.assert_array_equal(rows.tracks, plain.tracks)
    # Other codecs blur differently, and a box may lie a little aside.
    assert np.abs(rows.boxes - plain.boxes).max() < 0.15 * plain.boxes[:, 2].mean()
    want = np.array([float(time) for time in recipe.times(len(face_frames))])
    start = rows.times[0] - want[0]  # transport streams begin at 1.4 s
    np.testing.assert_allclose(
        rows.times - start, want, atol=1e-3 if kind.endswith(("mkv", "webm")) else 1e-9
    )


@pytest.fixture(scope="module")
def reference(detector, predictor):
    return analysed(EXAMPLES / "two_people.mp4", detector, predictor, threaded=False)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_batch_size_changes_nothing(reference, detector, predictor, monkeypatch, batch_size):
    monkeypatch.setattr(predictor, "batch_size", batch_size)  # loading the network again takes seconds
    rows = analysed(EXAMPLES / "two_people.mp4", detector, predictor)
    np.testing.assert_array_equal(rows.frames, reference.frames)
    # Rounding of float32, which the calibration's slope (up to 12) makes larger: 1.1e-6 measured.
    np.testing.assert_allclose(rows.probabilities, reference.probabilities, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(rows.boxes, reference.boxes)


def test_rarer_detections_keep_fewer_threads_busy():
    assert [useful_threads(every) for every in (1, 2, 3, 5, 25)] == [6, 3, 2, 1, 1]


def test_threads_change_nothing(reference, detector, predictor):
    rows = analysed(EXAMPLES / "two_people.mp4", ParallelDetector(detector, 3), predictor)
    np.testing.assert_array_equal(rows.landmarks, reference.landmarks)
    np.testing.assert_allclose(rows.probabilities, reference.probabilities, rtol=0, atol=1e-6)


def test_skipped_detections_are_filled_in(smile, detector, predictor):
    """Five times fewer detections: the same rows, landmarks within a few hundredths of the face."""
    rows = analysed(EXAMPLES / "smile.mp4", detector, predictor, ExtractConfig(detect_every=5))
    np.testing.assert_array_equal(rows.frames, smile.frames)
    np.testing.assert_array_equal(rows.tracks, smile.tracks)
    error = np.linalg.norm(rows.landmarks - smile.landmarks, axis=2).mean(1) / smile.boxes[:, 2]
    assert np.median(error) < 0.02
    assert error.max() < 0.08


def test_frames_without_a_face_are_rows(tmp_path, detector, predictor):
    blank = [np.full((128, 128, 3), 90, np.uint8)] * 5
    rows = analysed(RECIPES["cfr_mp4"].write(tmp_path / "blank.mp4", blank), detector, predictor)
    assert len(rows.frames) == 5
    assert not rows.has_face.any()
    assert len(rows.probabilities) == 0
