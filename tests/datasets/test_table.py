"""A lab's own table: CSV and Parquet, folds, splits, and every way of getting it wrong."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from aucli.datasets.labelled import MISSING
from aucli.datasets.open import open_dataset
from aucli.datasets.table import read_table, read_table_recordings
from aucli.errors import InputNotFoundError, UsageError

CSV = """subject,path,AU12,AU01,AU4_int,AU04,fold
007,a/1.png,1,0,3.5,1,1
007,a/2.png,,1,,0,1
S2,b/1.png,0,-1,0,,2
S3,c/1.png,1,1,5,1,2
"""


def write(folder, text=CSV, name="labels.csv"):
    (folder / name).write_text(text)
    return folder / name


def test_columns_become_labels_in_facs_order(tmp_path):
    faces = read_table(write(tmp_path)).faces
    assert faces.au_names == ("AU1", "AU4", "AU12")
    assert faces.labels.tolist() == [[0, 1, 1], [1, 0, MISSING], [MISSING, MISSING, 0], [1, 1, 1]]
    assert faces.subjects == ("007", "007", "S2", "S3")  # not 7
    assert faces.paths[2] == "b/1.png"
    assert faces.root == tmp_path
    np.testing.assert_array_equal(
        faces.intensity,
        np.array([[np.nan, 3.5, np.nan], [np.nan] * 3, [np.nan, 0, np.nan], [np.nan, 5, np.nan]], np.float32),
    )


def test_parquet_gives_the_same_with_its_own_types(tmp_path):
    frame = pd.DataFrame(
        {
            "subject": [7, 7, 8],
            "path": ["a.png", "b.png", "c.png"],
            "AU12": pd.array([1, None, 0], "Int8"),
            "AU01": [True, False, True],
            "AU04": [1.0, np.nan, 0.0],
            "AU12L_occ": pd.array([True, None, False], "boolean"),
        }
    )
    frame.to_parquet(tmp_path / "coding.parquet")
    faces = read_table(tmp_path / "coding.parquet").faces
    assert faces.au_names == ("AU1", "AU4", "AU12", "AU12L")
    assert faces.labels.tolist() == [[1, 1, 1, 1], [0, MISSING, MISSING, MISSING], [1, 0, 0, 0]]
    assert faces.subjects == ("7", "7", "8")
    assert faces.intensity is None


def test_occ_columns_make_plain_ones_intensities(tmp_path):
    text = "subject,path,AU6,AU6_occ,AU2\nA,1.png,1.5,0,1\nA,2.png,2.5,1,0\n"
    faces = read_table(write(tmp_path, text)).faces
    assert faces.au_names == ("AU2", "AU6")
    assert faces.labels.tolist() == [[1, 0], [0, 1]]
    assert faces.intensity[:, 1].tolist() == [1.5, 2.5]
    assert np.isnan(faces.intensity[:, 0]).all()


def test_a_fold_column_says_who_is_tested(tmp_path):
    path = write(tmp_path)
    assert open_dataset("table", path, "test", fold=1).paths == ("a/1.png", "a/2.png")
    assert open_dataset("table", tmp_path, "train", fold=1).paths == ("b/1.png", "c/1.png")
    assert open_dataset("table", path, "test", fold=2).paths == ("b/1.png", "c/1.png")
    val = open_dataset("table", path, "val", fold=1)
    held = open_dataset("table", path, "train", fold=1, hold_out=True)
    assert {*val.subjects, *held.subjects} == {"S2", "S3"}
    assert len(val) == len(held) == 1
    with pytest.raises(UsageError, match="--fold 3: this table has folds 1, 2"):
        open_dataset("table", path, "train", fold=3)
    with pytest.raises(UsageError, match="no --fold given: this table has folds 1, 2"):
        open_dataset("table", path, "train")


def test_a_split_column_says_which_part(tmp_path):
    text = "subject,path,AU1,split\nA,1.png,1,train\nB,2.png,0,val\nC,3.png,1,test\nA,4.png,0,train\n"
    path = write(tmp_path, text)
    assert open_dataset("table", path, "train").paths == ("1.png", "4.png")
    assert open_dataset("table", path, "train", hold_out=True).paths == ("1.png", "4.png")  # val is there
    assert open_dataset("table", path, "val").paths == ("2.png",)
    assert open_dataset("table", path, "test").paths == ("3.png",)


def test_a_split_without_val_keeps_somebody_back(tmp_path):
    rows = "".join(f"P{n},{n}.png,1,{'test' if n > 12 else 'train'}\n" for n in range(1, 16))
    path = write(tmp_path, "subject,path,AU1,split\n" + rows)
    val = open_dataset("table", path, "val")
    assert len(val) == 2  # 12 // 6
    held = open_dataset("table", path, "train", hold_out=True)
    assert {*val.subjects, *held.subjects} == {f"P{n}" for n in range(1, 13)}
    assert not {*val.subjects} & {*held.subjects}
    assert len(open_dataset("table", path, "train")) == 12


def test_without_columns_people_get_folds_by_the_hash_of_their_name(tmp_path):
    people = [f"P{n}" for n in range(10)]
    text = "subject,path,AU1\n" + "".join(
        f"{person},{person}-{n}.png,1\n" for person in people for n in range(2)
    )
    path = write(tmp_path, text)
    ranked = sorted(people, key=lambda person: hashlib.sha256(person.encode()).hexdigest())
    for fold in (1, 2, 3):
        test = open_dataset("table", path, "test", fold=fold)
        assert set(test.subjects) == set(ranked[fold - 1 :: 3])
        assert len(test) == 2 * len(set(test.subjects))
        train = open_dataset("table", path, "train", fold=fold)
        assert {*train.subjects} == {*people} - {*test.subjects}
    # Nothing else in the table changes who is where.
    more = write(tmp_path, text.replace("-0.png,1", "-0.png,0"), "more.csv")
    assert (
        open_dataset("table", more, "test", fold=2).subjects
        == open_dataset("table", path, "test", fold=2).subjects
    )


def test_landmarks_make_it_a_table_of_pictures_to_align(tmp_path):
    names = ",".join(f"p{point}{axis}" for point in range(5) for axis in "xy")
    path = write(tmp_path, f"subject,path,AU1,{names},split\nA,1.png,1,1,2,3,4,5,6,7,8,9,10.5,test\n")
    points = open_dataset("table", path, "test").points
    assert points.dtype == np.float32
    assert points[0].tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10.5]]


def test_au_sets_choose_columns(tmp_path):
    faces = open_dataset("table", write(tmp_path), "test", fold=1, au_set="disfa")
    assert faces.au_names == ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU25", "AU26")
    assert faces.labels[0].tolist() == [0, MISSING, 1, MISSING, MISSING, 1, MISSING, MISSING]
    path = write(tmp_path, "subject,path,AU28,split\nA,1.png,1,test\n", "other.csv")
    with pytest.raises(UsageError, match="codes none of the AUs asked for: it has AU28"):
        open_dataset("table", path, "test", au_set="bp4d")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject,AU1\nA,1\n", "no column `path`, and not both of `video` and `frame`"),
        ("path,AU1\n1.png,1\n", "no column `subject`"),
        ("subject,path\nA,1.png\n", "no column of labels"),
        ("subject,path,AU1,AU01\nA,1.png,1,1\n", "AU1 and AU01 are the same column"),
        ("subject,path,AU1,AU1\nA,1.png,1,1\n", "the column AU1 is there twice"),
        ("subject,path,AU98\nA,1.png,1\n", "column AU98: 'AU98' is not an AU"),
        ("subject,path,AU1\nA,1.png,1\nA,2.png,9\n", "line 3: AU1 is '9' and must be 1, 0, or empty"),
        ("subject,path,AU1\nA,1.png,yes\n", "line 2: AU1 is 'yes' and must be a number"),
        ("subject,path,AU1,AU1_int\nA,1.png,1,6\n", "line 2: AU1_int is '6' and must be an intensity"),
        ("subject,path,AU1\nA,,1\n", "line 2: path is '' and must be given"),
        ("subject,path,AU1\n,1.png,1\n", "line 2: subject is '' and must be given"),
        ("subject,video,frame,AU1\nA,a.mp4,1.5,1\n", "line 2: frame is '1.5'"),
        ("subject,path,AU1,fold\nA,1.png,1,0\n", "line 2: fold is '0' and must be a fold, from 1"),
        (
            "subject,path,AU1,split\nA,1.png,1,dev\n",
            "line 2: split is 'dev' and must be one of train, val, test",
        ),
        ("subject,path,AU1,split\nA,1.png,1,train\nA,2.png,1,test\n", "A is in train and in test"),
        ("subject,path,AU1,fold\nA,1.png,1,1\nA,2.png,1,2\n", "A is in fold 1 and in fold 2"),
        ("subject,path,AU1\n", "has no row"),
        ("", "is empty"),
        ("subject,path,AU1\nA,1.png,1\nA,2.png,1,1\n", "line 3: 4 cells where the header has 3"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    with pytest.raises(UsageError, match=message) as caught:
        open_dataset("table", write(tmp_path, text), "train", fold=1)
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path):
    (tmp_path / "labels.xlsx").touch()
    with pytest.raises(UsageError, match=r"must be a \.csv or \.parquet file"):
        open_dataset("table", tmp_path / "labels.xlsx", "train")
    (tmp_path / "labels.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UsageError, match="cannot be read as"):
        open_dataset("table", tmp_path / "labels.parquet", "train")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputNotFoundError, match=r"no labels\.parquet or labels\.csv here"):
        open_dataset("table", empty, "train")
    with pytest.raises(InputNotFoundError, match="does not exist"):
        open_dataset("table", tmp_path / "none.csv", "train")


def test_too_few_people_for_folds(tmp_path):
    with pytest.raises(UsageError, match="2 people are too few for 3 folds"):
        open_dataset("table", write(tmp_path, "subject,path,AU1\nA,1.png,1\nB,2.png,1\n"), "train", fold=1)


def test_video_frames_are_sent_to_prepare(tmp_path):
    path = write(tmp_path, "subject,video,frame,AU1,split\nA,a.mp4,3,1,train\n")
    with pytest.raises(UsageError, match="aucli prepare --dataset table"):
        open_dataset("table", path, "train")


def test_recordings_of_a_table(tmp_path):
    text = "subject,video,frame,AU1,fold\nA,x/a.mp4,9,1,1\nB,b.mp4,0,0,2\nA,x/a.mp4,3,,1\n"
    first, second = read_table_recordings(write(tmp_path, text))
    assert (first.name, first.subject, first.fold) == ("x/a.mp4", "A", 1)
    assert first.source == tmp_path / "x" / "a.mp4"
    assert first.frames.tolist() == [3, 9]
    assert first.labels.tolist() == [[MISSING], [1]]
    assert second.frames.tolist() == [0]
    (pictures,) = read_table_recordings(
        write(tmp_path, "subject,path,AU1\nA,q/2.png,1\nA,1.png,0\n", "p.csv")
    )
    assert pictures.pictures == ("q/2.png", "1.png")
    assert pictures.labels.tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("A,a.mp4,1,1\nB,a.mp4,2,1\n", "a.mp4 has two subjects, A and B"),
        ("A,a.mp4,1,1\nA,a.mp4,1,0\n", "frame 1 of a.mp4 stands there twice"),
        ("A,a.mp4,,1\n", "of a.mp4 has no number"),
    ],
)
def test_video_tables_that_contradict_themselves(tmp_path, rows, message):
    with pytest.raises(UsageError, match=message):
        read_table_recordings(write(tmp_path, "subject,video,frame,AU1\n" + rows))
