"""What is to be known of a model's AUs to draw them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aucli.series.course import Measure, Signal
from aucli_models.au import facs_order, parse, title


@dataclass(frozen=True, eq=False)
class Legend:
    """The AUs of the results, in the order of their columns.

    labels: `AU12`, with a star for weak ones; titles: "Lip corner puller"; codes: as FACS codes are
    written, `12`, `L12` for one side. thresholds: float64 (AUs,), from which probability an AU occurs, or
    which fifth of the intensity; NaN where nothing is decided. measure: what the values are, see
    `FrameResult`.
    order: int64 (AUs,), the rank of each AU by its FACS number. whole, opposite: int64 (AUs,), of a side the
    columns of the AU as a whole and of the other side, where both are there; else -1.
    """

    au_names: tuple[str, ...]
    labels: tuple[str, ...]
    titles: tuple[str, ...]
    codes: tuple[str, ...]
    thresholds: NDArray[np.float64]
    order: NDArray[np.int64]
    has_weak: bool
    whole: NDArray[np.int64]
    opposite: NDArray[np.int64]
    measure: Measure = "probability"

    @classmethod
    def of(
        cls,
        au_names: Sequence[str],
        thresholds: Mapping[str, float],
        weak_aus: Collection[str] = (),
        measure: Measure = "probability",
    ) -> Legend:
        """From a card's fields; thresholds are in the unit of the measure."""
        top = Signal("", measure).top
        parsed = [parse(au) for au in au_names]
        columns = {au: column for column, au in enumerate(au_names)}
        families = [
            (columns.get(f"AU{number}", -1), columns.get(f"AU{number}{'R' if side == 'L' else 'L'}", -1))
            if side
            else (-1, -1)
            for number, side in parsed
        ]
        whole, opposite = (
            np.array([family if min(family) >= 0 else (-1, -1) for family in families], np.int64)
            .reshape(-1, 2)
            .T
        )
        rank = {au: number for number, au in enumerate(sorted(au_names, key=facs_order))}
        return cls(
            au_names=tuple(au_names),
            labels=tuple(f"{au}*" if au in weak_aus else au for au in au_names),
            titles=tuple(title(au) for au in au_names),
            codes=tuple(f"{side}{number}" for number, side in parsed),
            thresholds=np.array([thresholds.get(au, np.nan) for au in au_names], np.float64) / top,
            order=np.array([rank[au] for au in au_names], np.int64),
            has_weak=bool(set(weak_aus) & set(au_names)),
            whole=whole,
            opposite=opposite,
            measure=measure,
        )

    def written(self, percent: int) -> str:
        """A value in hundredths as it is shown: `85 %`, or the intensity `4.2`."""
        return f"{percent} %" if self.measure == "probability" else f"{percent / 20:.1f}"

    def as_coded(self, occurrences: NDArray[np.bool_]) -> tuple[int, ...]:
        """The columns that a FACS coder would write, by FACS number: `12` for both sides, `L12` for one.

        occurrences: (AUs,). Of an AU with sides there is either the whole or the one side that occurs alone.
        """
        coded = occurrences.copy()
        for side in np.flatnonzero(self.opposite >= 0):
            alone = occurrences[side] and not occurrences[self.opposite[side]]
            coded[side] = alone
            if alone:
                coded[self.whole[side]] = False
        return self.in_facs_order(np.flatnonzero(coded).tolist())

    def __len__(self) -> int:
        return len(self.au_names)

    def in_facs_order(self, aus: Collection[int]) -> tuple[int, ...]:
        """The same columns, sorted by FACS number."""
        return tuple(sorted(aus, key=lambda au: int(self.order[au])))
