"""A run that was killed and goes on ends with the weights of one that was not; bit for bit on a CPU."""

import os
import signal

import pytest
import torch

from aucli.errors import CheckpointError, OutputError, UsageError
from aucli.training.events import EpochDone, StageStarted
from aucli.training.run import train
from tests.training.runs import STEPS, assert_same_weights, config, finish, options, start, wait_for


@pytest.fixture(scope="module")
def whole(few, tmp_path_factory):
    """The run that nobody disturbed, as a call."""
    out = tmp_path_factory.mktemp("whole")
    train(config(few, out))
    return out


def test_killed_in_the_middle_of_an_epoch_and_of_a_write(few, whole, tmp_path):
    checkpoint = tmp_path / "stage1.checkpoint"
    temporary = tmp_path / "stage1.checkpoint.tmp"
    process = start(options(few, tmp_path, "--save-every", 0))
    wait_for(checkpoint.exists, process)
    wait_for(temporary.exists, process)  # the second is being written
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    steps = torch.load(checkpoint, weights_only=True)["state"]["engine"]["step"]
    assert steps % STEPS != 0
    events = []
    train(config(few, tmp_path), events.append)
    (started,) = (event for event in events if isinstance(event, StageStarted))
    assert (started.done, started.steps) == (steps, 2 * STEPS)
    assert_same_weights(whole, tmp_path)


def test_stopped_by_sigterm_it_says_that_it_goes_on(few, whole, tmp_path):
    process = start(options(few, tmp_path))
    wait_for((tmp_path / "stage1.checkpoint").exists, process)
    process.terminate()
    _, errors = finish(process, 143)
    assert errors.splitlines()[-1] == "aucli: interrupted; the same command goes on where it stopped"
    train(config(few, tmp_path))
    assert_same_weights(whole, tmp_path)


def test_a_finished_run_is_not_trained_again(few, whole):
    started = []
    events = []
    before = (whole / "me_graphau_resnet10_small.disfa_stage1.json").read_bytes()
    train(
        config(few, whole),
        lambda event: (started if isinstance(event, StageStarted) else events).append(event),
    )
    assert [(event.done, event.steps) for event in started] == [(2 * STEPS, 2 * STEPS)]
    assert not [event for event in events if isinstance(event, EpochDone)]
    assert (whole / "me_graphau_resnet10_small.disfa_stage1.json").read_bytes() == before


def test_another_configuration_is_refused_with_what_differs(few, whole):
    with pytest.raises(UsageError, match=r"batch_size was 6, now 12; seed was 0, now 5.*--fresh"):
        train(config(few, whole, batch_size=12, seed=5))


def test_fresh_starts_anew(few, tmp_path):
    train(config(few, tmp_path, epochs=(1,)))
    train(config(few, tmp_path, epochs=(1,), seed=5, fresh=True))
    content = torch.load(tmp_path / "stage1.checkpoint", weights_only=True)
    assert '"seed": 5' in content["settings"]


def test_a_damaged_checkpoint_is_refused(few, whole, tmp_path):
    path = tmp_path / "stage1.checkpoint"
    content = (whole / "stage1.checkpoint").read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"stage1\.checkpoint: damaged.*--fresh"):
        train(config(few, tmp_path))


def test_two_runs_do_not_write_into_one_folder(few, tmp_path):
    process = start(options(few, tmp_path))
    wait_for((tmp_path / "run.json").exists, process)
    with pytest.raises(OutputError, match=f"another run.*process {process.pid}"):
        train(config(few, tmp_path))
    process.kill()
    process.communicate()
