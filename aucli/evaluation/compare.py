"""One model against another on the same faces, and whether the difference is more than noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aucli.evaluation.bootstrap import DRAWS, interval, mean_over_aus
from aucli.evaluation.sample import Sample
from aucli.evaluation.scores import PROTOCOL_THRESHOLD, Scores, number, score


@dataclass(frozen=True)
class Difference:
    """Second minus first, of means over the AUs: AUC, and F1 at 0.5 on the output; fractions, or None where
    undefined. The intervals are 95 %, from draws of the same subjects for both; None for a single subject.
    """

    faces: int
    subjects: int
    mean_auc: float | None
    mean_auc_interval: tuple[float, float] | None
    mean_f1: float | None
    mean_f1_interval: tuple[float, float] | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    labels: NDArray[np.int8],
    subjects: Sequence[str],
    au_names: tuple[str, ...],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """Outputs of two models for the same faces, and labels: (faces, aus) each; labels 1, 0 or `MISSING`.

    Each draw takes the same people for both models, so what all faces of a person have in common cancels:
    the interval is that of the difference, narrower than those of the two figures.
    """
    one, other = (
        score(_sample(outputs, labels, tuple(subjects), au_names), draws=draws, seed=seed)
        for outputs in (first, second)
    )
    auc, auc_ends = _difference([s.auc for s in (one, other)], [s.auc_draws for s in (one, other)])
    f1, f1_ends = _difference([_f1(s) for s in (one, other)], [_f1_draws(s) for s in (one, other)])
    return Difference(len(labels), one.subjects, auc, auc_ends, f1, f1_ends)


def _difference(
    values: list[NDArray[np.float64]], draws: list[NDArray[np.float64]]
) -> tuple[float | None, tuple[float, float] | None]:
    first, second = (mean_over_aus(some) for some in values)
    low, high = map(number, interval(mean_over_aus(draws[1]) - mean_over_aus(draws[0])))
    return number(second - first), None if low is None or high is None else (low, high)


def _f1(scores: Scores) -> NDArray[np.float64]:
    return scores.modes["protocol"].f1


def _f1_draws(scores: Scores) -> NDArray[np.float64]:
    return scores.modes["protocol"].draws


def _sample(
    outputs: NDArray[np.float32],
    labels: NDArray[np.int8],
    subjects: tuple[str, ...],
    au_names: tuple[str, ...],
) -> Sample:
    thresholds = np.full(len(au_names), PROTOCOL_THRESHOLD, np.float32)
    return Sample(au_names, outputs, outputs, outputs >= PROTOCOL_THRESHOLD, thresholds, labels, subjects)
