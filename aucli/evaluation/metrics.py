"""Scores of a set of predictions against labels; missing labels (NaN) never count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import rankdata

Floats = NDArray[np.floating]


def roc_auc(scores: Floats, labels: Floats) -> float:
    """Area under the ROC curve, ties counted half; NaN where one class is absent. Both (samples,)."""
    known = np.isfinite(labels)
    scores, positive = scores[known], labels[known] > 0.5
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def average_precision(scores: Floats, labels: Floats) -> float:
    """Area under the precision-recall curve as a sum of steps; NaN without a positive. Both (samples,).

    Tied scores enter together, so that the order of the samples does not matter.
    """
    known = np.isfinite(labels)
    positive = labels[known] > 0.5
    if not positive.any():
        return float("nan")
    _, precision, recall = precision_recall_steps(scores[known], positive)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def precision_recall_steps(
    scores: Floats, positive: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds from high to low with precision and recall of `score >= threshold` at each.

    scores, positive: (samples,). Each result has one entry per different score. Recall is NaN where
    nothing is positive.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(positive[order])
    last_of_tie = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)])
    n_positive = int(positive.sum())
    recall = hits[last_of_tie] / n_positive if n_positive else np.full(len(last_of_tie), np.nan)
    return ranked[last_of_tie], hits[last_of_tie] / (last_of_tie + 1), recall


def icc(ratings: Floats) -> float:
    """ICC(3,1) of ratings (targets, judges), consistency of fixed judges; NaN where nothing varies.

    Shrout and Fleiss, Intraclass correlations: uses in assessing rater reliability, 1979. A target that a
    judge has not rated (NaN) does not count.
    """
    ratings = ratings[np.isfinite(ratings).all(1)].astype(np.float64)
    targets, judges = ratings.shape
    if targets < 2:
        return float("nan")
    of_target, of_judge = ratings.mean(1, keepdims=True), ratings.mean(0)
    between = judges * of_target.var(ddof=1)
    left = ratings - of_target - of_judge + ratings.mean()
    error = np.square(left).sum() / ((targets - 1) * (judges - 1))
    total = between + (judges - 1) * error
    return float((between - error) / total) if total > 0 else float("nan")


def mean_absolute_error(predicted: Floats, measured: Floats) -> float:
    """Mean distance of the two, both (samples,); NaN where nothing was measured."""
    known = np.isfinite(predicted) & np.isfinite(measured)
    return float(np.abs(predicted[known] - measured[known]).mean()) if known.any() else float("nan")


def mean_squared_error(predicted: Floats, measured: Floats) -> float:
    """Mean squared distance of the two, both (samples,); NaN where nothing was measured."""
    known = ~(np.isnan(predicted) | np.isnan(measured))
    return float(((predicted - measured)[known].astype(np.float64) ** 2).mean()) if known.any() else np.nan


def pearson(predicted: Floats, measured: Floats) -> float:
    """Linear correlation of the two, both (samples,); NaN where one of them does not vary."""
    known = np.isfinite(predicted) & np.isfinite(measured)
    x, y = predicted[known].astype(np.float64), measured[known].astype(np.float64)
    if len(x) < 2 or not (np.ptp(x) > 0 and np.ptp(y) > 0):
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def f1(scores: Floats, labels: Floats, threshold: float) -> float:
    """F1 of `scores >= threshold`; 0 where nothing is positive, as the authors' code has it."""
    known = np.isfinite(labels)
    predicted, positive = scores[known] >= threshold, labels[known] > 0.5
    true_positive = int((predicted & positive).sum())
    denominator = int(predicted.sum()) + int(positive.sum())
    return 2 * true_positive / denominator if denominator else 0.0


def best_f1_threshold(scores: Floats, labels: Floats) -> float:
    """The threshold with the highest F1 on these samples, midway between neighbouring scores.

    To be fitted on validation subjects only.
    """
    known = np.isfinite(labels)
    order = np.argsort(-scores[known], kind="stable")
    ranked, positive = scores[known][order], labels[known][order] > 0.5
    hits = np.cumsum(positive)
    score_f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + positive.sum())
    # A threshold can only fall between two different scores.
    last_of_tie = np.append(ranked[1:] != ranked[:-1], True)
    best = int(np.argmax(np.where(last_of_tie, score_f1, -1.0)))
    if best + 1 == len(ranked):
        return float(ranked[best])
    return float((ranked[best] + ranked[best + 1]) / 2)


def platt(scores: Floats, labels: Floats) -> tuple[float, float]:
    """Slope and intercept of P = sigmoid(slope * score + intercept) by maximum likelihood.

    Platt, Probabilistic outputs for support vector machines, 1999, with his smoothed targets.
    """
    known = np.isfinite(labels)
    x, positive = scores[known].astype(np.float64), labels[known] > 0.5
    n_positive, n_negative = positive.sum(), (~positive).sum()
    target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))

    def loss(parameters: Floats) -> float:
        z = parameters[0] * x + parameters[1]
        return float(np.mean(np.logaddexp(0, z) - target * z))

    start = np.array([5.0, -2.5])
    found = minimize(loss, start, bounds=[(1e-3, 100.0), (-100.0, 100.0)], method="L-BFGS-B")
    return float(found.x[0]), float(found.x[1])
