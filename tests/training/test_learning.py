"""Both stages end to end on rendered faces: the run must learn, and `extract` must take what comes out."""

import json
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from aucli.evaluation import calibrate
from aucli.evaluation.report import write_report
from aucli.evaluation.run import Request, evaluate
from aucli.training.events import EpochDone, Note, Packing, StageStarted, StepDone
from aucli.training.export import export_model
from aucli.training.run import TrainConfig, train
from aucli.zoo import load
from aucli.zoo.card import read_card
from aucli_models.au import AU_SETS
from aucli_models.registry import ModelSpec, create_model
from tests.cli.commands import EXAMPLES
from tests.training.runs import FACES, finish, record, start

AUS = AU_SETS["disfa"]


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A model with the built-in one's backbone that knows nothing of AUs."""
    trained, card = load("builtin")
    torch.manual_seed(5)
    network = create_model(ModelSpec("me_graphau", card.backbone, "synth", 1))
    front = {
        key: value
        for key, value in trained.state_dict().items()
        if key.startswith(("backbone.", "global_linear."))
    }
    network.load_state_dict(network.state_dict() | front)
    folder = tmp_path_factory.mktemp("start")
    fields = {
        "system": "me_graphau", "backbone": card.backbone, "au_set": "synth", "stage": 1, "licence": "MIT",
        "training_data": "none", "description": "", "thresholds": dict.fromkeys(network.au_names, 0.5),
    }  # fmt: skip
    export_model(network, folder, "start", fields, dtype=torch.float32)
    return str(folder / "start.json")


@pytest.fixture(scope="module")
def run(origin, tmp_path_factory):
    """120 faces of 6 people; figures on 40 faces of 2 others.

    From random weights this would take hours: the backbone begins with that of the built-in model. Everything
    that tells AUs apart begins at random.
    """
    out = tmp_path_factory.mktemp("learning")
    events = []
    config = TrainConfig(
        *("synthfaces", FACES, out),
        arch="me_graphau_resnet10_small",
        au_set="disfa",
        recipe="synth",
        epochs=(6, 2),
        batch_size=16,
        init=origin,
        intensity=True,
        device="cpu",
    )
    return out, train(config, events.append), events


def test_it_learns(run, origin, tmp_path):
    _, result, _ = run
    first, second = result.stages
    untrained = TrainConfig(
        *("synthfaces", FACES, tmp_path),
        arch="me_graphau_resnet10_small",
        au_set="disfa",
        init=origin,
        stage="1",
        epochs=(1,),
        rate=(1e-12,),
        device="cpu",
    )
    before = train(untrained).stages[0].history[0]
    assert before["mean_auc"] < 0.65  # not because it began well
    for stage in (first, second):
        last = stage.history[-1]
        assert last["auc"]["AU12"] > 0.8
        assert last["auc"]["AU25"] > 0.8
        assert last["mean_auc"] > 0.8
        assert last["val_loss"] < before["val_loss"]
    assert second.history[-1]["mean_auc"] > first.history[-1]["mean_auc"] - 0.02
    assert first.history[-1]["train_loss"] < first.history[0]["train_loss"]


def test_what_it_says_on_the_way(run, origin):
    _, _, events = run
    started = [event for event in events if isinstance(event, StageStarted)]
    assert [(e.stage, e.steps, e.pictures, e.batch_size) for e in started] == [
        (1, 48, 120, 16),
        (2, 16, 120, 16),
    ]
    steps = [event for event in events if isinstance(event, StepDone)]
    assert [event.step for event in steps] == [*range(1, 49), *range(1, 17)]
    assert steps[2].rate == pytest.approx(2.5e-3)  # warmed up
    assert steps[-1].rate < 1e-4
    assert [event.epoch for event in events if isinstance(event, EpochDone)] == [1, 2, 3, 4, 5, 6, 1, 2]
    assert {event.part for event in events if isinstance(event, Packing)} == {"train", "val"}
    notes = " ".join(event.text for event in events if isinstance(event, Note))
    assert f"stage 1 starts from {origin}: 92 entries are filled" in notes
    assert "begin at random (intensity_head)" in notes
    assert "stage 2 starts from stage 1: 85 entries are filled" in notes


def test_the_record_says_what_was_done(run):
    out, result, _ = run
    found = record(out)
    assert found["state"] == "finished"
    assert found["configuration"]["seed"] == 0
    assert found["stages"]["1"]["recipe"]["rate"] == 2.5e-3
    assert found["dataset"]["train"]["people"] == 6
    assert found["dataset"]["val"]["faces"] == 40
    assert found["versions"]["torch"]
    assert found["results"]["2"]["epochs"] == [dict(entry) for entry in result.stages[1].history]
    first, second = (stage.history[-1]["mean_auc"] for stage in result.stages)
    difference = found["stage2_minus_stage1"]
    assert difference["mean_auc"] == pytest.approx(second - first, abs=2e-3)
    assert difference["mean_auc_interval"][0] <= difference["mean_auc"] <= difference["mean_auc_interval"][1]
    assert (difference["faces"], difference["subjects"]) == (40, 2)


def test_tensorboard_reads_the_logs(run):
    out, result, _ = run
    reader = EventAccumulator(str(out / "tensorboard" / "stage1"))
    reader.Reload()
    losses = reader.Scalars("train/loss")
    assert [event.step for event in losses] == [*range(1, 49)]
    figures = reader.Scalars("auc/AU12")
    assert [event.value for event in figures] == pytest.approx(
        [entry["auc"]["AU12"] for entry in result.stages[0].history], abs=1e-6
    )


def test_the_cards_are_fitted_and_of_the_weights(run):
    _, result, _ = run
    for stage, path in zip((1, 2), result.paths, strict=True):
        network, card = load(str(path))
        assert (card.stage, card.au_set, card.crop.size) == (stage, "disfa", 112)
        assert network.stage == stage
        # The others have fewer than ten of a kind on these 40 faces: too few to fit anything to.
        assert "AU25" in card.validation
        assert card.validation["AU25"]["auc"] == pytest.approx(
            result.stages[stage - 1].history[-1]["auc"]["AU25"], abs=2e-3
        )
        for au in AUS:
            fitted = au in card.validation
            assert (au in card.calibration, card.thresholds[au] != 0.5) == (fitted, fitted)
            assert fitted or au in card.weak_aus
        assert card.intensity_aus == ("AU25",)
        assert 0.6 <= card.validation["AU25"]["icc"] <= 1
        assert card.fitted_on == {
            "dataset": "synthfaces", "part": "val", "fold": None, "faces": 40, "subjects": 2,
        }  # fmt: skip
        assert card.learnt_val is False
        assert "synthfaces, part train: 120 faces of 6 people" in card.training_data


def test_extract_takes_the_model(run, tmp_path):
    _, result, _ = run
    rows = tmp_path / "out.parquet"
    finish(
        start(
            [
                *("extract", str(EXAMPLES / "smile.mp4"), "-o", str(rows), "--model", str(result.paths[1])),
                *("--every", "15", "--jobs", "1", "--quiet"),
            ]
        )
    )
    table = pq.read_table(rows)
    assert [name for name in table.column_names if name.endswith("_prob")] == [
        f"AU{int(au[2:]):02}_prob" for au in AUS
    ]
    assert table["AU25_int"].null_count == table["AU12_prob"].null_count
    assert table["AU12_prob"].null_count < len(table)
    card = json.loads(table.schema.metadata[b"aucli"])
    assert "me_graphau_resnet10_small.disfa_stage2" in json.dumps(card)


def test_calibrate_and_the_report_look_at_intensities_too(run, tmp_path):
    """AU25 alone has enough faces of both kinds to be looked at again; AU12 keeps what it had."""
    out, result, _ = run
    card = read_card(result.paths[1])
    own = replace(card, intensity_aus=("AU12", "AU25"))
    (tmp_path / "own.json").write_text(json.dumps(own.to_json()))
    (tmp_path / card.weights).symlink_to(out / card.weights)
    given = ("synthfaces", FACES, str(tmp_path / "own.json"), tmp_path / "new")
    new = calibrate.calibrate(calibrate.Request(*given, device="cpu")).card
    assert (new.intensity, new.intensity_aus) == (True, ("AU12", "AU25"))
    for figure in ("icc", "mae"):
        # Cut out of the pictures again, not out of packed crops.
        assert new.validation["AU25"][figure] == pytest.approx(card.validation["AU25"][figure], abs=0.03)
    tested = evaluate(
        Request("synthfaces", FACES, [str(result.paths[1])], au_set="disfa", device="cpu", draws=0)
    )
    page = write_report(tested, tmp_path / "page.html").read_text()
    assert "<th>ICC(3,1)</th><th>MAE</th><th>MSE</th><th>Pearson r</th>" in page
    assert tested.tested[0].scores.icc[AUS.index("AU25")] > 0.5
    assert tested.to_json()["tested"][0]["mean"]["icc"] is not None
