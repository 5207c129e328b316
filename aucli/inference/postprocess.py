"""From a network's outputs to the probabilities, occurrences and intensities that are written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aucli.zoo.card import Card


@dataclass(frozen=True, eq=False)
class Postprocess:
    """A card's calibration and thresholds as arrays (AUs,), in the order of `card.written_aus`.

    slope, intercept: NaN for an AU without calibration, whose probability is the output itself.
    threshold: of probabilities; of intensities for a network that gives these alone, empty where its card has
        none.
    intensity_columns: int64 (AUs with an intensity,), places of `card.intensity_aus`.
    """

    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]
    threshold: NDArray[np.float32]
    intensity_columns: NDArray[np.int64]

    @classmethod
    def of(cls, card: Card) -> Postprocess:
        judged = card.written_aus if card.gives_occurrences else ()
        threshold = np.array([card.thresholds[au] for au in judged], np.float32)
        none = (np.nan, np.nan)
        slope, intercept = np.array([card.calibration.get(au, none) for au in card.au_names], np.float64).T
        columns = np.array([card.au_names.index(au) for au in card.intensity_aus], np.int64)
        return cls(slope, intercept, threshold, columns)

    def __call__(self, outputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Outputs (faces, AUs), 0 to 1 -> probabilities float32 and occurrences bool, both (faces, AUs).

        The occurrence is decided on the probability as it is written, so that a reader who compares
        the two columns never finds a contradiction.
        """
        z = self.slope * outputs.astype(np.float64) + self.intercept
        probabilities = np.where(np.isnan(self.slope), outputs, (1.0 / (1.0 + np.exp(-z))).astype(np.float32))
        return probabilities, probabilities >= self.threshold

    def present(self, intensities: NDArray[np.float32] | None) -> NDArray[np.bool_] | None:
        """Of what `intensities` returns, for a network without probabilities: occurrences bool (faces, AUs),
        or None where its card has no thresholds.
        """
        if intensities is None or not len(self.threshold):
            return None
        return intensities >= self.threshold

    def intensities(self, intensities: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        """All that the network gives, (faces, AUs) -> those that are written, (faces, some AUs), or None."""
        if intensities is None or not len(self.intensity_columns):
            return None
        return intensities[:, self.intensity_columns]
