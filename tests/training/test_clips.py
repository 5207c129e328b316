"""Clips as the authors' dataset classes make them, and a run that trains on some."""

import os
import signal

import numpy as np
import pytest
import torch

from aucli.datasets.labelled import LabelledFaces
from aucli.errors import UsageError
from aucli.evaluation.run import Request, evaluate
from aucli.training.batches import Examples, batches
from aucli.training.clips import clips_of
from aucli.training.distributed import Ranks
from aucli.training.events import StageStarted
from aucli.training.options import TrainConfig
from aucli.training.run import train
from aucli.zoo import load
from aucli_models.au import AU_SETS
from tests.evaluation.folders import disfa_lists
from tests.models import golden
from tests.training.runs import FACES, assert_same_weights, epochs, finish, start, wait_for

LISTS = golden.manifest("mdhr_lists_bp4d")


def listed():
    """The made-up list files of the golden data."""
    parts = [path.removesuffix(".jpg").split("/") for path in LISTS["paths"]]
    return LabelledFaces(
        "bp4d", ".", AU_SETS["bp4d"], tuple(LISTS["paths"]), tuple(p[0] for p in parts),
        tuple("/".join(p[:2]) for p in parts), np.array([int(p[2]) for p in parts], np.int32),
        np.array(LISTS["labels"], np.int8),
    )  # fmt: skip


@pytest.fixture(scope="module")
def faces():
    return listed()


@pytest.fixture(scope="module")
def clips(faces):
    return clips_of(faces, np.arange(len(faces)), "bp4d", 16)


def test_recordings_are_those_of_the_authors_training_set(faces, clips):
    found = [[faces.paths[one[0]], faces.paths[one[-1]], len(one)] for one in clips.recordings]
    assert found == LISTS["train_videos"]


def test_sequences_in_clips_of_16_are_those_of_the_authors_test_set(faces, clips):
    found = []
    for sequence in clips.sequences:
        paths = [faces.paths[face] for face in sequence]
        pieces = [paths[start : start + 16] for start in range(0, len(paths), 16)]
        found += [piece + piece[-1:] * (16 - len(piece)) for piece in pieces]
    assert found == [clip["paths"] for clip in LISTS["val_clips"]]


def test_a_clip_is_a_run_of_its_recording_and_short_ones_are_filled(clips):
    recordings = np.arange(len(clips.recordings))
    starts = set()
    for epoch in range(30):
        drawn, real = clips.drawn(recordings, seed=1, epoch=epoch, positions=recordings)
        for number, (mine, known) in enumerate(zip(drawn.reshape(-1, 16), real.reshape(-1, 16), strict=True)):
            whole = clips.recordings[number].tolist()
            kept = mine[known].tolist()
            start = whole.index(kept[0])
            assert kept == whole[start : start + 16]
            assert len(kept) == min(16, len(whole))
            assert set(mine[~known]) <= {whole[-1]}
            if number == 0:
                starts.add(start)
    assert len(starts) > 10
    assert max(starts) <= 35 - 16


def test_batches_of_clips_are_the_same_on_any_number_of_ranks(faces, clips):
    crops = np.zeros((len(faces), 8, 8, 3), np.uint8)
    crops[:, 0, 0, 0] = np.arange(len(faces)) % 256
    examples = Examples(
        crops, np.arange(len(faces)), faces.labels, None, None, faces.paths, faces.au_names, clips
    )
    assert examples.items == 5

    def of(ranks, rank):
        dealt = batches(examples, batch_size=5, epoch=2, first_step=0, seed=3, ranks=Ranks(rank, ranks, rank))
        return list(dealt)

    (alone,) = of(1, 0)
    assert alone.counts.labels == int((alone.parts[0].labels != -1).sum())
    assert alone.counts.states == int((alone.parts[0].labels[:, 0] != -1).sum()) * 4
    assert len(alone.parts[0].crops) == 5 * 16
    assert (alone.parts[0].positions.reshape(5, 16) == np.arange(5)[:, None]).all()
    parts = [of(2, rank)[0].parts[0] for rank in (0, 1)]
    for name in ("crops", "labels", "positions"):
        both = np.concatenate([np.asarray(getattr(part, name)) for part in parts])
        np.testing.assert_array_equal(both, np.asarray(getattr(alone.parts[0], name)))


def test_single_pictures_are_refused(faces):
    with pytest.raises(UsageError, match="no picture of bp4d is the next frame of another"):
        clips_of(faces, np.arange(0, len(faces), 2), "bp4d", 16)


def config(root, out, **changed):
    """Two epochs of two steps on five recordings of 16 pictures, from random weights; one is kept back."""
    given = {
        "fold": 1, "arch": "mdhr_resnet10_small", "epochs": (2,), "batch_size": 4, "device": "cpu",
        "hold_out": True,
    } | changed  # fmt: skip
    return TrainConfig("me-lists", root, out, **given)


def command(root, out, *more):
    """The same on the command line."""
    return [
        *("train", "--dataset", "me-lists", "--root", str(root), "--out", str(out), "--fold", "1"),
        *("--arch", "mdhr_resnet10_small", "--epochs", "2", "--batch-size", "4", "--device", "cpu"),
        *("--hold-out", *map(str, more)),
    ]


@pytest.fixture(scope="module")
def disfa(tmp_path_factory):
    root = tmp_path_factory.mktemp("lists") / "disfa"
    disfa_lists(root, per_person=16)
    return root


@pytest.fixture(scope="module")
def whole(disfa, tmp_path_factory):
    """The run that nobody disturbed: its folder and its result."""
    out = tmp_path_factory.mktemp("whole")
    return out, train(config(disfa, out))


def test_a_trained_model_reads_clips_and_can_be_tested(disfa, whole):
    _, result = whole
    (card,) = result.cards
    assert card.name == "mdhr_resnet10_small.disfa_fold1"
    assert (card.clip_frames, card.frame_rate) == (16, 20.0)
    _, last = result.stages[0].history  # figures are taken after every 25th epoch and the last
    assert np.isfinite([last["train_loss"], last["mean_f1"]]).all()
    network, _ = load(str(result.paths[0]))
    assert network.au_names == AU_SETS["disfa"]
    request = Request(
        "me-lists", disfa, [str(result.paths[0])], fold=1, clips="official", device="cpu", draws=0
    )
    assert evaluate(request).tested[0].scores.subjects == 3


def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(disfa, whole, tmp_path):
    checkpoint = tmp_path / "stage1.checkpoint"
    process = start(command(disfa, tmp_path, "--save-every", 0))
    wait_for(checkpoint.exists, process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = torch.load(checkpoint, weights_only=True)["state"]["engine"]["step"]
    assert 0 < done < 4
    events = []
    train(config(disfa, tmp_path), events.append)
    assert [event.done for event in events if isinstance(event, StageStarted)] == [done]
    assert_same_weights(whole[0], tmp_path)


def test_two_ranks_have_the_losses_and_figures_of_one(disfa, whole, tmp_path):
    """Batches of three and two clips: the ranks share the first of them unevenly."""
    finish(start(command(disfa, tmp_path, "--quiet"), ranks=2))
    both = zip(whole[1].stages[0].history, epochs(tmp_path), strict=True)
    for one, two in both:
        assert two["train_loss"] == pytest.approx(one["train_loss"], rel=3e-4)
    assert two["val_loss"] == pytest.approx(one["val_loss"], rel=3e-4)
    assert two["f1"] == pytest.approx(one["f1"], abs=1e-6)
    # One process takes over what two have done.
    events = []
    train(config(disfa, tmp_path), events.append)
    assert [event.done for event in events if isinstance(event, StageStarted)] == [4]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"stage": "2"}, "--stage 2: mdhr_resnet10_small is trained in one stage"),
        ({"recipe": "synth"}, "--recipe synth: there is none of that name for mdhr"),
        ({"au_set": "synth"}, "MDHR has face regions for bp4d and disfa"),
        ({"intensity": True}, "--intensity: mdhr_resnet10_small learns whether AUs occur"),
    ],
)
def test_what_cannot_be_trained_is_refused(tmp_path, changed, message):
    given = {"arch": "mdhr_resnet10_small", "au_set": "disfa", "device": "cpu"} | changed
    with pytest.raises(UsageError, match=message):
        train(TrainConfig("synthfaces", FACES, tmp_path / "run", **given))
