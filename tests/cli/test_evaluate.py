"""`aucli evaluate` and `aucli calibrate` as a user types them.

All but one run in this process: each process of its own would take seconds to import torch.
"""

import base64
import csv
import json
import re

import pandas as pd
import pytest

import aucli as package
from tests.cli.commands import EXAMPLES, aucli_here
from tests.cli.commands import aucli as in_a_process
from tests.cli.test_wrong_use import refused
from tests.evaluation.folders import FACES, disfa_folder, disfa_lists, install_folds


@pytest.fixture
def aucli(tmp_path, monkeypatch):
    """Runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return aucli_here


ON_FACES = ["evaluate", "--dataset", "synthfaces", "--root", FACES]


def test_a_table_a_csv_file_and_a_page(aucli, tmp_path):
    places = ["--csv", tmp_path / "scores.csv", "--report", tmp_path / "report"]
    done = aucli(*ON_FACES, "--device", "cpu", *places)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(re.match(r" AU12 +40 +0\.20 +0\.706 \[", line) for line in lines)
    assert any(line.startswith(" mean ") for line in lines)
    assert "Nowhere labelled positive" in done.stdout
    assert "rough for so few people" in done.stdout

    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    au12 = next(row for row in rows if (row["au"], row["decision"]) == ("AU12", "protocol"))
    assert float(au12["f1"]) == pytest.approx(12 / 17, abs=1e-5)
    assert [int(au12[name]) for name in ("tp", "fp", "fn", "tn")] == [6, 3, 2, 29]
    assert {row["decision"] for row in rows} == {"protocol", "card"}
    assert next(row for row in rows if row["au"] == "AU27")["auc"] == ""  # never positive: no figure

    pictures = {path.stem: path.read_bytes() for path in (tmp_path / "report").glob("*.png")}
    assert set(pictures) == {"bars", "roc", "precision_recall", "calibration", "cooccurrence"}
    assert all(picture.startswith(b"\x89PNG") and len(picture) > 5000 for picture in pictures.values())
    page = (tmp_path / "report" / "report.html").read_text()
    embedded = [base64.b64decode(found) for found in re.findall(r"data:image/png;base64,([^\"]+)", page)]
    assert sorted(embedded) == sorted(pictures.values())
    assert not re.search(r"(src|href)=\"(?!data:)", page)  # needs nothing beside it
    inside = json.loads(re.search(r'id="scores">(.*?)</script>', page, flags=re.DOTALL)[1])
    assert inside == json.loads((tmp_path / "report" / "scores.json").read_text())
    assert inside["tested"][0]["aus"]["AU12"]["protocol"]["f1"] == pytest.approx(12 / 17, abs=1e-5)


def test_all_folds_with_the_papers_beside_them(aucli, tmp_path):
    disfa_lists(tmp_path / "DISFA", per_person=4)
    install_folds()
    command = ["evaluate", "--dataset", "me-lists", "--root", "DISFA", "--fold", "all", "--draws", "50"]
    done = aucli(*command, "--model", "lab_resnet10.disfa", "--report", "page.html")
    assert done.returncode == 0, done.stderr
    assert re.search(r"F1 mean ± sd .* fold 1 +fold 2 +fold 3", done.stdout)
    measured, papers = done.stdout.split("F1 as published for the same protocol, not measured here")
    assert "0.649" not in measured
    assert re.search(r"mean +0\.\d+ .*0\.631.* 0\.649 +0\.662", papers)
    assert "CVPR 2024" in papers
    page = (tmp_path / "page.html").read_text()
    assert "As published, not measured here" in page
    assert list(tmp_path.glob("*.png")) == []


def test_disfa_as_its_owners_ship_it(tmp_path):
    disfa_folder(tmp_path / "DISFA")
    command = ["evaluate", "--dataset", "DISFA", "--root", tmp_path / "DISFA", "--fold", "2", "--json"]
    done = in_a_process(*command, "--draws", "20")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["aus"] == ["AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU25", "AU26"]
    assert (found["tested"][0]["faces"], found["tested"][0]["subjects"]) == (18, 9)
    assert found["papers_not_measured_here"][0]["system"] == "ME-GraphAU"
    assert found["tested"][0]["leak"] is None


def test_a_leak_is_refused_or_marked(aucli, tmp_path):
    done = aucli(*ON_FACES, "--part", "train", "--csv", "scores.csv")
    assert refused(done, "was trained on this part of synthfaces", "--allow-leak")
    assert list(tmp_path.iterdir()) == []
    done = aucli(*ON_FACES, "--part", "train", "--allow-leak", "--draws", "0")
    assert done.returncode == 0
    assert "LEAK ALLOWED" in done.stdout


def test_an_extraction_against_labels(aucli, tmp_path, request):
    truth = pd.read_csv(request.path.parents[1] / "inference" / "mini_smile.csv")
    truth["video"] = "smile"
    columns = ["video", "frame", *(name for name in truth if name.endswith("_occ"))]
    truth[columns].to_csv(tmp_path / "labels.csv", index=False)
    package.extract(EXAMPLES / "smile.mp4", output="out.parquet", every=5)
    compared = ["evaluate", "--predictions", "out.parquet"]
    done = aucli(*compared, "--labels", "labels.csv")
    assert done.returncode == 0, done.stderr
    assert "18 of 90 labels found a row" in done.stdout
    assert "72 of frames that were not" in done.stdout
    done = aucli(*compared, "--labels", "labels.csv", "--track", "7")
    assert refused(done, "no label finds a row", "18 of faces")


def test_calibrate_then_extract(aucli, tmp_path):
    command = ["calibrate", "--dataset", "synthfaces", "--root", FACES, "-o", tmp_path / "own"]
    done = aucli(*command, "--name", "lab1")
    assert done.returncode == 0, done.stderr
    assert "They keep what they had: AU1 (3 of 40 positive)" in done.stdout
    card = json.loads((tmp_path / "own" / "lab1.json").read_text())
    assert card["fitted_on"]["part"] == "val"
    assert str(card["thresholds"]["AU25"])[:4] in done.stdout
    done = aucli(
        "evaluate",
        "--dataset",
        "synthfaces",
        "--root",
        FACES,
        "--model",
        tmp_path / "own" / "lab1.json",
        "--part",
        "val",
    )
    assert "were fitted to this part" in done.stdout
    assert refused(aucli(*command, "--name", "lab1"), "lab1.json exists", "--name")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["--dataset and --root", "for instance"]),
        (["--dataset", "disfa", "--root", "."], ["--fold 1"]),
        (["--dataset", "disfa", "--root", ".", "--fold", "4"], ["--fold 4", "1 to 3"]),
        (["--dataset", "disfa", "--root", ".", "--fold", "x"], ["--fold x", "--fold all"]),
        (["--dataset", "synthfaces", "--root", FACES, "--fold", "1"], ["--fold 1", "no folds"]),
        (["--dataset", "none", "--root", "."], ["none", "synthfaces"]),
        (["--dataset", "synthfaces", "--root", "nowhere"], ["nowhere", "does not exist"]),
        ([*ON_FACES[1:], "--model", "bultin"], ["bultin", "builtin"]),
        ([*ON_FACES[1:], "--au-set", "hybrid"], ["does not predict AU11", "aucli models list"]),
        ([*ON_FACES[1:], "--device", "cuda:99"], ["cuda:99"]),
        ([*ON_FACES[1:], "--csv", "nowhere/x.csv"], ["nowhere/x.csv", "mkdir"]),
        ([*ON_FACES[1:], "--report", "nowhere/report"], ["nowhere/report", "mkdir"]),
        ([*ON_FACES[1:], "--labels", "x.csv"], ["--predictions", "--labels"]),
        (["--predictions", "x.parquet"], ["--labels"]),
        (["--predictions", "x.parquet", "--model", "builtin"], ["leave out --model"]),
        (["--predictions", "x.parquet", "--labels", "x.csv", "--dataset", "disfa"], ["--dataset"]),
    ],
    ids=lambda value: " ".join(map(str, value[-2:])),
)
def test_wrong_use_of_evaluate(aucli, tmp_path, arguments, words):
    assert refused(aucli("evaluate", *arguments), *words)
    assert list(tmp_path.iterdir()) == []


def test_thresholds_are_never_fitted_to_test_subjects(aucli, tmp_path):
    command = ["calibrate", "--dataset", "synthfaces", "--root", FACES, "-o", "own", "--part", "test"]
    assert refused(aucli(*command), "--part test", "never fitted to test subjects")
    assert list(tmp_path.iterdir()) == []
