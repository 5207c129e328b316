"""Models that give intensities alone, evaluated: figures of the official code, and what counts as present."""

import numpy as np
import pytest

from aucli.errors import UsageError
from aucli.evaluation.calibrate import Request, calibrate
from aucli.evaluation.decide import decided_from, protocol_threshold, remark
from aucli.evaluation.metrics import mean_squared_error
from aucli.evaluation.sample import Sample
from aucli.evaluation.scores import score
from aucli.zoo.card import read_card
from aucli.zoo.catalogue import find
from aucli_models.au import AU_SETS
from tests.models import golden_scc
from tests.models.small_scc import card_file

AUS = AU_SETS["bp4d_intensity"]


def sample(card):
    metrics = golden_scc.manifest()["metrics"]
    coded, read = (np.array(metrics[name], np.float32) for name in ("gt", "pred"))
    values = np.clip(read, 0, 5) / np.float32(5)
    return Sample(
        AUS, values, values, values >= decided_from(card, AUS), decided_from(card, AUS),
        (coded >= 2).astype(np.int8), tuple(f"P{row % 4}" for row in range(len(coded))),
        intensities=read, measured=coded, protocol_threshold=protocol_threshold(card),
    )  # fmt: skip


def test_figures_of_the_official_code(tmp_path):
    scores = score(sample(read_card(card_file(tmp_path))), draws=0)
    want = golden_scc.manifest()["metrics"]["per_au"]
    for ours, theirs in (("icc", "icc"), ("mae", "mae"), ("mse", "mse"), ("pearson", "pcc")):
        per_au = [figures[theirs] for figures in want]
        np.testing.assert_allclose(getattr(scores, ours), per_au, rtol=1e-5, err_msg=ours)
    json = scores.to_json()
    assert json["aus"]["AU12"]["mse"] == pytest.approx(want[2]["mse"], rel=1e-4)
    assert {"icc", "mae", "mse", "pearson"} <= set(json["mean"])


def test_an_au_is_present_from_grade_b_on(tmp_path):
    card = read_card(card_file(tmp_path))
    given = sample(card)
    np.testing.assert_allclose(given.thresholds, 0.4)
    assert not given.calibrated
    scores = score(given, draws=0)
    assert set(scores.modes) == {"protocol"}
    read, coded = given.intensities, given.measured
    hit = ((read >= 2) & (coded >= 2)).sum(0)
    f1 = 2 * hit / ((read >= 2).sum(0) + (coded >= 2).sum(0))
    np.testing.assert_allclose(scores.modes["protocol"].f1, f1)
    assert "gives intensities alone: for F1 an AU counts as present from 2 of 5 on" in remark(card)[0]
    assert remark(find("builtin").card) == []


def test_the_cards_own_thresholds_are_a_second_mode(tmp_path):
    card = read_card(card_file(tmp_path, thresholds=dict.fromkeys(AUS, 3.0)))
    assert set(score(sample(card), draws=0).modes) == {"protocol", "card"}


def test_there_is_nothing_to_calibrate(tmp_path):
    model = card_file(tmp_path)
    with pytest.raises(UsageError, match="intensities alone: there is no probability to calibrate"):
        calibrate(Request("table", tmp_path, str(model), tmp_path / "out"))


def test_mean_squared_error():
    nan = np.nan
    assert mean_squared_error(np.array([1.0, 2, 3, nan]), np.array([1.0, 4, nan, 2])) == 2.0
    assert np.isnan(mean_squared_error(np.array([nan]), np.array([1.0])))
