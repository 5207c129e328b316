"""Curves against scikit-learn, co-occurrence against counting."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
)
from sklearn.metrics import (
    precision_recall_curve as reference_curve,
)
from sklearn.metrics import (
    roc_curve as reference_roc,
)

from aucli.evaluation.curves import cooccurrence, precision_recall_curve, reliability, roc_curve
from aucli.evaluation.metrics import average_precision


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    labels = rng.choice([-1, 0, 1], 500, p=[0.1, 0.7, 0.2]).astype(np.int8)
    scores = np.round(np.clip(0.3 * (labels == 1) + rng.normal(0.4, 0.15, 500), 0, 1), 2)
    return scores, labels


def test_roc(sample):
    scores, labels = sample
    known = labels >= 0
    want = reference_roc(labels[known], scores[known], drop_intermediate=False)
    np.testing.assert_allclose(roc_curve(scores, labels), want[:2])


def test_precision_and_recall(sample):
    scores, labels = sample
    known = labels >= 0
    precision, recall, _ = reference_curve(labels[known], scores[known])
    found_recall, found_precision = precision_recall_curve(scores, labels)
    np.testing.assert_allclose(found_precision, precision[-2::-1])
    np.testing.assert_allclose(found_recall, recall[-2::-1])
    missing = np.where(known, labels, np.nan)
    assert average_precision(scores, missing) == pytest.approx(
        average_precision_score(labels[known], scores[known])
    )


def test_calibration(sample):
    scores, labels = sample
    known = labels >= 0
    observed, predicted = calibration_curve(
        labels[known], scores[known] - 1e-9 * (scores[known] > 0), n_bins=10
    )
    found = reliability(scores - 1e-9 * (scores > 0), labels)
    np.testing.assert_allclose(found.observed, observed)
    np.testing.assert_allclose(found.predicted, predicted, atol=1e-8)
    assert found.faces.sum() == known.sum()
    weights = found.faces / found.faces.sum()
    assert found.error == pytest.approx(float((np.abs(observed - predicted) * weights).sum()))


def test_a_class_that_is_absent_has_no_curve():
    scores, labels = np.array([0.2, 0.7]), np.zeros(2, np.int8)
    assert roc_curve(scores, labels)[0].size == precision_recall_curve(scores, labels)[0].size == 0
    assert np.isnan(average_precision(scores, labels.astype(float)))
    assert np.isnan(reliability(scores, np.full(2, -1, np.int8)).error)


def test_cooccurrence_is_a_share_of_the_row_s_faces():
    labels = np.array([[1, 1, 0], [1, 0, -1], [1, 1, 0], [0, 1, 0]], np.int8)
    found = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 0], [0, 0, 0]], bool)
    labelled, predicted = cooccurrence(found, labels)
    assert labelled[0].tolist() == [1, 2 / 3, 0]  # AU 3 is labelled on two of the faces with AU 1
    assert labelled[1].tolist() == [2 / 3, 1, 0]
    assert np.isnan(labelled[2]).all()
    assert predicted[0].tolist() == [1, 0.5, 0]
    assert np.isnan(predicted[2]).all()  # said only where it is not labelled
