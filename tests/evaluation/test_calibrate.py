"""Fitting thresholds, and what is never fitted to."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.metrics import f1_score

import aucli
from aucli.errors import UsageError
from aucli.evaluation.calibrate import Request, calibrate
from aucli.evaluation.fit import GOOD_ICC, fit
from aucli.evaluation.metrics import platt
from aucli.sinks.metadata import read_metadata
from aucli.zoo import load
from aucli.zoo.card import IMAGENET_MEAN, IMAGENET_STD
from aucli.zoo.catalogue import find
from aucli_models.au import AU_SETS
from tests.cli.commands import EXAMPLES
from tests.evaluation.folders import FACES, card_file, disfa_lists, install_folds
from tests.models import small_mdhr
from tests.models.small_mdhr import moving, small


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    labels = (rng.random((400, 4)) < [0.3, 0.3, 0.01, 0.3]).astype(np.int8)
    labels[::5, 1] = -1
    outputs = np.clip(0.3 * labels + rng.normal(0.3, 0.15, labels.shape), 0, 1).astype(np.float32)
    outputs[:, 3] = 1 - outputs[:, 3]
    return outputs, labels


def test_the_threshold_has_the_highest_f1_on_the_labelled_faces(drawn):
    outputs, labels = drawn
    fitted = fit(outputs, labels, ("AU1", "AU2", "AU4", "AU6"))
    for place, au in enumerate(("AU1", "AU2")):
        known = labels[:, place] >= 0
        slope, intercept = fitted.calibration[au]
        want = platt(outputs[known, place], labels[known, place].astype(float))
        assert (slope, intercept) == pytest.approx(want, abs=1e-6)
        probability = 1 / (1 + np.exp(-(slope * outputs[known, place].astype(float) + intercept)))
        best = max(f1_score(labels[known, place], probability >= t) for t in np.unique(probability)[::3])
        own = f1_score(labels[known, place], probability >= fitted.thresholds[au])
        assert own >= best
        assert fitted.validation[au]["f1"] == pytest.approx(own, abs=1e-4)


def test_aus_that_cannot_be_fitted_are_left(drawn):
    fitted = fit(*drawn, ("AU1", "AU2", "AU4", "AU6"))
    assert set(fitted.left) == {"AU4", "AU6"}
    assert "positive" in fitted.left["AU4"]  # too few
    assert "AUC 0.1" in fitted.left["AU6"]  # upside down
    assert set(fitted.thresholds) == set(fitted.calibration) == {"AU1", "AU2"}


def test_intensities_that_agree_are_of_use(drawn):
    """AU1 follows what was measured, AU2 hardly; AU4 has too few positive faces, AU6 was not measured."""
    outputs, labels = drawn
    rng = np.random.default_rng(1)
    measured = rng.uniform(0, 5, outputs.shape).astype(np.float32)
    given = (measured + rng.normal(0, [0.5, 5, 0.1, 0.1], outputs.shape)).clip(0, 5).astype(np.float32)
    measured[::3, 0] = np.nan
    outputs[:, 3] = 1 - outputs[:, 3]
    measured[:, 3] = np.nan
    aus = ("AU1", "AU2", "AU4", "AU6")
    fitted = fit(outputs, labels, aus, intensities=given, measured=measured)
    known = np.isfinite(measured[:, 0])
    x, y = given[known, 0].astype(float), measured[known, 0].astype(float)
    # ICC(3,1) of two, from variances and covariance (McGraw and Wong 1996, case 3).
    want = 2 * np.cov(x, y)[0, 1] / (x.var(ddof=1) + y.var(ddof=1))
    assert fitted.validation["AU1"]["icc"] == pytest.approx(want, abs=1e-4)
    assert fitted.validation["AU1"]["mae"] == pytest.approx(np.abs(x - y).mean(), abs=1e-4)
    assert 0 < fitted.validation["AU2"]["icc"] < GOOD_ICC < want
    assert "icc" not in fitted.validation["AU6"]
    assert "AU4" not in fitted.validation
    assert fitted.intensity_aus == ("AU1",)
    assert fit(outputs, labels, aus).intensity_aus == ()


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrated")
    return calibrate(Request("synthfaces", FACES, "builtin", folder / "own", name="own", device="cpu"))


def test_the_new_card_says_what_it_was_fitted_to(calibrated):
    card, old = calibrated.card, find("builtin").card
    assert card.fitted_on == {
        "dataset": "synthfaces",
        "part": "val",
        "fold": None,
        "faces": 40,
        "subjects": 2,
    }
    assert "40 faces of 2 people" in card.notes[-1]
    fitted = [au for au in card.au_names if au not in calibrated.left]
    assert fitted == ["AU25"]  # the only one with ten positive faces
    assert card.thresholds["AU25"] != old.thresholds["AU25"]
    for au in calibrated.left.keys() & set(card.au_names):
        assert (card.thresholds[au], card.calibration[au]) == (old.thresholds[au], old.calibration[au])
    assert "of 40 positive" in calibrated.left["AU12"]


def test_the_network_is_the_same_and_extract_uses_the_card(calibrated, tmp_path):
    network, card = load(str(calibrated.path))
    original, _ = load("builtin")
    for new, old in zip(network.state_dict().values(), original.state_dict().values(), strict=True):
        assert new.equal(old)
    result = aucli.extract(
        EXAMPLES / "smile.mp4", output=tmp_path / "out.parquet", every=30, model=str(calibrated.path)
    )
    written = read_metadata(result.table.schema)
    assert written["card"]["name"] == "own"
    table = result.table.to_pandas().dropna(subset=["AU25_prob"])
    want = table["AU25_prob"].to_numpy(np.float32) >= np.float32(card.thresholds["AU25"])
    assert (table["AU25"].to_numpy(bool) == want).all()


def test_a_card_without_calibration_keeps_its_outputs_where_nothing_was_fitted(tmp_path):
    """As published cards are: 0.5 on the output for each AU."""
    aus = find("builtin").card.au_names
    source = card_file(tmp_path, calibration={}, thresholds=dict.fromkeys(aus, 0.5))
    result = calibrate(Request("synthfaces", FACES, str(source), tmp_path / "new", device="cpu"))
    assert set(result.card.calibration) == {"AU25"}
    assert result.card.thresholds["AU12"] == 0.5
    assert result.path.name == "own_calibrated.json"
    assert load(str(result.path))[1].calibration == result.card.calibration


def test_a_model_of_motion_is_fitted_to_clips(tmp_path):
    """Labels are made of what the network gives for the recording as one clip, so only who reads the pictures
    so, in the order of time, can decide all of them rightly.
    """
    count, aus = 24, AU_SETS["disfa"]
    pixels = moving(1, count, 4)[0]
    pixels = ((pixels - pixels.min()) / (pixels.max() - pixels.min()) * 255).byte()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    images = (pixels / 255 - mean) / std
    with torch.inference_mode():
        as_clip = small("disfa")(images.unsqueeze(0)).probabilities[0]
        one_by_one = small("disfa")(images.unsqueeze(1).expand(-1, 16, -1, -1, -1)).probabilities[:, 0]
    labels = (as_clip > as_clip.median(0).values).int().numpy()
    alone = (one_by_one > one_by_one.median(0).values).int().numpy()
    assert (alone != labels).any(0).all()
    table = pd.DataFrame(labels, columns=aus).assign(subject="anna", video="one", frame=range(count))
    table["split"], table["path"] = "val", [f"{number}.png" for number in range(count)]
    for path, picture in zip(table["path"], pixels, strict=True):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / path)
    table.sample(frac=1, random_state=0).to_csv(tmp_path / "labels.csv", index=False)
    model = small_mdhr.card_file(tmp_path, "disfa")
    result = calibrate(Request("table", tmp_path, str(model), tmp_path / "new", device="cpu"))
    assert result.left == {}
    assert {au: figures["f1"] for au, figures in result.card.validation.items()} == dict.fromkeys(aus, 1.0)
    network, card = load(str(result.path))
    assert (card.clip_frames, card.frame_rate) == (16, 25.0)
    assert network.au_names == aus


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"part": "test"}, "--part test: thresholds are never fitted to test subjects"),
        ({"part": "test", "allow_leak": True}, "never fitted to test"),
        ({"part": "train"}, "--part train: the network has learnt"),
        ({"name": "../x"}, "--name"),
    ],
)
def test_what_is_refused(tmp_path, changes, words):
    request = {
        "dataset": "synthfaces",
        "root": FACES,
        "model": "builtin",
        "output": tmp_path / "x",
        **changes,
    }
    with pytest.raises(UsageError, match=words):
        calibrate(Request(**request))
    assert list(tmp_path.iterdir()) == []


def test_a_card_is_never_overwritten(calibrated):
    before = calibrated.path.read_bytes()
    with pytest.raises(UsageError, match="exists"):
        calibrate(Request("synthfaces", FACES, "builtin", calibrated.path.parent, name="own"))
    assert calibrated.path.read_bytes() == before


def test_people_that_the_weights_have_seen_are_refused_and_noted_when_allowed(tmp_path):
    disfa_lists(tmp_path / "disfa", per_person=20)
    install_folds()
    request = {
        "dataset": "me-lists", "root": tmp_path / "disfa", "model": "lab_resnet10.disfa_fold1", "fold": 2,
        "output": tmp_path / "out", "device": "cpu",
    }  # fmt: skip
    with pytest.raises(UsageError, match="fold 1 of DISFA"):
        calibrate(Request(**request))
    result = calibrate(Request(**request, allow_leak=True))
    assert "A leak was allowed" in result.card.notes[-1]


def test_a_set_without_enough_faces_is_refused_and_nothing_written(tmp_path):
    disfa_lists(tmp_path / "disfa")
    with pytest.raises(UsageError, match="no AU can be fitted"):
        calibrate(Request("me-lists", tmp_path / "disfa", "builtin", tmp_path / "out", fold=1, device="cpu"))
    assert not (tmp_path / "out").exists()


def test_the_result_is_json(calibrated):
    found = json.loads(json.dumps(calibrated.to_json(), allow_nan=False))
    assert found["fitted_on"]["part"] == "val"
    assert (
        found["after_on_the_same_faces"]["aus"]["AU25"]["card"]["f1"]
        >= found["before"]["aus"]["AU25"]["card"]["f1"]
    )
