"""`aucli prepare` as a user types it."""

import json
import shlex
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from tests.cli.commands import AUCLI, EXAMPLES
from tests.cli.commands import aucli_here as aucli
from tests.cli.test_help import HEAVY, help_text
from tests.datasets.recipes import write_disfa_person


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    (folder / "Videos_LeftCamera").mkdir()
    shutil.copy(EXAMPLES / "two_people.mp4", folder / "Videos_LeftCamera" / "LeftVideoSN001_comp.mp4")
    write_disfa_person(folder, "SN001", {12: [0, 1, 2, 3] * 9}, 36)
    return folder


def test_from_a_dataset_to_crops(raw, tmp_path):
    done = aucli("prepare", "--dataset", "DISFA", raw, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "36 coded frames: 36 crops, 0 without a face, 0 not there or unreadable" in done.stdout
    assert f"--dataset disfa --root {tmp_path / 'out'}" in done.stdout
    table = pd.read_parquet(tmp_path / "out" / "labels.parquet")
    assert table["AU12"].tolist() == [0, 0, 1, 1] * 9
    again = aucli("prepare", "--dataset", "disfa", raw, tmp_path / "out", "--json")
    report = json.loads(again.stdout)
    assert report["totals"]["faces"] == 36
    assert "1 done before" in again.stderr


def test_what_failed_decides_the_exit_code(raw, tmp_path):
    shutil.copytree(raw, tmp_path / "raw")
    write_disfa_person(tmp_path / "raw", "SN002", {}, 3)
    done = aucli(
        "prepare", "--dataset", "disfa", tmp_path / "raw", tmp_path / "out", "--quiet", "--format", "png"
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert "failed SN002" in done.stderr
    assert "LeftVideoSN002_comp.avi does not exist" in done.stderr
    (tmp_path / "raw" / "Videos_LeftCamera" / "LeftVideoSN001_comp.mp4").unlink()
    nothing = aucli("prepare", "--dataset", "disfa", tmp_path / "raw", tmp_path / "none", "--quiet")
    assert nothing.returncode == 4


def test_a_full_disk_is_one_line_and_leaves_nothing_that_looks_whole(raw, tmp_path):
    """No file may become larger than 8 KB: a crop as PNG would."""
    words = [AUCLI, "prepare", "--dataset", "disfa", raw, tmp_path / "out", "--format", "png", "--quiet"]
    command = f"ulimit -f 8; exec {shlex.join(map(str, words))}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "File too large; make room or choose another output" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--dataset", "cifar", "RAW", "OUT"), "choose one of bp4d, disfa, ck+, table"),
        (("--dataset", "disfa", "nowhere", "OUT"), "nowhere does not exist"),
        (("--dataset", "bp4d", "RAW", "OUT"), "AUCoding/AU_OCC/F001_T1.csv"),
        (("--dataset", "disfa", "RAW", "RAW"), "holds the raw data"),
        (("--dataset", "disfa", "RAW", "OUT", "--format", "gif"), "choose one of jpg, png"),
        (("--dataset", "disfa", "RAW", "OUT", "--detect-every", "0"), "must be 1 or more"),
        (("--dataset", "disfa", "RAW", "OUT", "--jobs", "x"), "must be auto or a whole number"),
        (("--dataset", "disfa", "RAW", "OUT", "--min-face", "5"), "must be 20 or more"),
        (("--dataset", "disfa", "RAW"), "OUT"),
        (("RAW", "OUT"), "--dataset"),
    ],
)
def test_wrong_use_is_one_line(raw, tmp_path, words, message):
    places = {"RAW": raw, "OUT": tmp_path / "out"}
    done = aucli("prepare", *(places.get(word, word) for word in words))
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_help_states_the_crop_and_imports_nothing_heavy():
    assert "the middle 224" in " ".join(help_text("prepare").split())
    script = (
        "import sys\nfrom aucli.cli.main import app\n"
        "try: app(['prepare', '--help'])\n"
        f"except SystemExit: print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "loaded: []" in done.stdout
