"""Morphed clips: their ends are the stills, their middles lie between, and `aucli train` can read them."""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aucli.datasets.table import read_table
from aucli_models.au import AU_SETS

FACES = Path(__file__).parent / "data" / "synthfaces"
SIDE = 160


@pytest.fixture(scope="module")
def morphs():
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    yield importlib.import_module("morphs")
    patch.undo()


@pytest.fixture(scope="module")
def landmarks():
    """Of one picture, and the same moved by 5 pixels to the right and 4 down, the mouth by twice that."""
    first = np.load(FACES / "landmarks68.npz")["lm64"][0].astype(np.float64) / 64
    far = np.where((np.arange(68) >= 48)[:, None], 2.0, 1.0)
    return np.stack([first, first + far * [5.0, 4.0]])


def dotted(points):
    """Black, with a white spot of a few pixels at each point."""
    down, across = np.mgrid[:SIDE, :SIDE]
    squared = [(across - x) ** 2 + (down - y) ** 2 for x, y in points]
    spots = np.exp(-np.min(squared, axis=0) / 8)
    return np.repeat((255 * spots).astype(np.uint8)[:, :, None], 3, axis=2)


def test_a_feature_moves_in_a_line_from_one_still_to_the_other(morphs, landmarks):
    few = [30, 36, 45, 48, 54]  # tip of the nose, outer corners of the eyes, corners of the mouth
    stills = np.stack([dotted(points[few]) for points in landmarks])
    first, middle, last = morphs.morph(stills, landmarks, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(first, stills[0], atol=1)
    np.testing.assert_allclose(last, stills[1], atol=1)
    for x, y in landmarks.mean(0)[few]:
        near = middle[round(y) - 4 : round(y) + 5, round(x) - 4 : round(x) + 5, 0].astype(float)
        down, across = np.mgrid[-4:5, -4:5]
        assert near.max() > 180  # one spot, not two faint ones
        assert abs((near * across).sum() / near.sum()) < 1
        assert abs((near * down).sum() / near.sum()) < 1


def test_a_course_goes_once_from_one_end_to_the_other(morphs):
    for seed in range(50):
        course = morphs.course_of(np.random.default_rng(seed))
        steps = np.diff(course)
        assert len(course) == morphs.FRAMES
        assert course.min() >= 0
        assert course.max() <= 1
        assert (steps >= 0).all() or (steps <= 0).all()
        assert np.abs(steps).max() <= 1.5 / morphs.ONSET_FRAMES[0]


def test_a_table_of_clips_is_one_that_train_reads(morphs, tmp_path):
    path = morphs.write_clips(FACES, tmp_path, au_set="disfa", clips_per_person=1, people=2)
    table = read_table(path)
    faces = table.faces
    assert faces.au_names == AU_SETS["disfa"]
    assert len(faces) == 4 * morphs.FRAMES
    assert {split: table.splits.count(split) for split in table.splits} == {"train": 40, "val": 40}
    assert faces.points.shape == (80, 5, 2)
    assert all((tmp_path / name).is_file() for name in faces.paths)
    assert faces.frames.reshape(4, -1).tolist() == [list(range(morphs.FRAMES))] * 4
    np.testing.assert_array_equal(faces.labels, faces.intensity >= 2)
    stills = pd.read_parquet(FACES / "labels.parquet")
    for number in range(4):
        mine = slice(number * morphs.FRAMES, (number + 1) * morphs.FRAMES)
        own = stills.loc[stills["subject"].astype(str) == faces.subjects[mine.start], list(faces.au_names)]
        # Each frame's intensities lie on the line between two stills of the person.
        course = faces.intensity[mine]
        assert (course <= own.to_numpy().max(0) + 1e-3).all()
        assert np.linalg.matrix_rank(course - course[0], tol=0.01) <= 1
    written = path.stat().st_mtime_ns
    assert morphs.write_clips(FACES, tmp_path, au_set="disfa", clips_per_person=1, people=2) == path
    assert path.stat().st_mtime_ns == written
