"""TP, FP, FN and TN, and what follows from them, as the authors of ME-GraphAU and OpenGraphAU count.

They sum over the whole test set, not per batch; `>=` makes an AU present; a missing label never counts.
Their F1 is 0 where it is undefined, and so is that of an AU that is never labelled (OpenGraphAU; in
ME-GraphAU nothing is missing). Counts may be of any leading shape (..., 4), so that the same functions
serve one set, each subject, or each draw of a bootstrap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.labelled import MISSING

Counts = NDArray[np.integer] | NDArray[np.floating]


def count(occurrences: NDArray[np.bool_], labels: NDArray[np.int8]) -> NDArray[np.int64]:
    """int64 (AUs, 4): TP, FP, FN, TN. occurrences, labels: (faces, AUs)."""
    group = np.zeros(len(labels), np.int64)
    counts: NDArray[np.int64] = count_by_group(occurrences, labels, group, 1)[0]
    return counts


def count_by_group(
    occurrences: NDArray[np.bool_], labels: NDArray[np.int8], group: NDArray[np.integer], groups: int
) -> NDArray[np.int64]:
    """int64 (groups, AUs, 4): the same for the faces of each group, numbered 0 to groups - 1."""
    positive, known = labels == 1, labels != MISSING
    counts = np.empty((groups, labels.shape[1], 4), np.int64)
    for place, cell in enumerate(
        (occurrences & positive, occurrences & ~positive & known, ~occurrences & positive, None)
    ):
        chosen = ~occurrences & ~positive & known if cell is None else cell
        for au in range(labels.shape[1]):
            counts[:, au, place] = np.bincount(group[chosen[:, au]], minlength=groups)
    return counts


def f1_of(counts: Counts) -> NDArray[np.float64]:
    """2 TP / (2 TP + FP + FN), 0 where there is neither a label nor a prediction: the protocol's rule."""
    true, false, missed, _ = np.moveaxis(counts, -1, 0)
    return _ratio(2 * true, 2 * true + false + missed, undefined=0.0)


def precision_of(counts: Counts) -> NDArray[np.float64]:
    """TP / (TP + FP), NaN where nothing is predicted."""
    true, false, _, _ = np.moveaxis(counts, -1, 0)
    return _ratio(true, true + false)


def recall_of(counts: Counts) -> NDArray[np.float64]:
    """TP / (TP + FN), NaN where nothing is labelled positive."""
    true, _, missed, _ = np.moveaxis(counts, -1, 0)
    return _ratio(true, true + missed)


def accuracy_of(counts: Counts, *, undefined: float = np.nan) -> NDArray[np.float64]:
    """(TP + TN) / labelled; `undefined` where nothing is labelled (0 in the authors' mean)."""
    true, _, _, right = np.moveaxis(counts, -1, 0)
    return _ratio(true + right, counts.sum(-1), undefined=undefined)


def _ratio(above: Counts, below: Counts, *, undefined: float = np.nan) -> NDArray[np.float64]:
    result = np.full(np.shape(below), undefined, np.float64)
    np.divide(above, below, out=result, where=np.asarray(below) > 0)
    return result
