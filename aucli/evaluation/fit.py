"""Thresholds and calibration of each AU from a validation set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.labelled import MISSING
from aucli.evaluation.metrics import best_f1_threshold, f1, platt, roc_auc

FEWEST = 10
"""Positive and negative faces that an AU must have to be fitted."""
WEAK_AUC = 0.75
"""Below this AUC on the validation subjects an AU is marked as weak."""


@dataclass(frozen=True)
class Fit:
    """What was fitted, by AU; an AU that could not be is only in `left`, with the reason.

    calibration: slope and intercept of Platt's sigmoid on the network's output. thresholds: on the
    calibrated probability. validation: `auc`, `f1` and `base_rate` on the same faces, as a card has them.
    """

    calibration: Mapping[str, tuple[float, float]]
    thresholds: Mapping[str, float]
    validation: Mapping[str, Mapping[str, float]]
    left: Mapping[str, str]

    @property
    def weak_aus(self) -> tuple[str, ...]:
        return tuple(au for au, figures in self.validation.items() if figures["auc"] < WEAK_AUC)


def fit(outputs: NDArray[np.float32], labels: NDArray[np.int8], au_names: tuple[str, ...]) -> Fit:
    """Platt's calibration, and on it the threshold with the highest F1, for each AU by itself.

    outputs: (faces, AUs), the network's. labels: (faces, AUs), 1, 0 or `MISSING`. An AU with fewer than
    `FEWEST` positive or negative faces is left as it is: so few would fit a threshold to chance. So is one
    whose output does not rise with the label, for which no threshold is right.
    """
    calibration, thresholds, validation, left = {}, {}, {}, {}
    for place, au in enumerate(au_names):
        known = np.where(labels[:, place] == MISSING, np.nan, labels[:, place]).astype(np.float64)
        positive, negative = int((known == 1).sum()), int((known == 0).sum())
        if min(positive, negative) < FEWEST:
            left[au] = f"{positive} of {positive + negative} positive"
            continue
        auc = roc_auc(outputs[:, place], known)
        if auc <= 0.5:
            left[au] = f"AUC {auc:.2f}"
            continue
        slope, intercept = (round(value, 6) for value in platt(outputs[:, place], known))
        z = slope * outputs[:, place].astype(np.float64) + intercept
        probability = (1 / (1 + np.exp(-z))).astype(np.float32)  # in the precision in which it is compared
        threshold = float(np.float32(best_f1_threshold(probability, known)))
        calibration[au], thresholds[au] = (slope, intercept), threshold
        validation[au] = {
            "auc": round(auc, 4),
            "f1": round(f1(probability, known, threshold), 4),
            "base_rate": round(positive / (positive + negative), 4),
        }
    return Fit(calibration, thresholds, validation, left)
