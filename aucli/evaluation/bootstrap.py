"""Confidence intervals by drawing subjects with replacement.

Frames of one person resemble each other, so frames must not be drawn one by one: intervals would be
far too narrow. A draw is a number of copies per subject, and every score is computed from sums per
subject, so a thousand draws cost little more than one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.labelled import MISSING
from aucli.evaluation.counts import f1_of

DRAWS = 1000
LEVEL = 0.95
"""Of the percentile intervals."""


def draw_subjects(subjects: int, draws: int, seed: int) -> NDArray[np.float64]:
    """float64 (draws, subjects): how often each subject is in each draw; rows sum to `subjects`."""
    shares = np.full(subjects, 1 / subjects)
    return np.random.default_rng(seed).multinomial(subjects, shares, draws).astype(np.float64)


def f1_draws(copies: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64 (draws, AUs). counts: (subjects, AUs, 4), see `count_by_group`.

    NaN where no face of the draw is labelled.
    """
    sums = np.tensordot(copies, counts.astype(np.float64), 1)
    return np.where(sums.sum(-1) > 0, f1_of(sums), np.nan)


def auc_draws(
    copies: NDArray[np.float64],
    scores: NDArray[np.floating],
    labels: NDArray[np.int8],
    group: NDArray[np.integer],
) -> NDArray[np.float64]:
    """float64 (draws,): the area under the ROC curve of one AU, NaN where a draw lacks a class.

    scores, labels, group: (faces,); group is the subject's number. Exact: with W[a, b] the pairs of a
    positive face of subject a and a negative one of b that are in the right order (ties half), the
    area of a draw with c copies is cᵀ W c / (positives x negatives).
    """
    subjects = copies.shape[1]
    known = labels != MISSING
    scores, positive, group = scores[known], labels[known] == 1, group[known]
    order = np.argsort(scores[positive])  # searching in order is several times as fast
    high, of_high = scores[positive][order], group[positive][order]
    low, of_low = scores[~positive], group[~positive]
    wins = np.zeros((subjects, subjects))
    for subject in np.unique(of_low):
        below = np.sort(low[of_low == subject])
        beaten = np.searchsorted(below, high, "left") + np.searchsorted(below, high, "right")
        wins[:, subject] = np.bincount(of_high, beaten / 2, minlength=subjects)
    positives = copies @ np.bincount(of_high, minlength=subjects)
    negatives = copies @ np.bincount(of_low, minlength=subjects)
    pairs = positives * negatives
    area = np.full(len(copies), np.nan)
    np.divide(((copies @ wins) * copies).sum(1), pairs, out=area, where=pairs > 0)
    return area


def interval(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64 (2, ...): lower and upper end over the first axis, draws without a value left out."""
    ends = np.full((2, *draws.shape[1:]), np.nan)
    some = np.isfinite(draws).any(0)
    tails = (50 * (1 - LEVEL), 50 * (1 + LEVEL))
    ends[:, some] = np.nanpercentile(draws[:, some], tails, axis=0)
    return ends


def mean_over_aus(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis of the AUs that have a value; NaN where none has."""
    some = np.isfinite(values)
    total = np.where(some, values, 0.0).sum(-1)
    result = np.full(total.shape, np.nan)
    np.divide(total, some.sum(-1), out=result, where=some.any(-1))
    return result
