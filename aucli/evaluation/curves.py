"""The curves and matrices of the report, as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.labelled import MISSING
from aucli.evaluation.metrics import precision_recall_steps

Floats = NDArray[np.float64]


def roc_curve(scores: NDArray[np.floating], labels: NDArray[np.int8]) -> tuple[Floats, Floats]:
    """False and true positive rate from (0, 0) to (1, 1), one point per different score; one AU, (faces,).

    Empty where a class is absent.
    """
    known = labels != MISSING
    positive = labels[known] == 1
    if not positive.any() or positive.all():
        return np.zeros(0), np.zeros(0)
    scores = scores[known]
    _, _, true_rate = precision_recall_steps(scores, positive)
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(scores[order][1:] != scores[order][:-1], True)
    false_rate = np.cumsum(~positive[order])[last_of_tie] / (~positive).sum()
    return np.append(0.0, false_rate), np.append(0.0, true_rate)


def precision_recall_curve(scores: NDArray[np.floating], labels: NDArray[np.int8]) -> tuple[Floats, Floats]:
    """Recall and precision, one point per different score, recall rising; empty without a positive."""
    known = labels != MISSING
    if not (labels[known] == 1).any():
        return np.zeros(0), np.zeros(0)
    _, precision, recall = precision_recall_steps(scores[known], labels[known] == 1)
    return recall, precision


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often what was predicted with a probability is the case; one entry per bin that has faces.

    predicted: mean probability, observed: share of positive labels, faces: how many.
    """

    predicted: Floats
    observed: Floats
    faces: NDArray[np.int64]

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of the two, weighted by faces; NaN without faces."""
        if not len(self.faces):
            return float("nan")
        return float(np.average(np.abs(self.predicted - self.observed), weights=self.faces))


def reliability(probabilities: NDArray[np.floating], labels: NDArray[np.int8], bins: int = 10) -> Reliability:
    """In bins of equal width from 0 to 1; both of any one shape, missing labels left out."""
    known = labels != MISSING
    probability, positive = probabilities[known].astype(np.float64), labels[known] == 1
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    faces = np.bincount(place, minlength=bins)
    some = faces > 0
    return Reliability(
        np.bincount(place, probability, bins)[some] / faces[some],
        np.bincount(place, positive, bins)[some] / faces[some],
        faces[some],
    )


def cooccurrence(occurrences: NDArray[np.bool_], labels: NDArray[np.int8]) -> tuple[Floats, Floats]:
    """How often AU `column` is there where AU `row` is: labelled, then predicted; float64 (AUs, AUs).

    Both over the faces on which both AUs are labelled. NaN where the AU of the row is never there.
    """
    known = (labels != MISSING).astype(np.float64)
    return _conditional((labels == 1) * known, known), _conditional(occurrences * known, known)


def _conditional(there: Floats, known: Floats) -> Floats:
    """there, known: 0 or 1 (faces, AUs), there only where known."""
    both, row = there.T @ there, there.T @ known
    share = np.full(both.shape, np.nan)
    np.divide(both, row, out=share, where=row > 0)
    return share
