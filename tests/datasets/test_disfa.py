"""DISFA as shipped: a text file for each person and AU."""

import numpy as np
import pytest

from aucli.datasets.disfa import read_disfa
from aucli.datasets.labelled import MISSING
from aucli.datasets.open import open_dataset
from aucli.errors import InputNotFoundError, UsageError
from tests.datasets.recipes import write_disfa, write_disfa_person


def test_occurrence_is_an_intensity_of_two_and_the_intensity_is_kept(tmp_path):
    write_disfa_person(tmp_path, "SN001", {4: [0, 1, 2, 3, 4, 5]}, 6)
    (recording,) = read_disfa(tmp_path)
    assert recording.name == recording.subject == "SN001"
    assert recording.frames.tolist() == [0, 1, 2, 3, 4, 5]  # from 0, as in the authors' lists
    column = recording.au_names.index("AU4")
    assert recording.labels[:, column].tolist() == [0, 0, 1, 1, 1, 1]
    assert recording.intensity[:, column].tolist() == [0, 1, 2, 3, 4, 5]
    assert recording.labels.sum() == 4


@pytest.mark.parametrize("name", ["LeftVideoSN001_comp.avi", "LeftVideoSN001_comp.mp4"])
def test_the_left_camera_is_found(tmp_path, name):
    write_disfa_person(tmp_path, "SN001", {}, 2)
    assert read_disfa(tmp_path)[0].source == tmp_path / "Videos_LeftCamera" / "LeftVideoSN001_comp.avi"
    (tmp_path / "Videos_LeftCamera").mkdir()
    (tmp_path / "Videos_LeftCamera" / name).touch()
    (tmp_path / "Videos_LeftCamera" / "LeftVideoSN001_comp.txt").touch()
    assert read_disfa(tmp_path)[0].source == tmp_path / "Videos_LeftCamera" / name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,0\n2,0\n", "2 lines where SN001_au1.txt has 3"),
        ("1,0\n2,6\n3,0\n", "line 2: the intensity is 6"),
        ("1,0\n3,0\n4,0\n", "line 2: frame 3; frames must count up"),
        ("5,0\n6,0\n7,0\n", "line 1: frame 5"),
        ("1,0\n2,x\n3,0\n", "line 2: '2,x' are not whole numbers"),
        ("1,0\n2,0,0\n3,0\n", "line 2: 3 values where 2 are expected"),
        ("", "is empty"),
    ],
)
def test_a_malformed_file_is_named_with_its_line(tmp_path, text, message):
    folder = write_disfa_person(tmp_path, "SN001", {}, 3)
    (folder / "SN001_au6.txt").write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_disfa(tmp_path)
    assert "SN001_au6.txt" in str(caught.value)


def test_a_file_that_is_missing_is_not_taken_for_zeros(tmp_path):
    with pytest.raises(InputNotFoundError, match="ActionUnit_Labels"):
        read_disfa(tmp_path)
    folder = write_disfa_person(tmp_path, "SN001", {}, 3)
    (folder / "SN001_au26.txt").unlink()
    with pytest.raises(InputNotFoundError, match=r"SN001_au26\.txt does not exist"):
        read_disfa(tmp_path)


def test_a_fold_of_crops_in_the_authors_layout(tmp_path):
    write_disfa(tmp_path)
    (tmp_path / "img").mkdir()
    test = open_dataset("DISFA", tmp_path, "test", fold=3)
    assert test.au_names == ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU25", "AU26")
    assert len(test) == 27
    assert test.paths[:4] == ("img/SN002/0.png", "img/SN002/1.png", "img/SN002/2.png", "img/SN010/0.png")
    # 0, 1, 2 for AU12 (column 5) and 0, 0, 5 for AU6 (column 3) of each person.
    assert test.labels[:, 5].tolist() == [0, 0, 1] * 9
    assert test.labels[:, 3].tolist() == [0, 0, 1] * 9
    assert np.nansum(test.intensity) == 9 * (1 + 2 + 5)


def test_an_au_set_with_aus_that_are_not_coded(tmp_path):
    write_disfa(tmp_path)
    (tmp_path / "img").mkdir()
    faces = open_dataset("disfa", tmp_path, "test", fold=3, au_set="bp4d")
    coded = {"AU1", "AU2", "AU4", "AU6", "AU12", "AU15", "AU17"}
    for column, au in enumerate(faces.au_names):
        assert ((faces.labels[:, column] == MISSING).all()) == (au not in coded)
        assert np.isnan(faces.intensity[:, column]).all() == (au not in coded)


@pytest.mark.parametrize("fold", [None, 0, 4])
def test_a_fold_outside_of_three_is_refused(tmp_path, fold):
    write_disfa(tmp_path)
    with pytest.raises(UsageError, match="folds 1 to 3"):
        open_dataset("disfa", tmp_path, "train", fold=fold)
