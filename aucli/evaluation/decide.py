"""From which value on an AU counts as present, where models give probabilities or intensities alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aucli.sinks.frames import MAX_INTENSITY
from aucli.sinks.tables.analysis import INTENSITY_THRESHOLD
from aucli.zoo.card import Card


def decided_from(card: Card, au_names: tuple[str, ...]) -> NDArray[np.float32]:
    """The card's thresholds, float32 (AUs,); of a model without probabilities fifths of the intensity from
    which an AU counts as present: grade B where its card says nothing.
    """
    if card.probabilities:
        return np.array([card.thresholds[au] for au in au_names], np.float32)
    grades = [card.thresholds.get(au, INTENSITY_THRESHOLD) for au in au_names]
    return np.array(grades, np.float32) / np.float32(MAX_INTENSITY)


def protocol_threshold(card: Card) -> float:
    """0.5 on the output, as the papers have it; of intensities grade B, as DISFA's labels were made."""
    return 0.5 if card.probabilities else INTENSITY_THRESHOLD / MAX_INTENSITY


def remark(card: Card) -> list[str]:
    """What is to be said of figures on occurrence that were made of intensities."""
    if card.probabilities:
        return []
    return [
        f"{card.name} gives intensities alone: for F1 an AU counts as present from {INTENSITY_THRESHOLD:g} "
        f"of {MAX_INTENSITY:g} on, and AUC and AP rank by the intensity."
    ]
