"""Stochastic depth that does not depend on who computes: each picture's blocks are drawn by its place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aucli.training.draws import Draws


class StochasticDepth(nn.Module):
    """timm's DropPath (Huang et al., ECCV 2016) with drawn-ahead decisions, (batch, depths) of 0 and 1."""

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob
        self.kept: Tensor | None = None  # (batch,)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.drop_prob == 0.0:
            return x
        assert self.kept is not None
        kept = self.kept.to(x.dtype) / (1 - self.drop_prob)
        return x * kept.view(-1, *[1] * (x.dim() - 1))


class Depths:
    """All stochastic depths of a network, in their order; replaces timm's in place."""

    def __init__(self, network: nn.Module) -> None:
        from timm.layers.drop import DropPath

        self._depths: list[StochasticDepth] = []
        for module in list(network.modules()):
            for name, child in module.named_children():
                if isinstance(child, DropPath):
                    self._depths.append(StochasticDepth(float(child.drop_prob or 0.0)))
                    setattr(module, name, self._depths[-1])

    def draw(self, draws: Draws) -> None:
        """Decide for the pictures of `draws`, before they go through the network."""
        if not self._depths:
            return
        kept = draws.uniform(len(self._depths))
        for number, depth in enumerate(self._depths):
            depth.kept = (kept[:, number] >= depth.drop_prob).to(torch.float32)
