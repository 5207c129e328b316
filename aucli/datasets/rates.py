"""How often each AU occurs: what class weights are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.labelled import MISSING, LabelledFaces


def class_rates(faces: LabelledFaces) -> NDArray[np.float64]:
    """Share of the coded faces that show each AU: float64 (AUs,), NaN for an AU that is never coded."""
    coded = (faces.labels != MISSING).sum(axis=0)
    shown = (faces.labels == 1).sum(axis=0)
    rates: NDArray[np.float64] = np.full(len(coded), np.nan)
    np.divide(shown, coded, out=rates, where=coded > 0)
    return rates
