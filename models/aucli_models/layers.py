"""The layers that ME-GraphAU and OpenGraphAU share before and after their graphs.

Shapes: `batch` pictures, `tokens` positions of the backbone's map in row-major order, `channels`.
Source: Luo et al., Learning Multi-dimensional Edge Feature-based AU Relation Graph, IJCAI 2022,
section 3.1, and the authors' code where it is more exact than the paper (batch norm and ReLU).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MAX_INTENSITY = 5.0  # FACS E


class LinearBlock(nn.Module):
    """Linear, batch norm over pictures and tokens, ReLU: (batch, tokens, in) -> (batch, tokens, out)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(in_channels, out_channels)
        self.bn = nn.BatchNorm1d(out_channels)
        nn.init.normal_(self.fc.weight, 0.0, math.sqrt(2.0 / out_channels))
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc(x)
        # Rows are (picture, token) pairs: BatchNorm1d over rows equals the paper code's over (batch, tokens).
        rows: Tensor = self.bn(y.flatten(0, -2))
        return F.relu(rows, inplace=not rows.requires_grad).view(y.shape)


class AUFeatures(LinearBlock):
    """AFG (section 3.1): one `LinearBlock` per AU, computed as a single wide one.

    N blocks of C -> C side by side are one block C -> N*C: the same numbers in one matrix product.
    (batch, tokens, channels) -> (batch, aus, tokens, channels), before the mean over tokens.
    """

    def __init__(self, channels: int, aus: int) -> None:
        super().__init__(channels, aus * channels)
        nn.init.normal_(self.fc.weight, 0.0, math.sqrt(2.0 / channels))
        self.aus = aus

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens = x.shape[:2]
        return super().forward(x).view(batch, tokens, self.aus, -1).movedim(-2, 1)


class CosineAUHead(nn.Module):
    """Probability of each AU: cosine of a node feature and the AU's trained vector (section 3.1, equation 2).

    Both are non-negative after ReLU, so the cosine lies in 0..1; a dead node gives 0.
    (batch, nodes, channels) -> float32 (batch, aus).

    Args:
        aus: number of probabilities.
        channels: of a node feature.
        node_of_au: number of the node that each AU reads; by default AU i reads node i.
    """

    node_of_au: Tensor | None

    def __init__(self, aus: int, channels: int, node_of_au: Sequence[int] | None = None) -> None:
        super().__init__()
        self.sc = nn.Parameter(torch.empty(aus, channels))
        nn.init.xavier_uniform_(self.sc)
        index = None if node_of_au is None else torch.tensor(node_of_au)
        self.register_buffer("node_of_au", index, persistent=False)

    def forward(self, nodes: Tensor) -> Tensor:
        # float32 also under autocast: probabilities near 1 need more digits than bfloat16 has.
        nodes = F.normalize(at_least_float32(nodes), dim=-1)
        if self.node_of_au is not None:
            nodes = nodes[:, self.node_of_au]
        return (nodes * F.normalize(F.relu(at_least_float32(self.sc)), dim=-1)).sum(-1)


class IntensityHead(nn.Module):
    """Intensity of each AU, 0 to 5: a linear read-out of a node feature, which begins at 0.

    (batch, nodes, channels) -> float32 (batch, aus). In train mode it is not cut off at 0 and 5, so that what
    lies outside still learns.

    Args:
        aus, channels, node_of_au: as of `CosineAUHead`.
    """

    node_of_au: Tensor | None

    def __init__(self, aus: int, channels: int, node_of_au: Sequence[int] | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(aus, channels))
        self.bias = nn.Parameter(torch.zeros(aus))
        index = None if node_of_au is None else torch.tensor(node_of_au)
        self.register_buffer("node_of_au", index, persistent=False)

    def forward(self, nodes: Tensor) -> Tensor:
        nodes = at_least_float32(nodes)
        if self.node_of_au is not None:
            nodes = nodes[:, self.node_of_au]
        scaled = (nodes * at_least_float32(self.weight)).sum(-1) + at_least_float32(self.bias)
        intensity = MAX_INTENSITY * scaled
        return intensity if self.training else intensity.clamp(0.0, MAX_INTENSITY)


def at_least_float32(x: Tensor) -> Tensor:
    """The tensor itself, or as float32 where its numbers are shorter."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
