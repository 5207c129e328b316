"""Which tests are refused because the model has seen the people."""

from dataclasses import replace

import pytest

from aucli.evaluation.leak import doubts, find_leak
from aucli.zoo.catalogue import find
from aucli.zoo.published import generic, published
from aucli_models.au import AU_SETS

BP4D, DISFA, SYNTH, HYBRID = (AU_SETS[name] for name in ("bp4d", "disfa", "synth", "hybrid"))


def of_fold(fold):
    return published()[f"me_graphau_swin_base.bp4d_fold{fold}"]


def hybrid():
    return next(card for card in published().values() if card.au_set == "hybrid")


def test_each_fold_fits_its_own_weights_only():
    for dataset in ("bp4d", "BP4D", "me-lists"):
        for weights in (1, 2, 3):
            for tested in (1, 2, 3):
                leak = find_leak(of_fold(weights), dataset, BP4D, "test", tested)
                assert (leak is None) == (weights == tested)
                assert leak is None or f"fold {weights} of BP4D" in leak


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ((of_fold(1), "bp4d", BP4D, "train", 1), "this part"),
        ((of_fold(1), "bp4d", BP4D, "val", 1), "people of this part of BP4D"),
        (
            (generic("me_graphau", "resnet50", "bp4d", 2), "bp4d", BP4D, "test", 1),
            "does not say on which fold",
        ),
        ((hybrid(), "disfa", DISFA, "test", 2), "of which DISFA is tested"),
        ((hybrid(), "hybrid", HYBRID, "train", None), "this part"),
        ((of_fold(2), "hybrid", HYBRID, "test", None), "of which BP4D is tested"),
        ((find("builtin").card, "synthfaces", SYNTH, "train", None), "this part of synthfaces"),
    ],
    ids=lambda value: (
        value if isinstance(value, str) else " ".join(map(str, (value[0].name, value[1], value[3])))
    ),
)
def test_what_a_model_has_seen(case, words):
    assert words in (find_leak(*case) or "")


def test_people_that_it_has_not_seen():
    builtin = find("builtin").card
    assert find_leak(builtin, "disfa", DISFA, "train", 1) is None  # trained on other data altogether
    assert find_leak(builtin, "synthfaces", SYNTH, "test", None) is None
    assert find_leak(of_fold(1), "disfa", DISFA, "test", 3) is None
    assert find_leak(hybrid(), "hybrid", HYBRID, "test", None) is None
    assert find_leak(hybrid(), "me-lists", HYBRID, "test", None) is None


def test_a_lab_s_own_weights_may_be_tested_on_the_people_it_kept_back():
    own = replace(
        generic("me_graphau", "resnet50", "disfa", 2),
        name="own",
        fold=2,
        training_data="DISFA, fold 2",
        learnt_val=False,
    )
    assert find_leak(own, "disfa", DISFA, "val", 2) is None
    assert find_leak(own, "disfa", DISFA, "val", 1) is not None
    learnt = replace(own, learnt_val=True)  # trained without --hold-out
    assert "people of this part of DISFA" in (find_leak(learnt, "disfa", DISFA, "val", 2) or "")
    assert find_leak(learnt, "disfa", DISFA, "test", 2) is None


def test_thresholds_can_leak_too():
    """Validation subjects of one fold are test subjects of another."""
    fitted = {"dataset": "disfa", "part": "val", "fold": 2}
    card = replace(find("builtin").card, fitted_on=fitted)
    assert "thresholds" in (find_leak(card, "disfa", DISFA, "test", 1) or "")
    assert find_leak(card, "disfa", DISFA, "test", 2) is None
    assert "flatter" in doubts(card, "disfa", DISFA, "val", 2)[0]


def test_a_similar_name_is_another_dataset():
    card = replace(find("builtin").card, training_data="DISFA+ and MyBP4D")
    assert find_leak(card, "disfa", DISFA, "train", 1) is None


def test_doubts_are_spoken():
    assert "file says" in doubts(of_fold(1), "bp4d", BP4D, "test", 1)[0]
    assert "not known" in doubts(of_fold(1), "table", BP4D, "test", 1)[0]
    assert doubts(find("builtin").card, "disfa", DISFA, "test", 1) == []
