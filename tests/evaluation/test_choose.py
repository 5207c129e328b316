"""Which weights belong to which fold."""

import pytest

from aucli.errors import UnknownModelError, UsageError
from aucli.evaluation.choose import folds_of, models_of_folds
from tests.evaluation.folders import install_folds


@pytest.fixture
def family():
    install_folds()
    return "lab_resnet10.disfa"


def names(models, fold):
    return [card.name for _, card in models_of_folds(models, folds_of(fold))]


def test_a_family_or_a_pattern_names_the_weights_of_each_fold(family):
    want = [f"{family}_fold{fold}" for fold in (1, 2, 3)]
    assert names([family], "all") == names([family + "_fold{fold}"], "all") == want
    assert names([family], 2) == want[1:2]


def test_weights_are_put_in_the_order_of_their_folds(family):
    given = [f"{family}_fold{fold}" for fold in (3, 1, 2)]
    assert names(given, "all") == sorted(given)


def test_one_model_may_serve_all_folds():
    assert len(set(names(["builtin"], "all"))) == 1
    assert names(["builtin"], None) == ["me_graphau_resnet10_small.synth"]


@pytest.mark.parametrize(
    ("models", "fold", "error", "word"),
    [
        (["builtin", "builtin"], 1, UsageError, "--fold all"),
        (
            ["lab_resnet10.disfa_fold1", "lab_resnet10.disfa_fold1", "lab_resnet10.disfa_fold2"],
            "all",
            UsageError,
            "once",
        ),
        (["own{fold}"], None, UsageError, "no folds"),
        (["own{fold}"], 1, UnknownModelError, "own1"),
        (
            ["me_graphau_swin_base.bp4d"],
            "all",
            UnknownModelError,
            "models pull me_graphau_swin_base.bp4d_fold1",
        ),
    ],
)
def test_what_does_not_fit(family, models, fold, error, word):
    with pytest.raises(error, match=word):
        models_of_folds(models, folds_of(fold))
