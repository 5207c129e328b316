"""BP4D as shipped: one CSV file for each recording."""

import numpy as np
import pytest

from aucli.datasets.bp4d import read_bp4d
from aucli.datasets.labelled import MISSING
from aucli.datasets.open import open_dataset
from aucli.errors import InputNotFoundError, UsageError
from tests.datasets.recipes import BP4D_PEOPLE, picture, write_bp4d, write_bp4d_csv


def test_a_recording_is_read_with_9_as_missing(tmp_path):
    write_bp4d_csv(tmp_path, "F001", "T1", {2440: {1: 1, 12: 1}, 2441: {12: 9, 39: 1}, 2450: {}})
    (recording,) = read_bp4d(tmp_path)
    assert (recording.name, recording.subject) == ("F001/T1", "F001")
    assert recording.frames.tolist() == [2440, 2441, 2450]
    column = {au: recording.labels[:, i].tolist() for i, au in enumerate(recording.au_names)}
    assert column["AU1"] == [1, 0, 0]
    assert column["AU12"] == [1, MISSING, 0]
    assert column["AU39"] == [0, 1, 0]
    assert "AU30" not in column  # no AU of any set; the owners' files have such columns
    assert len(column) == 27


def test_only_aus_that_all_files_have_are_in_the_dataset(tmp_path):
    write_bp4d_csv(tmp_path, "F001", "T1", {1: {}})
    short = tmp_path / "AUCoding" / "AU_OCC" / "F001_T2.csv"
    short.write_text("0,1,2,4,6,7,10,12,14,15,17,23,24\n5,0,0,0,0,0,0,1,0,0,0,0,0\n")
    recordings = read_bp4d(tmp_path)
    assert {one.au_names for one in recordings} == {
        ("AU1", "AU2", "AU4", "AU6", "AU7", "AU10", "AU12", "AU14", "AU15", "AU17", "AU23", "AU24")
    }
    assert recordings[1].labels.tolist() == [[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize("base", ["Sequences(2D+3D)", "2D+3D", "."])
def test_pictures_are_found_where_they_may_be(tmp_path, base):
    write_bp4d_csv(tmp_path, "M003", "T8", {1: {}})
    folder = picture(tmp_path / base / "M003" / "T8" / "0001.jpg").parent
    assert read_bp4d(tmp_path)[0].source.samefile(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("0,1,2\n1,0,0\n", r"line 1: no column for AU4, AU6"),
        ("0,1,2,4,6,7,10,12,14,15,17,23,24\n", "has no row"),
        ("0,1,2,4,6,7,10,12,14,15,17,23,24,1\n1" + ",0" * 13 + "\n", "two columns"),
        (
            "0,1,2,4,6,7,10,12,14,15,17,23,24\n1" + ",0" * 11 + "\n",
            "line 2: 12 cells where the header has 13",
        ),
        (
            "0,1,2,4,6,7,10,12,14,15,17,23,24\n1" + ",0" * 11 + ",2\n",
            "line 2: AU24 is 2, which is none of 0, 1, 9",
        ),
        (
            "0,1,2,4,6,7,10,12,14,15,17,23,24\n1" + ",0" * 12 + "\n2" + ",0" * 11 + ",x\n",
            "line 3: a cell is no",
        ),
        (
            "0,1,2,4,6,7,10,12,14,15,17,23,24\n2" + ",0" * 12 + "\n2" + ",0" * 12 + "\n",
            "line 3: the frame number",
        ),
        ('0,1,2\n1,"0,0\n', "not valid CSV"),
    ],
)
def test_a_malformed_file_is_named_with_its_line(tmp_path, text, message):
    path = write_bp4d_csv(tmp_path, "F001", "T1", {1: {}})
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_bp4d(tmp_path)
    assert "F001_T1.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(InputNotFoundError, match=r"AUCoding/AU_OCC/F001_T1\.csv"):
        read_bp4d(tmp_path)
    write_bp4d_csv(tmp_path, "F001", "T1", {1: {}})
    with pytest.raises(InputNotFoundError, match=r"F001_T2\.csv does not exist"):
        read_bp4d(tmp_path, ["F001"])
    (tmp_path / "AUCoding" / "AU_OCC" / "F001_T1.csv").unlink()
    with pytest.raises(InputNotFoundError, match="no label file here"):
        read_bp4d(tmp_path)


def test_a_fold_of_crops_in_the_authors_layout(tmp_path, caplog):
    write_bp4d(tmp_path)
    (tmp_path / "img").mkdir()
    test = open_dataset("BP4D", tmp_path, "test", fold=1)
    assert len(test) == 13 * 8 * 2
    assert test.au_names[:4] == ("AU1", "AU2", "AU4", "AU6")
    assert test.paths[0] == "img/F007/T1/7.jpg"  # the first person of part 3
    assert (test.videos[0], test.frames[0]) == ("F007/T1", 7)
    assert test.points is None
    column = {au: test.labels[:, i] for i, au in enumerate(test.au_names)}
    assert (column["AU12"] == 1).sum() == 13 * 8
    assert (column["AU10"] == MISSING).sum() == 13 * 8
    assert "208 faces here, 46034 in the published lists" in caplog.text
    train = open_dataset("bp4d", tmp_path, "train", fold=1)
    assert {*train.subjects, *test.subjects} == set(BP4D_PEOPLE)
    assert not {*train.subjects} & {*test.subjects}
    val = open_dataset("bp4d", tmp_path, "val", fold=1)
    held = open_dataset("bp4d", tmp_path, "train", fold=1, hold_out=True)
    assert len(val) + len(held) == len(train) == 28 * 8 * 2
    assert not {*val.subjects} & {*held.subjects}


def test_other_au_sets(tmp_path):
    write_bp4d(tmp_path, frames=(1,))
    (tmp_path / "img").mkdir()
    hybrid = open_dataset("bp4d", tmp_path, "test", fold=2, au_set="hybrid")
    assert hybrid.labels.shape == (14 * 8, 41)
    assert (hybrid.labels[:, 27:] == MISSING).all()  # BP4D codes no sides
    assert (hybrid.labels[:, hybrid.au_names.index("AU12")] == 1).all()
    assert not np.any(hybrid.labels[:, hybrid.au_names.index("AU39")])


def test_uncropped_folders_are_sent_to_prepare(tmp_path):
    write_bp4d(tmp_path, people=["F001"])
    with pytest.raises(InputNotFoundError, match="aucli prepare --dataset bp4d"):
        open_dataset("bp4d", tmp_path, "train", fold=1)
