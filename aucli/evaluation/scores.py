"""Every figure of one sample: per AU, in two ways of deciding, with intervals by subject."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aucli.datasets.labelled import MISSING
from aucli.evaluation.bootstrap import (
    DRAWS,
    auc_draws,
    draw_subjects,
    f1_draws,
    interval,
    mean_over_aus,
)
from aucli.evaluation.counts import accuracy_of, count_by_group, f1_of, precision_of, recall_of
from aucli.evaluation.metrics import (
    average_precision,
    icc,
    mean_absolute_error,
    mean_squared_error,
    pearson,
    roc_auc,
)
from aucli.evaluation.sample import Sample

Mode = Literal["protocol", "card"]
"""protocol: the network's output >= 0.5, as in the papers. card: the calibrated probability at or above
the card's threshold for the AU, which is what `extract` writes."""
PROTOCOL_THRESHOLD = np.float32(0.5)
INTENSITY_FIGURES = ("icc", "mae", "mse", "pearson")

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Decisions:
    """Figures of one way of deciding. counts: int64 (AUs, 4), TP, FP, FN, TN. thresholds: (AUs,).

    draws: float64 (draws, AUs), F1 in each draw of subjects; no draws where there is only one subject.
    """

    thresholds: NDArray[np.float32]
    counts: NDArray[np.int64]
    draws: Floats

    @property
    def labelled(self) -> NDArray[np.bool_]:
        some: NDArray[np.bool_] = self.counts.sum(1) > 0
        return some

    @property
    def f1(self) -> Floats:
        """By the protocol, 0 where undefined; NaN where nothing is labelled."""
        return np.where(self.labelled, f1_of(self.counts), np.nan)

    @property
    def precision(self) -> Floats:
        return precision_of(self.counts)

    @property
    def recall(self) -> Floats:
        return recall_of(self.counts)

    @property
    def accuracy(self) -> Floats:
        return accuracy_of(self.counts)

    @property
    def f1_interval(self) -> Floats:
        """(2, AUs)."""
        return interval(self.draws)

    @property
    def protocol_means(self) -> tuple[float, float]:
        """Mean F1 and accuracy as OpenGraphAU's authors take them: 0 for an AU that is never labelled."""
        return float(f1_of(self.counts).mean()), float(accuracy_of(self.counts, undefined=0.0).mean())


@dataclass(frozen=True, eq=False)
class Scores:
    """All figures of one sample; arrays are float64 (AUs,) in the order of `au_names`, NaN where undefined.

    positives, labelled: int64 (AUs,). auc_draws: (draws, AUs). icc, mae, mse, pearson: of intensities,
        ICC(3,1), mean absolute and mean squared error, and Pearson's correlation.
    """

    au_names: tuple[str, ...]
    faces: int
    subjects: int
    positives: NDArray[np.int64]
    labelled: NDArray[np.int64]
    auc: Floats
    average_precision: Floats
    auc_draws: Floats
    modes: dict[Mode, Decisions]
    icc: Floats
    mae: Floats
    mse: Floats
    pearson: Floats

    @property
    def has_intensities(self) -> bool:
        """Whether any intensity was both given and measured."""
        return bool(np.isfinite(self.mae).any())

    @cached_property
    def base_rate(self) -> Floats:
        rate = np.full(len(self.au_names), np.nan)
        np.divide(self.positives, self.labelled, out=rate, where=self.labelled > 0)
        return rate

    def to_json(self) -> dict[str, Any]:
        """Per AU and as means over the AUs; null where a figure is undefined."""
        auc_ends = interval(self.auc_draws)
        aus: dict[str, Any] = {}
        for place, au in enumerate(self.au_names):
            aus[au] = {
                "labelled": int(self.labelled[place]),
                "positive": int(self.positives[place]),
                "base_rate": number(self.base_rate[place]),
                "auc": number(self.auc[place]),
                "auc_interval": numbers(auc_ends[:, place]),
                "average_precision": number(self.average_precision[place]),
            }
        mean: dict[str, Any] = {
            "base_rate": number(mean_over_aus(self.base_rate)),
            "auc": number(mean_over_aus(self.auc)),
            "auc_interval": numbers(interval(mean_over_aus(self.auc_draws))),
            "average_precision": number(mean_over_aus(self.average_precision)),
        }
        for name in INTENSITY_FIGURES if self.has_intensities else ():
            column = getattr(self, name)
            mean[name] = number(mean_over_aus(column))
            for place, au in enumerate(self.au_names):
                aus[au][name] = number(column[place])
        for mode, decisions in self.modes.items():
            ends = decisions.f1_interval
            columns = {name: getattr(decisions, name) for name in ("f1", "precision", "recall", "accuracy")}
            for place, au in enumerate(self.au_names):
                aus[au][mode] = {
                    "threshold": number(decisions.thresholds[place]),
                    **{name: number(column[place]) for name, column in columns.items()},
                    "f1_interval": numbers(ends[:, place]),
                    **dict(
                        zip(("tp", "fp", "fn", "tn"), map(int, decisions.counts[place]), strict=True),
                    ),
                }
            mean[mode] = {name: number(mean_over_aus(column)) for name, column in columns.items()}
            mean[mode]["f1_interval"] = numbers(interval(mean_over_aus(decisions.draws)))
            mean[mode]["f1_unlabelled_as_zero"] = number(decisions.protocol_means[0])
        return {"faces": self.faces, "subjects": self.subjects, "aus": aus, "mean": mean}


def number(value: float | Floats) -> float | None:
    """For JSON: None for NaN; six significant digits are more than any of these figures carries."""
    return float(f"{float(value):.6g}") if np.isfinite(value) else None


def numbers(values: Floats) -> list[float | None] | None:
    """An interval for JSON, None where it is undefined."""
    return None if np.isnan(values).any() else [number(value) for value in values]


def score(sample: Sample, *, draws: int = DRAWS, seed: int = 0) -> Scores:
    """Every figure of a sample. draws: of subjects, for the intervals; 0 for none.

    The two ways of deciding are both there only where the card's differs from the protocol's.
    """
    names, group = np.unique(np.array(sample.subjects, dtype=str), return_inverse=True)
    # One subject drawn again and again would make an interval of width nought.
    copies = draw_subjects(len(names), draws if len(names) > 1 else 0, seed)
    labels = sample.labels
    known = np.where(labels == MISSING, np.nan, labels).astype(np.float64)
    places = range(len(sample.au_names))
    decided: dict[Mode, tuple[NDArray[np.float32], NDArray[np.bool_]]] = {
        "protocol": (
            np.full_like(sample.thresholds, sample.protocol_threshold),
            sample.outputs >= np.float32(sample.protocol_threshold),
        )
    }
    if sample.calibrated:
        decided["card"] = (sample.thresholds, sample.occurrences)
    modes: dict[Mode, Decisions] = {}
    for mode, (thresholds, occurrences) in decided.items():
        by_subject = count_by_group(occurrences, labels, group, len(names))
        modes[mode] = Decisions(thresholds, by_subject.sum(0), f1_draws(copies, by_subject))
    per_au = [auc_draws(copies, sample.outputs[:, au], labels[:, au], group) for au in places]
    of_intensity = np.array([_intensity_figures(sample, au) for au in places])
    return Scores(
        au_names=sample.au_names,
        faces=len(sample),
        subjects=len(names),
        positives=(labels == 1).sum(0),
        labelled=(labels != MISSING).sum(0),
        auc=np.array([roc_auc(sample.outputs[:, au], known[:, au]) for au in places]),
        average_precision=np.array([average_precision(sample.outputs[:, au], known[:, au]) for au in places]),
        auc_draws=np.stack(per_au, 1),
        modes=modes,
        icc=of_intensity[:, 0],
        mae=of_intensity[:, 1],
        mse=of_intensity[:, 2],
        pearson=of_intensity[:, 3],
    )


def _intensity_figures(sample: Sample, au: int) -> tuple[float, float, float, float]:
    """ICC(3,1), mean absolute and squared error and Pearson's correlation, all NaN without intensities."""
    if sample.intensities is None or sample.measured is None:
        return np.nan, np.nan, np.nan, np.nan
    given, measured = sample.intensities[:, au], sample.measured[:, au]
    agreement = icc(np.stack([given, measured], axis=1))
    errors = mean_absolute_error(given, measured), mean_squared_error(given, measured)
    return agreement, *errors, pearson(given, measured)
