"""How much of a batch is known; losses are sums divided by it, so that parts of a batch add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from aucli.training.losses import known_states, labelled_entries, labelled_pairs, node_places


@dataclass(frozen=True)
class Counts:
    """What is known over a whole batch, whoever computes its parts."""

    labels: int
    pairs: int
    intensities: int
    coordinates: int = 0  # of landmarks
    states: int = 0  # of regions, see `losses.state_loss`

    @classmethod
    def of(
        cls,
        labels: Tensor,
        intensity: Tensor | None,
        au_names: Sequence[str],
        *,
        landmarks: Tensor | None = None,
        regions: Mapping[str, Sequence[int]] | None = None,
    ) -> Counts:
        """Labels (batch, aus) 1, 0 or -1; intensity (batch, aus) and landmarks (batch, 68, 2), NaN where not
        known.

        Pairs are those of AUs that are nodes of the graph; regions: columns of the AUs of each.

        Raises:
            ValueError: nothing is labelled.
        """
        measured, placed = (
            0 if some is None else int(some.isfinite().sum()) for some in (intensity, landmarks)
        )
        pairs = labelled_pairs(labels[:, node_places(au_names)])
        states = 0 if regions is None else known_states(labels, regions)
        return cls(labelled_entries(labels), pairs, measured, placed, states)
