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

    scores, occurrence: (faces, aus); occurrence 1, 0, or NaN where not coded. The threshold is on the
    calibrated probability and has the highest F1; both are fitted on the same subjects that the figures come
    from, which is said in the card. An AU of which only one class was seen gets the calibration of all AUs
    together and a threshold of one half, and is weak.
    """
    calibration, thresholds, validation, weak = {}, {}, {}, []
    for column, au in enumerate(au_names):
        raw, truth = scores[:, column], occurrence[:, column]
        auc = roc_auc(raw, truth)
        fitted = np.isfinite(auc)
        slope, intercept = platt(raw, truth) if fitted else platt(scores.ravel(), occurrence.ravel())
        calibrated = 1 / (1 + np.exp(-(slope * raw.astype(np.float64) + intercept)))
        threshold = best_f1_threshold(calibrated, truth) if fitted else 0.5
        calibration[au] = (round(slope, 6), round(intercept, 6))
        thresholds[au] = round(threshold, 6)
        if fitted:
            validation[au] = {
                "auc": round(auc, 4),
                "f1": round(f1(calibrated, truth, threshold), 4),
                "base_rate": round(float(np.nanmean(truth)), 4),
            }
        if not fitted or validation[au]["auc"] < WEAK_AUC:
            weak.append(au)
    return {
        "calibration": calibration,
        "thresholds": thresholds,
        "validation": validation,
        "weak_aus": tuple(weak),
    }
