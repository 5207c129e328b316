"""`aucli train`: what it prints, and one line for everything that goes wrong."""

import os
import resource
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from typer.testing import CliRunner

from aucli.cli.main import app
from tests.cli.commands import aucli
from tests.training.runs import FACES, few_faces, options


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return few_faces(tmp_path_factory.mktemp("few"))


def one_line(done, code):
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if line.strip()][-1:]
    assert line.startswith("aucli: ")
    assert "Traceback" not in done.stderr
    return line


def test_a_run_shows_its_progress_and_what_came_out(few, tmp_path):
    done = aucli(*options(few, tmp_path / "out"), OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert "aucli: crops of train: 36 of 36" in lines
    assert "aucli: stage 1 starts from scratch: random weights" in lines
    assert "aucli: stage 1: 2 epochs of 36 pictures in batches of 6 on cpu" in lines
    epochs = [line for line in lines if "training loss" in line]
    assert [line.split(":")[1] for line in epochs] == [" stage 1, epoch 1", " stage 1, epoch 2"]
    assert all("mean AUC" in line and "mean F1" in line for line in epochs)
    assert "\x1b" not in done.stderr
    model = tmp_path / "out" / "me_graphau_resnet10_small.disfa_stage1.json"
    assert f"Written: {model}" in done.stdout
    assert f"--model {model}" in done.stdout
    again = aucli(*options(few, tmp_path / "out", "--quiet"))
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--stage", "3"], "--stage 3: choose one of 1, 2, both"),
        (["--epochs", "twenty"], "--epochs twenty: write for instance --epochs 20 or 20,20"),
        (["--epochs", "5,5"], "--epochs 5,5: give one number for each stage that is trained"),
        (["--epochs", "0"], "--epochs 0: must be above 0"),
        (["--lr", "-1"], "--lr -1.0: must be above 0"),
        (["--lr", "nan"], "--lr nan: must be above 0"),
        (["--batch-size", "1"], "--batch-size 1: must be 2 or more"),
        (["--batch-size", "6", "--accumulate", "4"], "with --accumulate 4: give at least 8"),
        (["--arch", "resnet50"], "--arch 'resnet50': write a system (me_graphau, open_graphau, mdhr, scc)"),
        (["--arch", "open_graphau_resnet18"], "OpenGraphAU predicts --au-set hybrid, not disfa"),
        (
            ["--arch", "open_graphau_resnet18", "--recipe", "synth"],
            "there is none of that name for open_graphau",
        ),
        (["--system", "openface"], "--system openface: choose one of me_graphau, open_graphau, mdhr, scc"),
        (["--system", "mdhr"], "--system mdhr and --arch me_graphau_resnet10_small are two systems"),
        (["--size", "100"], "--size 100: resnet10_small takes 112 pixels only"),
        (["--arch", "me_graphau_resnet18", "--size", "100"], "takes multiples of 32"),
        (["--crop", "0.9"], "--crop 0.9: give the scale"),
        (["--crop", "9,0"], "--crop 9.0,0.0: give the scale"),
        (["--crop", "wide"], "--crop wide: write for instance --crop 0.9,-0.1"),
        (["--precision", "fp16"], "--precision fp16 is slower than fp32 on a CPU"),
        (["--device", "cuda:9"], "--device cuda:9"),
        (["--stage", "2"], "--stage 2 begins with a trained stage 1"),
        (["--init", "nothing"], "no model 'nothing'"),
        (["--init", "imagenet"], "no ImageNet weights for resnet10_small"),
        (["--dataset", "imagenet"], "choose one of bp4d"),
        (["--au-set", "hybrid"], "AU11"),
        (["--fold", "2"], "--fold 2"),
        (["--root", "missing"], "missing does not exist"),
    ],
)
def test_wrong_use_is_one_line(few, tmp_path, given, said):
    done = CliRunner().invoke(app, [*options(few, tmp_path / "out"), *given])
    assert done.exit_code == 2, done.output
    lines = done.stderr.splitlines()
    assert said in lines[-1]
    assert lines[-1].startswith("aucli: ")
    assert not list(tmp_path.glob("out/*.safetensors"))


def test_without_the_dataset_it_says_what_is_missing():
    assert "--dataset" in one_line(aucli("train", "--root", ".", "--out", "x"), 2)


def test_an_output_that_is_a_file(few, tmp_path):
    (tmp_path / "out").write_text("mine")
    assert "is a file; give a folder" in one_line(aucli(*options(few, tmp_path / "out")), 2)
    assert (tmp_path / "out").read_text() == "mine"


def test_numbers_that_explode_stop_with_the_batch(few, tmp_path):
    done = aucli(*options(few, tmp_path / "out", "--lr", "1e30"))
    line = one_line(done, 1)
    assert "stage 1, epoch 1, batch" in line
    assert "images/train/" in line
    assert not list((tmp_path / "out").glob("*.safetensors"))


def test_a_full_disk_is_one_line(few, tmp_path):
    """Room for the crops, not for a checkpoint."""
    done = subprocess.run(
        [sys.executable, "-m", "aucli.cli.main", *options(few, tmp_path / "out")],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    line = one_line(done, 1)
    assert "cannot write" in line
    assert "stage1.checkpoint" in line
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert not {name for name in left if name.endswith((".tmp", ".checkpoint", ".safetensors"))}


def test_pictures_that_cannot_be_read(tmp_path):
    table = pd.read_parquet(FACES / "labels.parquet")
    table = table.groupby("subject").head(6)
    table.to_parquet(tmp_path / "labels.parquet")
    for path in table["path"]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FACES / path, tmp_path / path)
    (tmp_path / table["path"][table["split"] == "train"].iloc[3]).write_bytes(b"")
    line = one_line(aucli(*options(tmp_path, tmp_path / "out")), 2)
    assert "1 of 36 pictures cannot be read, more than 1 %" in line
    assert not list((tmp_path / "out").glob("crops.train.*"))
