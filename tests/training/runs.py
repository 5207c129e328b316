"""A training run that takes seconds, as a call and as a process of its own."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from aucli.training.options import TrainConfig
from aucli_models.au import AU_SETS

FACES = Path(__file__).parents[1] / "data" / "synthfaces"
STEPS = 6
"""Of an epoch of `config`."""


def few_faces(folder, of_each=6):
    """The folder with the first pictures of each person only: 36 to train on, 12 to validate."""
    table = pd.read_parquet(FACES / "labels.parquet")
    write_part(table.groupby("subject").head(of_each), folder)
    return folder


def faces_with_every_au(folder):
    """The folder with so few pictures to train on that each AU, sides too, is just there; 40 to validate."""
    table = pd.read_parquet(FACES / "labels.parquet")
    train = table[table["split"] == "train"]
    kept = {row for au in AU_SETS["synth_sided"] for row in train.index[train[f"{au}_occ"] == 1][:1]}
    write_part(table[table["split"].eq("val") | table.index.isin(kept)], folder)
    return folder


def write_part(table, folder):
    """A folder like that of the tests with some rows of it."""
    table.to_parquet(folder / "labels.parquet")
    landmarks = np.load(FACES / "landmarks68.npz")["lm64"]
    np.savez(folder / "landmarks68.npz", lm64=landmarks[table.index])
    (folder / "images").symlink_to(FACES / "images")


def config(root, out, **changed):
    """Two epochs of stage 1 on 36 faces, 8 AUs, a small network from random weights."""
    given = {
        "arch": "me_graphau_resnet10_small", "au_set": "disfa", "stage": "1", "epochs": (2,), "batch_size": 6,
        "device": "cpu",
    } | changed  # fmt: skip
    return TrainConfig("synthfaces", root, out, **given)


def options(root, out, *more):
    """The same on the command line."""
    return [
        *("train", "--dataset", "synthfaces", "--root", str(root), "--out", str(out)),
        *("--arch", "me_graphau_resnet10_small", "--au-set", "disfa", "--stage", "1", "--epochs", "2"),
        *("--batch-size", "6", "--device", "cpu", *map(str, more)),
    ]


def start(arguments, *, ranks=1, **environ):
    """The process of `aucli` with these arguments; two ranks and more behind torchrun."""
    launcher = ["-m", "aucli.cli.main"]
    if ranks > 1:
        launcher = [
            *("-m", "torch.distributed.run", "--nproc-per-node", str(ranks), "--rdzv-backend", "c10d"),
            *("--rdzv-endpoint", "localhost:0", "-m", "aucli.cli.main"),
        ]
    return subprocess.Popen(
        [sys.executable, *launcher, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, process, seconds=120):
    """Until it holds; the process must not end before."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)


def finish(process, code=0):
    """What the process has written, output and errors; it must leave with that code."""
    output, errors = process.communicate(timeout=300)
    assert process.returncode == code, errors
    return output, errors


def record(out):
    return json.loads((out / "run.json").read_text())


def epochs(out, stage=1):
    return record(out)["results"][str(stage)]["epochs"]


def weights(out, stage=1):
    content = torch.load(out / f"stage{stage}.checkpoint", weights_only=True)
    return content["state"]["engine"]["objective"]


def assert_same_weights(one, other, stage=1):
    ours, theirs = weights(one, stage), weights(other, stage)
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        torch.testing.assert_close(theirs[key], value, rtol=0, atol=0, msg=key)
