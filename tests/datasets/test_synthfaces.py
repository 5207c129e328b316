"""The rendered faces in the repository."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aucli.datasets.open import open_dataset
from aucli.errors import InputNotFoundError, UsageError
from aucli_models.au import AU_SETS

FACES = Path(__file__).parents[1] / "data" / "synthfaces"


@pytest.mark.parametrize(("part", "people"), [("train", 6), ("val", 2), ("test", 2)])
def test_parts_are_the_folder_s_own(part, people):
    faces = open_dataset("synthfaces", FACES, part)
    table = pd.read_parquet(FACES / "labels.parquet")
    table = table[table["split"] == part]
    assert faces.paths == tuple(table["path"])
    assert len(set(faces.subjects)) == people
    assert faces.au_names == AU_SETS["synth"]
    # The folder's own occurrence columns, made by its renderer.
    assert np.array_equal(faces.labels, table[[f"{au}_occ" for au in AU_SETS["synth"]]].to_numpy(np.int8))
    assert faces.points.shape == (len(table), 5, 2)
    assert faces.points[3, 4].tolist() == pytest.approx(table[["p4x", "p4y"]].iloc[3].tolist())
    assert faces.intensity.max() <= 5
    assert all((FACES / path).is_file() for path in faces.paths)


def test_landmarks_are_those_of_the_rows():
    faces = open_dataset("synthfaces", FACES, "val")
    table = pd.read_parquet(FACES / "labels.parquet")
    stored = np.load(FACES / "landmarks68.npz")["lm64"][table.index[table["split"] == "val"]]
    np.testing.assert_allclose(faces.landmarks, stored / 64)
    # The eye point of the five is inside the ring about that eye.
    rings = faces.landmarks[:, 36:42]
    assert (np.abs(rings.mean(1) - faces.points[:, 0]) < 5).all()


def test_landmarks_may_be_missing_but_not_of_others(tmp_path):
    shutil.copy(FACES / "labels.parquet", tmp_path)
    assert open_dataset("synthfaces", tmp_path, "val").landmarks is None
    np.savez(tmp_path / "landmarks68.npz", lm64=np.zeros((3, 68, 2), np.int16))
    with pytest.raises(UsageError, match=r"landmarks68\.npz: is not the landmarks .*\(3, 68, 2\), not \(200"):
        open_dataset("synthfaces", tmp_path, "val")
    (tmp_path / "landmarks68.npz").write_bytes(b"no archive")
    with pytest.raises(UsageError, match="is not the landmarks"):
        open_dataset("synthfaces", tmp_path, "val")


def test_sides_are_there_when_asked_for():
    faces = open_dataset("synthfaces", FACES, "test", au_set="hybrid")
    table = pd.read_parquet(FACES / "labels.parquet")
    side = table[table["split"] == "test"]["AU12R_occ"].to_numpy(np.int8)
    assert np.array_equal(faces.labels[:, faces.au_names.index("AU12R")], side)
    assert (faces.labels[:, faces.au_names.index("AU11")] == -1).all()  # it is not modelled


def test_a_folder_without_val_keeps_people_back_and_one_of_test_only_says_so(tmp_path):
    table = pd.read_parquet(FACES / "labels.parquet")
    table["split"] = table["split"].replace({"val": "train"})
    table.to_parquet(tmp_path / "labels.parquet")
    val = open_dataset("synthfaces", tmp_path, "val")
    held = open_dataset("synthfaces", tmp_path, "train", hold_out=True)
    assert set(val.subjects) == {"3007"}  # the last of 8: 8 // 6 = 1
    assert len(set(held.subjects)) == 7
    assert len(set(open_dataset("synthfaces", tmp_path, "train").subjects)) == 8
    table.assign(split="test").to_parquet(tmp_path / "labels.parquet")
    assert len(open_dataset("synthfaces", tmp_path, "test")) == 200
    with pytest.raises(UsageError, match=r"no picture of part train; there is test \(10 people\)"):
        open_dataset("synthfaces", tmp_path, "train")


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(InputNotFoundError, match=r"no labels\.parquet"):
        open_dataset("synthfaces", tmp_path, "train")
    pd.DataFrame({"path": ["a"], "split": ["train"]}).to_parquet(tmp_path / "labels.parquet")
    with pytest.raises(UsageError, match="is not the table of synthfaces: it has no column AU1"):
        open_dataset("synthfaces", tmp_path, "train")
    with pytest.raises(UsageError, match="synthfaces has no folds"):
        open_dataset("synthfaces", FACES, "train", fold=1)


def test_wrong_names_are_refused(tmp_path):
    with pytest.raises(UsageError, match="choose one of bp4d, disfa"):
        open_dataset("AffectNet", FACES, "train")
    with pytest.raises(UsageError, match="choose one of train, val, test"):
        open_dataset("synthfaces", FACES, "dev")
    with pytest.raises(UsageError, match="--au-set 'all'"):
        open_dataset("synthfaces", FACES, "train", au_set="all")
    with pytest.raises(InputNotFoundError, match="does not exist"):
        open_dataset("synthfaces", tmp_path / "none", "train")
