"""The authors' annotation files: there and back, and what is wrong with one is named."""

import json

import numpy as np
import pytest

from aucli.datasets.scc_annotations import Annotations, read_annotations, write_annotations
from aucli.errors import InputNotFoundError, UsageError

# M017/T8/336 of the authors' repository: places as they published them, intensities made up.
PLACES = [
    (55, 105.5), (198.5, 104.5), (102, 166), (158, 165), (84, 164), (174, 164), (61, 156.5), (192.5, 155),
    (131, 191), (130.5, 210.5),
]  # fmt: skip
GRADES = [2, 3, 4, 0, 1]


def entry(**changes):
    numbers = [value for place, (x, y) in enumerate(PLACES) for value in (x, y, GRADES[place // 2])]
    return {"imgpath": "M017/T8/336.jpg", "AUs": numbers} | changes


def written(path, entries):
    path.write_text(json.dumps(entries))
    return path


def test_the_authors_form_is_read(tmp_path):
    found = read_annotations(written(tmp_path / "a.json", [entry()]), "bp4d_intensity")
    assert found.paths == ("M017/T8/336.jpg",)
    np.testing.assert_array_equal(found.points[0], np.array(PLACES, np.float32))
    np.testing.assert_array_equal(found.intensities[0], GRADES)


def test_there_and_back(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.integers(0, 512, (3, 24, 2)).astype(np.float32) / 2
    grades = rng.integers(0, 6, (3, 12)).astype(np.float32)
    given = Annotations("disfa_intensity", ("a/1.png", "a/2.png", "b/1.png"), points, grades)
    write_annotations(tmp_path / "b.json", given)
    raw = json.loads((tmp_path / "b.json").read_text())
    assert [len(one["AUs"]) for one in raw] == [72] * 3
    assert raw[0]["AUs"][:3] == [float(points[0, 0, 0]), float(points[0, 0, 1]), float(grades[0, 0])]
    assert raw[0]["AUs"][3 * 4 + 2] == grades[0, 2]  # AU 4 has one point, the fifth
    found = read_annotations(tmp_path / "b.json", "disfa_intensity")
    assert found.paths == given.paths
    np.testing.assert_array_equal(found.points, points)
    np.testing.assert_array_equal(found.intensities, grades)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "holds no list"),
        ([], "holds no list"),
        ([entry(), {"imgpath": "a.jpg"}], "entry 2: must have imgpath and AUs"),
        ([entry(imgpath="../a.jpg")], r"entry 1: '\.\./a\.jpg' is not the path"),
        ([entry(AUs=[1.0] * 29)], "29 numbers in AUs where 10 points have 30"),
        ([entry(AUs=["1"] * 30)], "numbers only"),
        ([entry(AUs=[float("nan")] * 30)], "not finite"),
        ([entry(AUs=[7.0] * 30)], "must be 0 to 5"),
        ([entry(AUs=[1, 1, 1, 1, 1, 2, *[1] * 24])], "points of AU6 must have one intensity"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, entries, message):
    with pytest.raises(UsageError, match=message):
        read_annotations(written(tmp_path / "c.json", entries), "bp4d_intensity")


def test_files_that_are_none(tmp_path):
    with pytest.raises(InputNotFoundError):
        read_annotations(tmp_path / "none.json", "bp4d_intensity")
    (tmp_path / "d.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is no JSON"):
        read_annotations(tmp_path / "d.json", "bp4d_intensity")
