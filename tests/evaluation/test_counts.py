"""Counts and F1 against the official code's numbers and scikit-learn."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_score, recall_score

from aucli.evaluation.counts import accuracy_of, count, count_by_group, f1_of, precision_of, recall_of

GOLDEN = np.load(Path(__file__).parent / "goldens" / "f1.npz")


@pytest.mark.parametrize("system", ["me", "og"])
def test_the_official_bookkeeping(system):
    """12 AUs, or 41 with missing labels: one never positive, one never predicted, one never labelled."""
    labels = GOLDEN[f"{system}_label"].astype(np.int8)
    counts = count(GOLDEN[f"{system}_pred"] >= 0.5, labels)
    np.testing.assert_array_equal(counts[:, [0, 1, 3, 2]], GOLDEN[f"{system}_tp_fp_tn_fn"])
    np.testing.assert_allclose(f1_of(counts), GOLDEN[f"{system}_f1"], atol=1e-12)
    accuracy = accuracy_of(counts, undefined=0.0)
    np.testing.assert_allclose(accuracy, GOLDEN[f"{system}_acc"], atol=1e-12)
    assert f1_of(counts).mean() == pytest.approx(float(GOLDEN[f"{system}_f1_mean"]), abs=1e-12)
    assert accuracy.mean() == pytest.approx(float(GOLDEN[f"{system}_acc_mean"]), abs=1e-12)
    if system == "og":
        assert (counts.sum(1) == 0).any()  # never labelled


@pytest.fixture
def sample():
    rng = np.random.default_rng(1)
    labels = rng.choice([-1, 0, 1], (400, 5), p=[0.2, 0.5, 0.3]).astype(np.int8)
    return rng.random((400, 5)) < 0.3 + 0.3 * (labels == 1), labels


def test_each_figure_is_scikit_learn_s(sample):
    found, labels = sample
    counts = count(found, labels)
    for au in range(5):
        known = labels[:, au] >= 0
        truth, said = labels[known, au], found[known, au]
        negative, positive = confusion_matrix(truth, said)
        np.testing.assert_array_equal(counts[au], [positive[1], negative[1], positive[0], negative[0]])
        assert f1_of(counts)[au] == pytest.approx(f1_score(truth, said))
        assert precision_of(counts)[au] == pytest.approx(precision_score(truth, said))
        assert recall_of(counts)[au] == pytest.approx(recall_score(truth, said))
        assert accuracy_of(counts)[au] == pytest.approx(accuracy_score(truth, said))


def test_groups_add_up_and_are_those_of_their_faces(sample):
    found, labels = sample
    group = np.random.default_rng(2).integers(0, 7, len(labels))
    by_group = count_by_group(found, labels, group, 8)  # one group without faces
    np.testing.assert_array_equal(by_group.sum(0), count(found, labels))
    np.testing.assert_array_equal(by_group[3], count(found[group == 3], labels[group == 3]))
    assert by_group[7].sum() == 0


def test_what_is_undefined():
    nothing_said = np.array([[0, 0, 0, 9]])
    never_labelled = np.zeros((1, 4), int)
    only_misses = np.array([[0, 0, 4, 5]])
    assert f1_of(nothing_said)[0] == f1_of(never_labelled)[0] == f1_of(only_misses)[0] == 0
    assert np.isnan(precision_of(nothing_said)[0])
    assert np.isnan(recall_of(nothing_said)[0])
    assert recall_of(only_misses)[0] == 0
    assert accuracy_of(nothing_said)[0] == 1
    assert np.isnan(accuracy_of(never_labelled)[0])
