"""OpenGraphAU's hybrid set: what each source codes, by rules worked out by hand."""

import numpy as np
import pytest

from aucli.datasets.labelled import MISSING
from aucli.datasets.open import open_dataset
from aucli.errors import InputNotFoundError, UsageError
from aucli_models.au import AU_SETS
from tests.datasets.recipes import (
    BP4D_AUS,
    picture,
    write_bp4d,
    write_disfa_person,
    write_lines,
)

MAIN = {f"AU{number}" for number in BP4D_AUS}


def row(faces, place):
    """Labels of a face by AU name, without the missing ones."""
    values = zip(faces.au_names, faces.labels[place].tolist(), strict=True)
    return {au: value for au, value in values if value != MISSING}


def write_ckplus(root):
    facs = root / "CK+" / "FACS"
    write_lines(
        facs / "S005" / "001" / "S005_001_00000011_facs.txt",
        [
            "   9.0000000e+00   3.0000000e+00",
            "   1.7000000e+01   1.0000000e+00",
            "   2.5000000e+01   0.0000000e+00",
        ],
    )
    # No known AU; no picture: both are left out.
    write_lines(facs / "S005" / "002" / "S005_002_00000009_facs.txt", ["   6.3000000e+01   2.0000000e+00"])
    write_lines(facs / "S005" / "003" / "S005_003_00000009_facs.txt", ["   1.2000000e+01   2.0000000e+00"])
    for sequence, name in (("001", "00000011"), ("002", "00000009")):
        picture(root / "img" / "CK+" / "S005" / sequence / f"S005_{sequence}_{name}.png", size=8)


def write_raf(root):
    write_lines(
        root / "RAF-AU" / "RAFAU_label.txt",
        ["0001.jpg 1+2+12", "2.jpg L12+28", "0003.jpg null", "0004.jpg R14"],
    )
    for part, ids in (("train", [3, 1]), ("val", [2]), ("test", [0])):
        write_lines(root / "RAF-AU" / f"RAF-AU-{part}_ids.txt", ids)


def write_casme2(root):
    header = "Subject,Filename,,OnsetFrame,ApexFrame,OffsetFrame,,Action Units,Estimated Emotion"
    write_lines(
        root / "CASME2" / "CASME2-coding-20140508.csv",
        [
            header,
            "1,EP02_01f,,46,59,48,,4+L10,disgust",
            "7,EP01_01,,5,5,5,,12,happiness",
            "2,EP03,,1,2,3,,?,others",
        ],
    )


def write_affw(root):
    for part in ("TrainFromTrain_Set", "ValFromTrain_Set", "Validation_Set"):
        write_lines(
            root / "AFFW-2" / "list" / "AU_Set" / part / f"video_{part[:3]}.txt",
            [
                "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26",
                "1,0,0,0,0,0,0,0,0,0,0,1",
                "-1,0,0,0,0,0,0,0,0,0,0,0",
                ",".join("0" * 12),
            ],
        )


def test_bp4d_codes_27_main_aus(tmp_path):
    write_bp4d(tmp_path / "BP4D", frames=(12, 13))
    faces = open_dataset("hybrid", tmp_path, "val")
    assert faces.au_names == AU_SETS["hybrid"]
    assert set(faces.subjects) == {
        f"BP4D/{person}" for person in ("F003", "M016", "F011", "M005", "F016", "M011")
    }
    assert len(faces) == 6 * 8 * 2
    assert faces.paths[0] == "img/BP4D/F003/T1/12.jpg"
    first, last = row(faces, 0), row(faces, 1)
    assert set(first) == MAIN
    assert {au for au, value in first.items() if value} == {"AU12"}
    assert set(last) == MAIN - {"AU10"}  # 9 is missing


def test_disfa_counts_from_intensity_one(tmp_path):
    write_disfa_person(tmp_path / "DISFA", "SN012", {4: [0, 1, 2]}, 3)
    faces = open_dataset("HYBRID", tmp_path, "val")
    assert [row(faces, place)["AU4"] for place in range(3)] == [0, 1, 1]
    assert set(row(faces, 0)) == {f"AU{n}" for n in (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)}
    assert faces.paths[2] == "img/DISFA/SN012/2.png"
    assert faces.intensity is None


def test_ckplus_counts_above_intensity_one(tmp_path):
    write_ckplus(tmp_path)
    faces = open_dataset("hybrid", tmp_path, "test")
    assert faces.paths == ("img/CK+/S005/001/S005_001_00000011.png",)
    labels = row(faces, 0)
    assert len(labels) == 25
    assert {au for au, value in labels.items() if value} == {"AU9"}


def test_sided_aus_add_to_the_main_one_and_12_to_11(tmp_path):
    write_raf(tmp_path)
    faces = open_dataset("hybrid", tmp_path, "train")
    assert faces.paths == (
        "img/RAF-AU/0004_aligned.jpg",
        "img/RAF-AU/0002_aligned.jpg",
    )  # in the order of the ids
    first, second = row(faces, 0), row(faces, 1)
    assert {au for au, value in first.items() if value} == {"AU14", "AU14R"}
    # As in the authors' tool: AU12L sets AU11, which RAF-AU does not code otherwise, and leaves AU12 at 0.
    assert {au for au, value in second.items() if value} == {"AU11", "AU12L"}
    assert second["AU12"] == 0
    assert "AU11" not in first
    assert len(first) == 24 + 14
    test = open_dataset("hybrid", tmp_path, "test")
    assert {au for au, value in row(test, 0).items() if value} == {"AU1", "AU2", "AU12"}
    with pytest.raises(UsageError, match="no row in part val"):  # its one picture has no AU
        open_dataset("hybrid", tmp_path, "val")


def test_casme2_takes_all_frames_from_onset_to_offset(tmp_path):
    write_casme2(tmp_path)
    train = open_dataset("hybrid", tmp_path, "train")
    assert train.paths == tuple(f"img/CASME2/sub01/EP02_01f/reg_img{n}.jpg" for n in (46, 47, 48))
    assert train.frames.tolist() == [46, 47, 48]
    for place in range(3):
        assert {au for au, value in row(train, place).items() if value} == {"AU4", "AU10", "AU10L"}
    assert set(open_dataset("hybrid", tmp_path, "test").subjects) == {"CASME2/sub07"}


def test_affw_leaves_out_frames_with_a_missing_label(tmp_path):
    write_affw(tmp_path)
    faces = open_dataset("hybrid", tmp_path, "val")
    assert faces.paths == ("img/AFFW/video_Val/00001.jpg", "img/AFFW/video_Val/00003.jpg")
    assert {au for au, value in row(faces, 0).items() if value} == {"AU1", "AU26"}
    assert len(row(faces, 1)) == 12


def test_sources_come_one_after_the_other_and_missing_ones_are_logged(tmp_path, caplog):
    write_raf(tmp_path)
    write_casme2(tmp_path)
    write_affw(tmp_path)
    faces = open_dataset("hybrid", tmp_path, "test")
    assert [path.split("/")[1] for path in faces.paths] == ["RAF-AU", "CASME2", "AFFW", "AFFW"]
    assert faces.labels.dtype == np.int8
    assert faces.labels.shape == (4, 41)
    assert "without BP4D, DISFA, CK+" in caplog.text


def test_people_that_are_not_there_are_logged(tmp_path, caplog):
    write_disfa_person(tmp_path / "DISFA", "SN012", {}, 1)
    open_dataset("hybrid", tmp_path, "val")
    assert "DISFA, part val: without SN006, SN021, SN031" in caplog.text


@pytest.mark.parametrize(
    ("file", "lines", "message"),
    [
        ("RAF-AU/RAF-AU-test_ids.txt", [9], "9 is no line of RAFAU_label.txt, which has 4"),
        ("RAF-AU/RAF-AU-test_ids.txt", ["a"], "not whole numbers"),
        ("RAF-AU/RAFAU_label.txt", ["0001.jpg"] * 4, "line 1: '0001.jpg' is not a picture and its AUs"),
        (
            "CASME2/CASME2-coding-20140508.csv",
            ["Subject,Filename"],
            "no column OnsetFrame, OffsetFrame, Action Units",
        ),
        (
            "CASME2/CASME2-coding-20140508.csv",
            ["Subject,Filename,OnsetFrame,OffsetFrame,Action Units", "1,E,x,2,4"],
            "line 2: subject, onset or offset is no whole number",
        ),
        (
            "CASME2/CASME2-coding-20140508.csv",
            ["Subject,Filename,OnsetFrame,OffsetFrame,Action Units", "7,E,9,2,4"],
            "line 2: offset 2 is before onset 9",
        ),
        ("AFFW-2/list/AU_Set/Validation_Set/v.txt", ["AU1", "1,0"], "line 1: 2 values where 12 are expected"),
        ("AFFW-2/list/AU_Set/Validation_Set/v.txt", ["AU1", ",".join("0" * 11 + "7")], "line 2: AU26 is 7"),
        ("CK+/FACS/S005/001/S005_001_00000011_facs.txt", ["9 3 1"], "line 1: '9 3 1' is not an AU"),
        ("CK+/FACS/S005/001/S005_001_00000011_facs.txt", ["9 7"], "line 1: intensity 7"),
    ],
)
def test_malformed_files_are_named(tmp_path, file, lines, message):
    for write in (write_raf, write_casme2, write_affw, write_ckplus):
        write(tmp_path)
    write_lines(tmp_path / file, lines)
    with pytest.raises(UsageError, match=message):
        open_dataset("hybrid", tmp_path, "test")


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("RAF-AU", "RAF-AU's labels"),
        ("CASME2", "saved as CSV"),
        ("AFFW-2", "is not published and up to you"),
        ("CK+", "FACS/S005"),
        ("BP4D", "AUCoding"),
        ("DISFA", "ActionUnit_Labels"),
    ],
)
def test_an_empty_source_says_what_is_expected(tmp_path, folder, message):
    (tmp_path / folder).mkdir()
    with pytest.raises(InputNotFoundError, match=message):
        open_dataset("hybrid", tmp_path, "train")


def test_the_split_of_raf_au_has_to_come_from_the_user(tmp_path):
    write_raf(tmp_path)
    (tmp_path / "RAF-AU" / "RAF-AU-train_ids.txt").unlink()
    with pytest.raises(
        InputNotFoundError, match=r"RAF-AU-train_ids\.txt does not exist: the split, which is not published"
    ):
        open_dataset("hybrid", tmp_path, "train")


def test_no_source_at_all_and_folds_are_refused(tmp_path):
    with pytest.raises(InputNotFoundError, match="none of BP4D, DISFA"):
        open_dataset("hybrid", tmp_path, "train")
    with pytest.raises(UsageError, match="hybrid has no folds"):
        open_dataset("hybrid", tmp_path, "train", fold=1)
