"""Scores against scikit-learn and SciPy."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score

from aucli.evaluation.metrics import best_f1_threshold, f1, platt, roc_auc


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    labels = (rng.random(500) < 0.2).astype(float)
    scores = np.round(np.clip(0.3 * labels + rng.normal(0.4, 0.15, 500), 0, 1), 2)  # rounded: many ties
    return scores, labels


def test_auc_with_ties(sample):
    assert roc_auc(*sample) == pytest.approx(roc_auc_score(sample[1], sample[0]))


def test_missing_labels_do_not_count(sample):
    scores, labels = sample
    labels = labels.copy()
    labels[::7] = np.nan
    known = np.isfinite(labels)
    assert roc_auc(scores, labels) == pytest.approx(roc_auc_score(labels[known], scores[known]))
    assert f1(scores, labels, 0.5) == pytest.approx(f1_score(labels[known], scores[known] >= 0.5))


def test_one_class_has_no_auc_and_no_f1():
    assert np.isnan(roc_auc(np.array([0.1, 0.2]), np.zeros(2)))
    assert f1(np.array([0.1, 0.2]), np.zeros(2), 0.5) == 0.0


def test_best_threshold_beats_every_other(sample):
    scores, labels = sample
    best = best_f1_threshold(scores, labels)
    candidates = np.r_[0.0, np.unique(scores) + 1e-9, 1.1]
    assert f1(scores, labels, best) == max(f1(scores, labels, c) for c in np.r_[candidates, best])


def test_platt_is_the_maximum_likelihood_fit(sample):
    scores, labels = sample
    slope, intercept = platt(scores, labels)
    reference = LogisticRegression(C=1e9, tol=1e-8, max_iter=1000).fit(scores[:, None], labels)
    # Platt's smoothed targets pull a little towards one half.
    assert slope == pytest.approx(reference.coef_[0, 0], rel=0.05)
    assert intercept == pytest.approx(reference.intercept_[0], rel=0.05)
