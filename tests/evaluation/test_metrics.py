"""Scores against scikit-learn and SciPy, and a published table."""

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score

from aucli.evaluation.metrics import (
    best_f1_threshold,
    f1,
    icc,
    mean_absolute_error,
    pearson,
    platt,
    roc_auc,
)


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


def test_icc_of_shrout_and_fleiss():
    """Their tables 2 to 4: six targets, four judges; ICC(3,1) is 0.71, from mean squares 11.24 and 1.02."""
    ratings = np.array(
        [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
    )
    assert round(icc(ratings), 2) == 0.71
    assert icc(ratings) == pytest.approx((11.24 - 1.02) / (11.24 + 3 * 1.02), abs=1e-3)


def test_icc_of_two_by_sums_of_squares():
    """The analysis of variance written out as sums over the cells; a row that is not rated does not count."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 5, 50)
    ratings = np.stack([truth, 0.5 * truth + 1 + rng.normal(0, 0.5, 50)], axis=1)
    total = sum((x - ratings.mean()) ** 2 for x in ratings.flat)
    of_targets = sum(2 * (row.mean() - ratings.mean()) ** 2 for row in ratings)
    of_judges = sum(50 * (column.mean() - ratings.mean()) ** 2 for column in ratings.T)
    between, error = of_targets / 49, (total - of_targets - of_judges) / 49
    want = (between - error) / (between + error)
    assert icc(ratings) == pytest.approx(want)
    assert icc(np.vstack([ratings, [[np.nan, 3.0], [2.0, np.nan]]])) == pytest.approx(want)
    assert icc(ratings + np.array([0.0, 2.0])) == pytest.approx(want)  # consistency: a shift is forgiven
    assert icc(np.stack([truth, truth], axis=1)) == pytest.approx(1.0)
    assert np.isnan(icc(np.zeros((5, 2))))
    assert np.isnan(icc(ratings[:1]))


def test_distance_and_correlation_of_intensities():
    rng = np.random.default_rng(0)
    predicted, measured = rng.random(60), rng.random(60)
    measured[::4] = np.nan
    known = np.isfinite(measured)
    want = pearsonr(predicted[known], measured[known]).statistic
    assert pearson(predicted, measured) == pytest.approx(want)
    assert mean_absolute_error(predicted, measured) == np.mean(np.abs(predicted[known] - measured[known]))
    assert np.isnan(pearson(np.full(60, 0.1), measured))
    assert np.isnan(mean_absolute_error(predicted, np.full(60, np.nan)))
