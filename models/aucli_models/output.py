"""What every network returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class AUOutput:
    """Scores of a batch of faces.

    probabilities: float32 (batch, aus), 0 to 1, in the order of the network's AU set.
    edge_logits: float32 (batch, aus * aus, 4) or None; pair i * aus + k, class 2 y_i + y_k.
    """

    probabilities: Tensor
    edge_logits: Tensor | None = None

    def __repr__(self) -> str:
        edges = None if self.edge_logits is None else tuple(self.edge_logits.shape)
        return f"AUOutput(probabilities={tuple(self.probabilities.shape)}, edge_logits={edges})"
