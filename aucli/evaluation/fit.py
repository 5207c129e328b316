"""Thresholds and calibration of each AU from a validation set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.labelled import MISSING
from aucli.evaluation.metrics import best_f1_threshold, f1, icc, mean_absolute_error, platt, roc_auc

FEWEST = 10
"""Positive and negative faces that an AU must have to be fitted."""
WEAK_AUC, WEAK_F1 = 0.8, 0.4
"""Below either of these on the validation subjects an AU is marked as weak. With a low F1 most frames that
are called present are not, or most that are present are missed, however good the order is."""
GOOD_ICC = 0.6
"""From this ICC(3,1) on the validation subjects an AU's intensity is worth writing: "good" by Cicchetti,
Guidelines, criteria, and rules of thumb for evaluating normed and standardized assessment instruments in
psychology, 1994."""


@dataclass(frozen=True)
class Fit:
    """What was fitted, by AU; an AU that could not be is only in `left`, with the reason.

    calibration: slope and intercept of Platt's sigmoid on the network's output. thresholds: on the
    calibrated probability. validation: `auc`, `f1` and `base_rate` on the same faces, as a card has them, and
    for an intensity that was measured `icc` and `mae`.
    """

    calibration: Mapping[str, tuple[float, float]]
    thresholds: Mapping[str, float]
    validation: Mapping[str, Mapping[str, float]]
    left: Mapping[str, str]

    @property
    def weak_aus(self) -> tuple[str, ...]:
        return tuple(
            au
            for au, figures in self.validation.items()
            if figures["auc"] < WEAK_AUC or figures["f1"] < WEAK_F1
        )

    @property
    def intensity_aus(self) -> tuple[str, ...]:
        """AUs whose intensity is worth writing, by `GOOD_ICC`."""
        return tuple(au for au, figures in self.validation.items() if figures.get("icc", -1.0) >= GOOD_ICC)


def fit(
    outputs: NDArray[np.float32],
    labels: NDArray[np.int8],
    au_names: tuple[str, ...],
    *,
    intensities: NDArray[np.float32] | None = None,
    measured: NDArray[np.float32] | None = None,
) -> Fit:
    """Platt's calibration, and on it the threshold with the highest F1, for each AU by itself.

    outputs: (faces, AUs), the network's. labels: (faces, AUs), 1, 0 or `MISSING`. An AU with fewer than
    `FEWEST` positive or negative faces is left as it is: so few would fit a threshold to chance. So is one
    whose output does not rise with the label, for which no threshold is right.

    intensities, measured: (faces, AUs), what the network gives and what was coded, NaN where nothing was.
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
        if intensities is not None and measured is not None:
            validation[au] |= _of_intensity(intensities[:, place], measured[:, place])
    return Fit(calibration, thresholds, validation, left)


def _of_intensity(predicted: NDArray[np.float32], measured: NDArray[np.float32]) -> dict[str, float]:
    agreement = icc(np.stack([predicted, measured], axis=1))
    if np.isnan(agreement):
        return {}
    return {"icc": round(agreement, 4), "mae": round(mean_absolute_error(predicted, measured), 4)}
