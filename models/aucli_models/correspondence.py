"""SCC's semantic correspondence: each node of a map takes over what its nearest nodes have most of.

A map (batch, channels, side, side) is read as `channels` nodes of side * side values. A node's neighbours are
the 7 nearest by Euclidean distance, itself among them; a 1x1 convolution sees the node and the difference
to a neighbour, and the largest answer over the neighbours is the node's new value.
Source: Fan, Lam and Li, AAAI 2020, section 3.3, with the authors' code where it says more or other things.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NEIGHBOURS = 7  # in the authors' code; a figure of the paper draws 5
EPSILON = 1.001e-5
"""Of every batch norm: the authors ask for 1e-9, and TensorFlow 1.14 takes nothing below this."""

NodeLayout = Literal["authors", "channels"]


class SemanticCorrespondence(nn.Module):
    """(batch, channels, side, side) -> the same shape.

    The convolution W of [x_i, x_j - x_i] is (Wa - Wb) x_i + Wb x_j: two products for each node instead of one
    for each pair, a seventh of the work and the same numbers. Batch norm keeps or turns the order of values
    in a channel, so the maximum over neighbours is taken after it, of what a neighbour contributes.

    Args:
        channels, side: of the map.
        node_layout: which values are a node's. `channels`: a channel of the map, as in the paper. `authors`:
            the map with channels last cut into pieces of side * side, as in the authors' code, so that a
            node is one pixel, some neighbouring pixels or a row; their weights need it.
    """

    def __init__(self, channels: int, side: int, node_layout: NodeLayout) -> None:
        super().__init__()
        self.node_layout = node_layout
        self.channels, self.side = channels, side
        values = side * side
        self.edge = nn.Linear(2 * values, values, bias=False)
        self.bn = nn.BatchNorm1d(values, eps=EPSILON)
        nn.init.normal_(self.edge.weight, 0.0, math.sqrt(2.0 / (2 * values)))

    def forward(self, maps: Tensor) -> Tensor:
        nodes = self.to_nodes(maps)
        return self.to_maps(self.convolve(nodes), maps)

    def convolve(self, nodes: Tensor) -> Tensor:
        """The block on nodes float (batch, nodes, values), the same shape."""
        near = nearest(nodes)
        first, second = self.edge.weight.chunk(2, dim=1)
        own, others = F.linear(nodes, first - second), F.linear(nodes, second)
        if self.training:
            return F.relu(self._normed_edges(own, others, near).amax(2))
        assert self.bn.running_mean is not None
        assert self.bn.running_var is not None
        scale = self.bn.weight * (self.bn.running_var + self.bn.eps).rsqrt()
        shift = self.bn.bias - self.bn.running_mean * scale
        return F.relu(own * scale + shift + of_neighbours(others * scale, near).amax(2))

    def _normed_edges(self, own: Tensor, others: Tensor, near: Tensor) -> Tensor:
        """In training, statistics are over all pairs: (batch, nodes, neighbours, values)."""
        edges = own.unsqueeze(2) + of_neighbours(others, near)
        normed: Tensor = self.bn(edges.flatten(0, 2))
        return normed.view(edges.shape)

    def to_nodes(self, maps: Tensor) -> Tensor:
        if self.node_layout == "channels":
            return maps.flatten(2)
        batch, channels = maps.shape[:2]
        return maps.permute(0, 2, 3, 1).reshape(batch, channels, -1)

    def to_maps(self, nodes: Tensor, like: Tensor) -> Tensor:
        batch, channels, height, width = like.shape
        if self.node_layout == "channels":
            return nodes.view(like.shape)
        return nodes.reshape(batch, height, width, channels).permute(0, 3, 1, 2)


def nearest(nodes: Tensor) -> Tensor:
    """int64 (batch, nodes, 7): the nearest nodes by Euclidean distance, the nearest first.

    nodes: (batch, nodes, values). In float32 also under autocast: with fewer digits other nodes are nearest.
    """
    return squared_distances(nodes).topk(min(NEIGHBOURS, nodes.shape[1]), dim=-1, largest=False).indices


def squared_distances(nodes: Tensor) -> Tensor:
    """float32 or float64 (batch, nodes, nodes)."""
    with torch.autocast(nodes.device.type, enabled=False), torch.no_grad():
        values = nodes.detach().to(torch.promote_types(nodes.dtype, torch.float32))
        lengths = values.square().sum(-1)
        return lengths.unsqueeze(2) - 2 * values @ values.mT + lengths.unsqueeze(1)


def of_neighbours(values: Tensor, near: Tensor) -> Tensor:
    """(batch, nodes, values) at (batch, nodes, neighbours) -> (batch, nodes, neighbours, values)."""
    batch = torch.arange(len(values), device=values.device)[:, None, None]
    return values[batch, near]
