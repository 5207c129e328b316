"""The parts of networks that run in another form here, as the papers write them: the readable reference.

Nothing but tests and benchmarks uses it. Parameters, keys and numbers are those of the modules it replaces.
Source: Luo et al., IJCAI 2022, section 3.1 (AFG) and 3.2 (FAM, ARM), Fan et al., AAAI 2020 (SCC), and the
authors' code.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aucli_models.au_graph import AUGraphNetwork
from aucli_models.correspondence import SemanticCorrespondence, nearest, of_neighbours
from aucli_models.graph import EdgeFeatures, EdgeGraph
from aucli_models.layers import AUFeatures
from aucli_models.scc import SCC, Doubling

_Module = TypeVar("_Module", bound=nn.Module)


class PlainAUFeatures(AUFeatures):
    """AFG: the blocks of the AUs one after the other."""

    def forward(self, x: Tensor) -> Tensor:
        bn, channels = self.bn, x.shape[-1]
        assert bn.running_mean is not None
        assert bn.running_var is not None
        assert bn.num_batches_tracked is not None
        if bn.training:
            bn.num_batches_tracked += 1
        maps = []
        for au in range(self.aus):
            own = slice(au * channels, (au + 1) * channels)
            y = F.linear(x, self.fc.weight[own], self.fc.bias[own])
            y = F.batch_norm(
                y.mT, bn.running_mean[own], bn.running_var[own], bn.weight[own], bn.bias[own],
                training=bn.training, momentum=bn.momentum or 0.0, eps=bn.eps,
            )  # fmt: skip
            maps.append(F.relu(y).mT)
        return torch.stack(maps, dim=1)


class PlainEdgeFeatures(EdgeFeatures):
    """GEM: a map of (tokens, channels) for each AU by FAM and for each pair of AUs by ARM."""

    def forward(self, au_maps: Tensor, tokens: Tensor) -> Tensor:
        batch, aus = au_maps.shape[:2]
        over_picture = self.FAM(au_maps, tokens.unsqueeze(1))
        start = over_picture.unsqueeze(1).expand(batch, aus, *over_picture.shape[1:])
        end = over_picture.unsqueeze(2).expand(batch, aus, *over_picture.shape[1:])
        maps = self.edge_proj(self.ARM(start, end)).flatten(1, 2)  # (batch, aus * aus, tokens, channels)
        edges: Tensor = self.bn(maps).mean(2)
        return edges.view(batch, aus, aus, -1)


class PlainCorrespondence(SemanticCorrespondence):
    """SCC's edge convolution: one product for each node and neighbour."""

    def convolve(self, nodes: Tensor) -> Tensor:
        neighbours = of_neighbours(nodes, nearest(nodes))
        own = nodes.unsqueeze(2).expand_as(neighbours)
        edges = self.edge(torch.cat([own, neighbours - own], dim=-1))
        normed: Tensor = self.bn(edges.flatten(0, 2))
        return F.relu(normed).view(edges.shape).amax(2)


def to_plain(network: nn.Module) -> nn.Module:
    """A copy of the network, with the same weights and mode, that computes in the plain form."""
    plain = copy.deepcopy(network)
    if isinstance(plain, SCC):
        for doubling in plain.doublings:
            assert isinstance(doubling, Doubling)
            old = doubling.correspondence
            form = PlainCorrespondence(old.channels, old.side, old.node_layout)
            doubling.correspondence = _in_place_of(old, form)
        return plain
    assert isinstance(plain, AUGraphNetwork)
    features = PlainAUFeatures(plain.channels, plain.au_features.aus)
    plain.au_features = _in_place_of(plain.au_features, features)
    if isinstance(plain.graph, EdgeGraph):
        edges = PlainEdgeFeatures(plain.au_features.aus, plain.channels)
        plain.graph.edge_features = _in_place_of(plain.graph.edge_features, edges)
    return plain


def _in_place_of(old: nn.Module, new: _Module) -> _Module:
    parameter = next(old.parameters())
    new.load_state_dict(old.state_dict(), strict=True, assign=True)  # `old` is a copy already
    new.requires_grad_(parameter.requires_grad)
    return new.to(parameter.device, parameter.dtype).train(old.training)
