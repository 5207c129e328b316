"""A network that gives sides and intensities, from training to what `extract` and `evaluate` make of it."""

import io
import json
from dataclasses import replace

import av
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner

import aucli
from aucli.cli.main import app
from aucli.cli.summary import show_model
from aucli.datasets.open import open_dataset
from aucli.datasets.pictures import Unreadable, read_crops
from aucli.errors import UsageError
from aucli.faces.align import crop_faces
from aucli.sinks.metadata import read_metadata
from aucli.training.events import Note, StepDone
from aucli.training.run import train
from aucli.zoo import load
from aucli.zoo.card import read_card
from aucli_models.au import AU_SETS
from tests.cli.commands import EXAMPLES
from tests.clips import RECIPES
from tests.training.runs import FACES, assert_same_weights, config, faces_with_every_au

AUS = AU_SETS["synth_sided"]
WRITTEN = ("AU25", "AU12R", "AU12", "AU12L")
"""Of so few steps no intensity is of use by itself."""


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return faces_with_every_au(tmp_path_factory.mktemp("faces"))


def both_stages(faces, out, **changed):
    return config(
        faces,
        out,
        **{
            **{"au_set": "synth_sided", "intensity": True, "recipe": "synth", "stage": "both"},
            **{"epochs": (1, 1), "batch_size": 8, "init": "builtin"},
            **changed,
        },
    )


@pytest.fixture(scope="module")
def run(faces, tmp_path_factory):
    out, events = tmp_path_factory.mktemp("run"), []
    result = train(both_stages(faces, out), events.append)
    return out, result, [event.text for event in events if isinstance(event, Note)]


@pytest.fixture(scope="module")
def model(run, tmp_path_factory):
    """The card of stage 2, told to write intensities."""
    out, result, _ = run
    folder = tmp_path_factory.mktemp("model")
    figures = {"AU25": {"auc": 0.9}, "AU12": {"auc": 0.8, "icc": 0.7, "mae": 0.6}}
    card = replace(read_card(result.paths[1]), intensity_aus=WRITTEN, validation=figures)
    (folder / "own.json").write_text(json.dumps(card.to_json()))
    (folder / card.weights).symlink_to(out / card.weights)
    return folder / "own.json"


@pytest.fixture(scope="module")
def extracted(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("extracted")
    RECIPES["cfr_mp4"].write(folder / "nobody.mp4", [np.zeros((240, 240, 3), np.uint8)] * 20)
    return aucli.extract(
        [EXAMPLES / "smile.mp4", folder / "nobody.mp4"],
        output=folder / "out.parquet",
        model=str(model),
        every=15,
        detect_every=1,
        jobs=1,
    )


def test_both_stages_have_the_read_out(run):
    _, result, notes = run
    assert not any("intensity_head" in note for note in notes)  # the built-in has one
    assert any("begin at random (edge_fc, graph)" in note for note in notes)  # from stage 1: carried over
    for path in result.paths:
        network, card = load(str(path))
        assert (card.au_names, card.intensity) == (AUS, True)
        assert network.intensity_head.weight.shape[0] == 39
        assert network.intensity_head.weight.abs().sum() > 0
        assert set(card.intensity_aus) <= set(card.validation)


def test_stopped_in_stage_2_it_goes_on_bit_for_bit(faces, run, tmp_path):
    def stop(event):
        if isinstance(event, StepDone) and (event.stage, event.step) == (2, 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(both_stages(faces, tmp_path, save_every_seconds=0.0), stop)
    steps = torch.load(tmp_path / "stage2.checkpoint", weights_only=True)["state"]["engine"]["step"]
    assert steps == 1
    train(both_stages(faces, tmp_path))
    for stage in (1, 2):
        assert_same_weights(run[0], tmp_path, stage)


def test_another_network_than_that_of_the_run_is_refused(faces, run):
    with pytest.raises(UsageError, match="intensity was true, now false"):
        train(both_stages(faces, run[0], intensity=False))


@pytest.mark.parametrize("empty_column", [False, True])
def test_intensities_are_not_learnt_from_data_without_them(tmp_path, empty_column):
    table = pd.read_parquet(FACES / "labels.parquet").assign(AU12_int=np.nan)
    columns = ["path", "subject", "split", *(f"{au}_occ" for au in AU_SETS["disfa"])]
    columns += ["AU12_int"] if empty_column else []
    table[columns].to_csv(tmp_path / "labels.csv", index=False)
    (tmp_path / "images").symlink_to(FACES / "images")
    with pytest.raises(UsageError, match=r"--intensity: table in .* says only whether AUs occur"):
        train(replace(config(tmp_path, tmp_path / "out", intensity=True), dataset="table"))


def test_extract_writes_intensities_after_the_rest_in_facs_order(extracted):
    schema = extracted.table.schema
    of_aus = [name for name in schema.names if name.startswith("AU")]
    assert of_aus[-4:] == ["AU12_int", "AU12L_int", "AU12R_int", "AU25_int"]
    sided = ["AU01", "AU01L", "AU01R", "AU02", "AU02L", "AU02R", "AU04", "AU04L", "AU04R", "AU05", "AU06"]
    assert of_aus[:11] == [f"{name}_prob" for name in sided]
    assert of_aus[39:50] == sided
    assert len(of_aus) == 2 * 39 + 4
    assert all(schema.field(name).type == pa.float32() for name in of_aus[-4:])
    metadata = read_metadata(schema)
    assert metadata["columns"]["AU12L_int"] == (
        "intensity of AU12L, lip corner puller, left, 0 (absent) to 5 (maximum, FACS E)"
    )
    assert metadata["card"]["intensity_aus"] == list(WRITTEN)


def test_the_intensities_are_those_of_the_network(extracted, model):
    """From the landmarks in the file and frames that PyAV gives, through the network as it was trained."""
    network, card = load(str(model))
    table = extracted.table.to_pandas().query("video == 'smile.mp4'")
    with av.open(str(EXAMPLES / "smile.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    points = [name for name in table.columns if name.startswith("lm_")]
    assert len(table) == 6
    for _, row in table.iterrows():
        pixels = torch.from_numpy(frames[int(row["frame"])]).unsqueeze(0)
        landmarks = row[points].to_numpy(np.float32).reshape(1, 5, 2)
        crop = crop_faces(pixels, np.zeros(1, np.int64), landmarks, card.crop) / 255
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (card.mean, card.std))
        with torch.inference_mode():
            want = network((crop - mean) / std).intensity[0]
        for au in WRITTEN:
            number, side = au[2:].rstrip("LR"), au.lstrip("AU0123456789")
            found = row[f"AU{int(number):02}{side}_int"]
            assert found == pytest.approx(want[AUS.index(au)].item(), abs=2e-3), au
    assert table[["AU12L_int", "AU12R_int", "AU25_int"]].std().min() > 1e-3


def test_frames_without_a_face_have_null(extracted):
    nobody = extracted.table.to_pandas().query("video == 'nobody.mp4'")
    assert len(nobody) == 2
    assert nobody[["AU12_int", "AU12L_int", "AU12L_prob"]].isna().all(axis=None)
    assert extracted.table["AU12L_int"].null_count == 2


def test_people_are_told_which_intensities_there_are(model):
    console = Console(file=io.StringIO(), width=200)
    show_model(read_card(model), console)
    assert (
        "Intensities (0 to 5) are written for AU25, AU12; left and right apart for AU12."
        in console.file.getvalue()
    )
    shown = CliRunner().invoke(app, ["models", "show", str(model)], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    assert "0 to 5, written for AU25, AU12R, AU12, AU12L" in shown.stdout
    assert "validation AUC validation ICC validation MAE" in " ".join(shown.stdout.split())
    assert "Lip corner puller, left" in shown.stdout
    as_json = CliRunner().invoke(app, ["models", "show", str(model), "--json"])
    assert json.loads(as_json.stdout)["intensity_aus"] == list(WRITTEN)


def test_evaluate_measures_all_intensities_of_a_network(model, tmp_path):
    command = ["evaluate", "--dataset", "synthfaces", "--root", FACES, "--au-set", "synth_sided"]
    others = ["--model", model, "--device", "cpu", "--draws", "0", "--csv", tmp_path / "scores.csv"]
    done = CliRunner().invoke(app, [*map(str, [*command, *others])], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    header = next(line for line in done.stdout.splitlines() if line.split()[:1] == ["AU"])
    assert header.split()[-4:] == ["ICC", "MAE", "MSE", "r"]
    rows = pd.read_csv(tmp_path / "scores.csv").query("decision == 'protocol'").set_index("au")
    assert rows.loc[list(AUS), "mae"].notna().all()
    assert ((rows["icc"].dropna() >= -1) & (rows["icc"].dropna() <= 1)).all()
    # By hand, from the pictures of the folder.
    network, card = load(str(model))
    table = pd.read_parquet(FACES / "labels.parquet").query("split == 'test'")
    faces = open_dataset("synthfaces", FACES, "test", au_set="synth_sided")
    crops = read_crops(faces, range(len(faces)), card.crop, unreadable=Unreadable(len(faces)))
    pictures = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (card.mean, card.std))
    with torch.inference_mode():
        found = network((pictures - mean) / std).intensity.numpy()
    for au in ("AU12L", "AU25"):
        given, truth = found[:, AUS.index(au)], table[au].to_numpy()
        assert rows.loc[au, "mae"] == pytest.approx(np.abs(given - truth).mean(), abs=1e-3)
        assert rows.loc[au, "pearson"] == pytest.approx(np.corrcoef(given, truth)[0, 1], abs=1e-3)


def test_an_extraction_is_compared_where_it_has_intensities(extracted, request, tmp_path):
    truth = pd.read_csv(request.path.parents[1] / "inference" / "mini_smile.csv")
    truth.insert(0, "video", "smile")
    truth.drop(columns=["time", "subject"]).to_csv(tmp_path / "labels.csv", index=False)
    command = ["evaluate", "--predictions", extracted.output, "--labels", tmp_path / "labels.csv"]
    done = CliRunner().invoke(app, [*map(str, command), "--json"])
    assert done.exit_code == 0, done.output
    aus = json.loads(done.stdout)["tested"][0]["aus"]
    smile = extracted.table.to_pandas().query("video == 'smile.mp4'")
    both = smile.merge(truth, on="frame", suffixes=("", "_true"))
    for au in ("AU12", "AU12L", "AU25"):
        want = (both[f"{au}_int"] - both[f"{au}_true" if f"{au}_true" in both else au]).abs().mean()
        assert aus[au]["mae"] == pytest.approx(want, abs=1e-4)
    assert aus["AU6"]["mae"] is None
