"""The result of an evaluation: one fold or several, with means, spread, and what must be said beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aucli.evaluation.bootstrap import interval, mean_over_aus
from aucli.evaluation.join import Joined
from aucli.evaluation.papers import PaperRow
from aucli.evaluation.sample import Sample
from aucli.evaluation.scores import INTENSITY_FIGURES, Floats, Mode, Scores, number, numbers
from aucli.zoo.card import Card


@dataclass(frozen=True, eq=False)
class Tested:
    """One model on one test set.

    unreadable: pictures that were left out, with the reason. leak: why the figures flatter the model, None
    where nothing is known to; only where a leak was allowed. remarks: one sentence each.
    joined: where an extraction was compared with labels.
    """

    card: Card
    fold: int | None
    sample: Sample
    scores: Scores
    unreadable: Mapping[str, str] = field(default_factory=dict)
    leak: str | None = None
    remarks: tuple[str, ...] = ()
    joined: Joined | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "fold": self.fold,
            "model": self.card.name,
            "sha256": self.card.sha256,
            "licence": self.card.licence,
            "leak": self.leak,
            "remarks": list(self.remarks),
            "unreadable": dict(self.unreadable),
            **({} if self.joined is None else {"joined": self.joined.to_json()}),
            **self.scores.to_json(),
        }


@dataclass(frozen=True, eq=False)
class OverFolds:
    """One figure over the folds, float64 (AUs + 1,): each AU, and last the mean over the AUs.

    sd: standard deviation with one degree of freedom taken off. interval: (2, AUs + 1), of the mean, by
    drawing subjects within each fold; NaN where the figure has none.
    """

    mean: Floats
    sd: Floats
    lowest: Floats
    highest: Floats
    interval: Floats

    @classmethod
    def of(cls, values: Floats, draws: Floats | None = None) -> OverFolds:
        """values: (folds, AUs), NaN where undefined. draws: (folds, draws, AUs)."""
        values = np.concatenate([values, mean_over_aus(values)[:, None]], axis=1)
        some = np.isfinite(values).any(0)
        columns = np.full((4, values.shape[1]), np.nan)
        chosen = values[:, some]
        columns[0, some], columns[2, some] = np.nanmean(chosen, 0), np.nanmin(chosen, 0)
        columns[3, some] = np.nanmax(chosen, 0)
        several = np.isfinite(values).sum(0) > 1
        columns[1, several] = np.nanstd(values[:, several], 0, ddof=1)
        ends = np.full((2, values.shape[1]), np.nan)
        if draws is not None:
            with_mean = np.concatenate([draws, mean_over_aus(draws)[..., None]], axis=2)
            ends = interval(mean_over_aus(np.moveaxis(with_mean, 0, -1)))
        return cls(columns[0], columns[1], columns[2], columns[3], ends)

    def to_json(self, au_names: tuple[str, ...]) -> dict[str, Any]:
        return {
            name: {
                "mean": number(self.mean[place]),
                "sd": number(self.sd[place]),
                "lowest": number(self.lowest[place]),
                "highest": number(self.highest[place]),
                "interval": numbers(self.interval[:, place]),
            }
            for place, name in enumerate((*au_names, "mean"))
        }


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All folds that were tested, with the same AUs.

    missing_aus: labelled AUs that the model lacks; they are in no figure. papers: rows of papers about the
    same protocol, never part of a mean here. remarks: what holds for all of it.
    """

    dataset: str
    part: str
    tested: tuple[Tested, ...]
    missing_aus: tuple[str, ...] = ()
    papers: tuple[PaperRow, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def au_names(self) -> tuple[str, ...]:
        return self.tested[0].sample.au_names

    @property
    def modes(self) -> tuple[Mode, ...]:
        """`card` only where the card of every fold decides otherwise than the protocol."""
        names: tuple[Mode, ...] = ("protocol", "card")
        return tuple(mode for mode in names if all(mode in one.scores.modes for one in self.tested))

    def over_folds(self) -> dict[str, dict[str, OverFolds]]:
        """`ranking`, each mode, and `intensity` if there is any -> figure -> its course over the folds."""
        scores = [one.scores for one in self.tested]
        found: dict[str, dict[str, OverFolds]] = {
            "ranking": {
                name: OverFolds.of(
                    np.stack([getattr(one, name) for one in scores]),
                    np.stack([one.auc_draws for one in scores]) if name == "auc" and _drawn(scores) else None,
                )
                for name in ("base_rate", "auc", "average_precision")
            }
        }
        for mode in self.modes:
            decisions = [one.modes[mode] for one in scores]
            found[mode] = {
                name: OverFolds.of(
                    np.stack([getattr(one, name) for one in decisions]),
                    np.stack([one.draws for one in decisions]) if name == "f1" and _drawn(scores) else None,
                )
                for name in ("f1", "precision", "recall", "accuracy")
            }
        if all(one.has_intensities for one in scores):
            found["intensity"] = {
                name: OverFolds.of(np.stack([getattr(one, name) for one in scores]))
                for name in INTENSITY_FIGURES
            }
        return found

    def to_json(self) -> dict[str, Any]:
        folds = {
            group: {name: over.to_json(self.au_names) for name, over in figures.items()}
            for group, figures in (self.over_folds() if len(self.tested) > 1 else {}).items()
        }
        return {
            "dataset": self.dataset,
            "part": self.part,
            "aus": list(self.au_names),
            "missing_aus": list(self.missing_aus),
            "remarks": list(self.remarks),
            "tested": [one.to_json() for one in self.tested],
            "over_folds": folds,
            "papers_not_measured_here": [row.to_json() for row in self.papers],
        }


def _drawn(scores: list[Scores]) -> bool:
    """Whether every fold has draws, and as many."""
    return len({len(one.auc_draws) for one in scores}) == 1 and len(scores[0].auc_draws) > 0
