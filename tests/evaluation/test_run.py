"""`evaluate` on real pictures: the rendered faces, and DISFA's lists as a recipe writes them."""

import numpy as np
import pandas as pd
import pytest

from aucli.errors import UsageError
from aucli.evaluation.run import Request, evaluate
from aucli.inference.predictor import Predictor
from tests.evaluation.folders import DISFA, FACES, card_file, disfa_lists, install_folds


@pytest.fixture(scope="module")
def disfa(tmp_path_factory):
    root = tmp_path_factory.mktemp("disfa")
    return root, *disfa_lists(root)


def test_rendered_faces_of_people_that_the_model_has_not_seen():
    result = evaluate(Request("synthfaces", FACES, ["builtin"], device="cpu", draws=20))
    scores = result.tested[0].scores
    assert (scores.faces, scores.subjects) == (40, 2)
    assert scores.auc[scores.au_names.index("AU12")] > 0.85
    assert result.papers == ()
    assert result.tested[0].leak is None


def test_every_fold_with_its_own_weights(disfa):
    root, labels, tested = disfa
    install_folds()
    result = evaluate(Request("me-lists", root, ["lab_resnet10.disfa"], fold="all", device="cpu", draws=20))
    assert [one.fold for one in result.tested] == [1, 2, 3]
    assert [one.card.fold for one in result.tested] == [1, 2, 3]
    assert result.au_names == DISFA
    for one in result.tested:
        np.testing.assert_array_equal(one.sample.labels, labels[tested == one.fold])
        assert one.scores.subjects == 3
    f1 = np.stack([one.scores.modes["protocol"].f1 for one in result.tested])
    over = result.over_folds()["protocol"]["f1"]
    np.testing.assert_allclose(over.mean[:-1], np.nanmean(f1, 0))
    np.testing.assert_allclose(over.sd[:-1], np.nanstd(f1, 0, ddof=1))
    # As the papers: the mean over the AUs of each fold, then over the folds.
    assert over.mean[-1] == pytest.approx(np.nanmean(f1, 1).mean())
    assert (over.lowest <= over.mean + 1e-12).all()
    assert (over.interval[0, -1] <= over.mean[-1]) & (over.mean[-1] <= over.interval[1, -1])
    assert {row.system for row in result.papers} == {"ME-GraphAU", "MDHR"}
    found = result.to_json()
    assert "papers_not_measured_here" in found
    assert found["over_folds"]["protocol"]["f1"]["mean"]["sd"] is not None


def test_weights_of_another_fold_are_refused_and_marked_when_allowed(disfa):
    root, *_ = disfa
    install_folds()
    request = {"dataset": "me-lists", "root": root, "models": ["lab_resnet10.disfa_fold1"], "fold": 2}
    with pytest.raises(UsageError, match=r"fold 1 of DISFA.*--allow-leak"):
        evaluate(Request(**request))
    result = evaluate(Request(**request, allow_leak=True, device="cpu", draws=0))
    assert "fold 1 of DISFA" in (result.tested[0].leak or "")
    assert result.to_json()["tested"][0]["leak"] is not None


def test_a_leak_is_found_before_a_network_is_loaded(disfa, monkeypatch):
    def load(*_, **__):
        raise AssertionError("loaded")

    install_folds()
    monkeypatch.setattr("aucli.evaluation.run.Predictor", load)
    with pytest.raises(UsageError, match="--allow-leak"):
        evaluate(Request("me-lists", disfa[0], ["lab_resnet10.disfa_fold3"], fold="all"))


def test_a_picture_that_cannot_be_read_is_left_out_and_named(disfa, tmp_path):
    root = tmp_path / "disfa"
    disfa_lists(root, per_person=20)
    listed = (root / "list" / "DISFA_test_img_path_fold1.txt").read_text().split()
    labels = (root / "list" / "DISFA_test_label_fold1.txt").read_text().splitlines()
    more = [listed[0]] * 60  # one of 120 pictures is less than 1 %
    (root / "list" / "DISFA_test_img_path_fold1.txt").write_text("\n".join(listed + more) + "\n")
    (root / "list" / "DISFA_test_label_fold1.txt").write_text("\n".join(labels + labels[:1] * 60) + "\n")
    (root / "img" / listed[5]).write_bytes(b"no picture")
    request = Request("me-lists", root, ["builtin"], fold=1, device="cpu", draws=0)
    result = evaluate(request)
    assert result.tested[0].scores.faces == 119
    assert listed[5] in next(iter(result.tested[0].unreadable))
    (root / "img" / listed[6]).write_bytes(b"")
    with pytest.raises(UsageError, match="1 %"):
        evaluate(request)


def test_aus_that_the_model_lacks():
    with pytest.raises(UsageError, match=r"does not predict AU11, AU13, AU19, AU32:.*models list"):
        evaluate(Request("synthfaces", FACES, ["builtin"], au_set="hybrid"))


def test_aus_that_only_the_labels_have_are_named(tmp_path):
    table = pd.read_parquet(FACES / "labels.parquet")[
        ["path", "subject", "split", "AU12_occ", "AU6L_occ"]
    ].rename(columns={"AU6L_occ": "AU32"})
    path = tmp_path / "coded.csv"
    (tmp_path / "images").symlink_to(FACES / "images")
    table.to_csv(path, index=False)
    result = evaluate(Request("table", path, ["builtin"], device="cpu", draws=0))
    assert result.au_names == ("AU12",)
    assert result.missing_aus == ("AU32",)
    assert "not known" in result.tested[0].remarks[0]


def test_a_card_without_calibration_has_one_way_of_deciding(tmp_path):
    card = Predictor("builtin").card
    path = card_file(tmp_path, calibration={}, thresholds=dict.fromkeys(card.au_names, 0.5))
    result = evaluate(Request("synthfaces", FACES, [str(path)], device="cpu", draws=0))
    assert result.modes == ("protocol",)
