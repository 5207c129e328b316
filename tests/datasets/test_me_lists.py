"""List files of ME-GraphAU, OpenGraphAU and MDHR."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from aucli.datasets.labelled import MISSING
from aucli.datasets.open import open_dataset
from aucli.errors import InputNotFoundError, UsageError
from tests.datasets.recipes import write_lines

GOLDEN = json.loads((Path(__file__).parent / "goldens" / "mdhr_lists_bp4d.json").read_text())
LABELS = ["1 0 0 0 0 0 0 1", "0 0 0 0 0 1 0 0", "0 1 1 1 1 0 1 0"]


def write_fold(root, name="DISFA", fold=1, part="train", paths=(), labels=(), word="img_path"):
    (root / "img").mkdir(parents=True, exist_ok=True)
    write_lines(root / "list" / f"{name}_{part}_{word}_fold{fold}.txt", paths)
    write_lines(root / "list" / f"{name}_{part}_label_fold{fold}.txt", labels)
    return root


def test_lists_are_read_as_the_official_code_reads_them(tmp_path):
    rows = [" ".join(map(str, row)) for row in GOLDEN["labels"]]
    write_fold(tmp_path, "BP4D", paths=GOLDEN["paths"], labels=rows)
    faces = open_dataset("me-lists", tmp_path, "train", fold=1)
    assert faces.au_names == (
        *("AU1", "AU2", "AU4", "AU6", "AU7", "AU10"),
        *("AU12", "AU14", "AU15", "AU17", "AU23", "AU24"),
    )
    assert faces.labels.tolist() == GOLDEN["labels"]
    assert faces.paths == tuple(f"img/{path}" for path in GOLDEN["paths"])
    # first path, last path and number of frames of each video, as the official classes find them
    counts = Counter(faces.videos)
    for first, last, count in GOLDEN["train_videos"]:
        video = first.rpartition("/")[0]
        frames = faces.frames[[place for place, name in enumerate(faces.videos) if name == video]]
        assert counts[video] == count
        assert [f"{video}/{frames[0]}.jpg", f"{video}/{frames[-1]}.jpg"] == [first, last]
    assert set(faces.subjects) == {"F001", "M003"}


@pytest.mark.parametrize(("word", "stem"), [("img_path", ""), ("path", "SN001_")])
def test_both_ways_of_naming(tmp_path, word, stem):
    paths = [f"SN001/{stem}{frame}.png" for frame in (0, 1, 12)]
    write_fold(tmp_path, part="test", paths=paths, labels=LABELS, word=word)
    faces = open_dataset("me-lists", tmp_path, "test", fold=1)
    assert faces.frames.tolist() == [0, 1, 12]
    assert set(faces.subjects) == set(faces.videos) == {"SN001"}
    assert faces.labels[2].tolist() == [0, 1, 1, 1, 1, 0, 1, 0]


def test_mdhr_s_folder_has_lists_and_pictures_elsewhere(tmp_path):
    write_fold(tmp_path, paths=["SN001/SN001_0.png"], labels=LABELS[:1], word="path")
    (tmp_path / "img").rename(tmp_path / "img_o")
    for path in (tmp_path / "list").iterdir():
        path.rename(tmp_path / path.name)
    assert open_dataset("me-lists", tmp_path, "train", fold=1).paths == ("img_o/SN001/SN001_0.png",)


def test_hybrid_lists_have_no_fold_and_missing_labels(tmp_path):
    paths = ["BP4D/F001/T1/12.jpg", "RAF-AU/0001_aligned.jpg", "CASME2/sub01/EP02_01f/reg_img46.jpg"]
    rows = [[MISSING] * 41 for _ in paths]
    rows[0][9], rows[1][40] = 1, 0
    (tmp_path / "img").mkdir()
    write_lines(tmp_path / "list" / "hybrid_val_img_path.txt", paths)
    write_lines(tmp_path / "list" / "hybrid_val_label.txt", [" ".join(map(str, row)) for row in rows])
    faces = open_dataset("me-lists", tmp_path, "val")
    assert faces.labels.tolist() == rows
    assert faces.subjects == ("BP4D/F001", "RAF-AU/0001_aligned", "CASME2/sub01")
    assert faces.videos == ("BP4D/F001/T1", "RAF-AU/0001_aligned", "CASME2/sub01/EP02_01f")
    assert faces.frames.tolist() == [12, -1, 46]
    with pytest.raises(UsageError, match="have no folds; leave --fold out"):
        open_dataset("me-lists", tmp_path, "val", fold=1)


def test_val_is_the_last_sixth_of_the_people_in_train(tmp_path):
    people = ["SN002", "SN010", "SN001", "SN026", "SN027", "SN032", "SN030"]
    paths = [f"{person}/{frame}.png" for person in people for frame in range(3)]
    write_fold(tmp_path, paths=paths, labels=LABELS * len(people))
    assert set(open_dataset("me-lists", tmp_path, "val", fold=1).subjects) == {"SN030"}
    assert set(open_dataset("me-lists", tmp_path, "train", fold=1).subjects) == set(people)
    held = open_dataset("me-lists", tmp_path, "train", fold=1, hold_out=True)
    assert list(dict.fromkeys(held.subjects)) == people[:6]
    assert held.labels.shape == (18, 8)


@pytest.mark.parametrize("file", ["DISFA_weight_fold1.txt", "DISFA_train_weight_fold1.txt"])
def test_weights_that_are_not_those_of_the_labels_are_pointed_out(tmp_path, caplog, file):
    # Each AU once in two of four pictures, but AU26 in one: rates 1/2 (7 times) and 1/4.
    labels = ["1 0 1 0 1 0 1 1", "1 0 1 0 1 0 1 0", "0 1 0 1 0 1 0 0", "0 1 0 1 0 1 0 0"]
    write_fold(tmp_path, paths=[f"SN001/{n}.png" for n in range(4)], labels=labels)
    # 1/r is 2 seven times and 4: the sum is 18, times 8.
    weights = tmp_path / "list" / file
    weights.write_text("\t".join(["0.888889"] * 7 + ["1.777778"]) + "\n")
    open_dataset("me-lists", tmp_path, "train", fold=1)
    assert not caplog.records
    weights.write_text("\t".join(["0.888889"] * 7 + ["1.777768"]) + "\n")
    open_dataset("me-lists", tmp_path, "train", fold=1)
    assert file in caplog.text
    weights.write_text("1 2 3\n")
    with pytest.raises(UsageError, match="3 numbers where 8 weights"):
        open_dataset("me-lists", tmp_path, "train", fold=1)


@pytest.mark.parametrize(
    ("paths", "labels", "message"),
    [
        (["SN001/0.png"], LABELS[:2], "2 lines for the 1 pictures of DISFA_train_img_path_fold1.txt"),
        (["SN001/0.png"], ["1 0 0 0 0 0 0"], r"7 labels a line; known are 12 \(bp4d\), 8 \(disfa\)"),
        (["SN001/0.png"], ["1 0 0 0 0 0 0 2"], "line 1: AU26 is 2"),
        (["SN001/0.png"], ["1 0 0 0 0 0 0 x"], "line 1: .* are not whole numbers"),
        (["a/0.png", "a/1.png"], [LABELS[0], "1 0"], "line 2: 2 values where 8 are expected"),
        (["../0.png"], LABELS[:1], r"line 1: '../0.png' is not the path of a picture below img/"),
        (["/etc/0.png"], LABELS[:1], "is not the path of a picture below img/"),
        (["a/0.png", "", "b/0.png"], LABELS, "line 2: '' is not the path"),
        ([], [], "is empty"),
    ],
)
def test_lists_that_do_not_fit_are_refused(tmp_path, paths, labels, message):
    write_fold(tmp_path, paths=paths, labels=labels)
    with pytest.raises(UsageError, match=message):
        open_dataset("me-lists", tmp_path, "train", fold=1)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(InputNotFoundError, match="no list files here"):
        open_dataset("me-lists", tmp_path, "train", fold=1)
    write_fold(tmp_path, paths=["SN001/0.png"], labels=LABELS[:1])
    with pytest.raises(InputNotFoundError, match=r"DISFA_test_img_path_fold1\.txt does not exist"):
        open_dataset("me-lists", tmp_path, "test", fold=1)
    with pytest.raises(UsageError, match="folds 1 to 3"):
        open_dataset("me-lists", tmp_path, "train", fold=4)
    with pytest.raises(UsageError, match="say which one"):
        open_dataset("me-lists", tmp_path, "train")
    (tmp_path / "img").rmdir()
    with pytest.raises(InputNotFoundError, match="no folder img"):
        open_dataset("me-lists", tmp_path, "train", fold=1)
    write_fold(tmp_path, name="BP4D")
    with pytest.raises(UsageError, match="lists of BP4D, DISFA; exactly one"):
        open_dataset("me-lists", tmp_path, "train", fold=1)


def test_a_hundred_thousand_lines_take_seconds(tmp_path):
    import time

    paths = [f"SN001/{number}.png" for number in range(100_000)]
    write_fold(tmp_path, paths=paths, labels=[LABELS[number % 3] for number in range(100_000)])
    start = time.process_time()
    faces = open_dataset("me-lists", tmp_path, "train", fold=1)
    assert time.process_time() - start < 10
    assert np.array_equal(faces.frames, np.arange(100_000))
