"""What a card says of a trained network, measured on validation subjects only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aucli.evaluation.metrics import best_f1_threshold, f1, platt, roc_auc

WEAK_AUC = 0.75
"""Below this AUC on the validation subjects an AU is marked as weak."""


def fit_card(
    scores: NDArray[np.float32], occurrence: NDArray[np.float32], au_names: tuple[str, ...]
) -> dict[str, Any]:
    """`calibration`, `thresholds`, `validation` and `weak_aus` of a card.

    scores, occurrence: (faces, aus). The threshold is on the calibrated probability and has the
    highest F1; both are fitted on the same subjects that the figures come from, which is said in the card.
    """
    calibration, thresholds, validation = {}, {}, {}
    for column, au in enumerate(au_names):
        slope, intercept = platt(scores[:, column], occurrence[:, column])
        calibrated = 1 / (1 + np.exp(-(slope * scores[:, column].astype(np.float64) + intercept)))
        threshold = best_f1_threshold(calibrated, occurrence[:, column])
        calibration[au] = (round(slope, 6), round(intercept, 6))
        thresholds[au] = round(threshold, 6)
        validation[au] = {
            "auc": round(roc_auc(scores[:, column], occurrence[:, column]), 4),
            "f1": round(f1(calibrated, occurrence[:, column], threshold), 4),
            "base_rate": round(float(occurrence[:, column].mean()), 4),
        }
    weak = tuple(au for au in au_names if validation[au]["auc"] < WEAK_AUC)
    return {
        "calibration": calibration,
        "thresholds": thresholds,
        "validation": validation,
        "weak_aus": weak,
    }
