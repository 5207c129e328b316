"""The two AU relation graphs: K-nearest neighbours (stage 1) and learned edges (stage 2).

Source: Luo et al., IJCAI 2022, section 3.1 (FGG) and 3.2 (MEFL), and the authors' code.
`edge (i, k)` goes from AU k ("start", gives the query) to AU i ("end", gives key and value);
flattened it has number i * aus + k.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from aucli_models.layers import at_least_float32


def neighbour_graph(nodes: Tensor, neighbours: int, metric: str = "dots") -> Tensor:
    """0/1 adjacency (batch, aus, aus) of each AU's K most similar AUs; row = receiving AU.

    nodes: (batch, aus, channels). Ties at the K-th place all count; an AU is its own neighbour only
    if it is among its K most similar. Metrics: `dots`, `cosine`, `l1` (sum of absolute differences),
    `l2` (Euclidean distance).

    Raises:
        ValueError: another metric, or K outside 1..aus.
    """
    if not 1 <= neighbours <= nodes.shape[1]:
        raise ValueError(f"{neighbours} neighbours of {nodes.shape[1]} AUs: choose 1 to {nodes.shape[1]}")
    nodes = at_least_float32(nodes.detach())
    if metric == "dots":
        similarity = nodes @ nodes.mT
    elif metric == "cosine":
        unit = F.normalize(nodes, dim=-1)
        similarity = unit @ unit.mT
    elif metric == "l1":
        similarity = -(nodes.unsqueeze(1) - nodes.unsqueeze(2)).abs().sum(-1)
    elif metric == "l2":
        similarity = -(nodes.unsqueeze(1) - nodes.unsqueeze(2)).square().sum(-1).sqrt()
    else:
        raise ValueError(f"metric {metric!r}: choose dots, cosine, l1 or l2")
    threshold = similarity.topk(neighbours, dim=-1).values[..., -1:]
    return (similarity >= threshold).float()


class NeighbourGraph(nn.Module):
    """FGG: one graph convolution over the K-nearest-neighbour graph; (batch, aus, channels) -> same."""

    def __init__(self, aus: int, channels: int, neighbours: int, metric: str = "dots") -> None:
        super().__init__()
        self.neighbours = neighbours
        self.metric = metric
        self.U = nn.Linear(channels, channels)
        self.V = nn.Linear(channels, channels)
        self.bnv = nn.BatchNorm1d(aus)  # one statistic per AU, over batch and channels
        for linear in (self.U, self.V):
            nn.init.normal_(linear.weight, 0.0, math.sqrt(2.0 / channels))
        nn.init.ones_(self.bnv.weight)
        nn.init.zeros_(self.bnv.bias)

    def forward(self, nodes: Tensor) -> Tensor:
        adjacency = neighbour_graph(nodes, self.neighbours, self.metric)
        # The authors scale with the row sums on both sides, although the graph is not symmetric.
        scale = adjacency.sum(-1).rsqrt()
        adjacency = (scale.unsqueeze(-1) * adjacency * scale.unsqueeze(-2)).to(nodes.dtype)
        update: Tensor = self.bnv(adjacency @ self.V(nodes) + self.U(nodes))
        return F.relu(nodes + update)


class CrossAttention(nn.Module):
    """The linear maps of a single-head cross attention; the products are taken by `EdgeFeatures`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear_q = nn.Linear(channels, channels // 2)
        self.linear_k = nn.Linear(channels, channels // 2)
        self.linear_v = nn.Linear(channels, channels)
        self.scale = (channels // 2) ** -0.5

    def forward(self, query: Tensor, value: Tensor) -> Tensor:
        """Plain form: (..., tokens, channels) twice -> (..., tokens, channels)."""
        attention = self.linear_q(query) @ self.linear_k(value).mT * self.scale
        attended: Tensor = attention.softmax(-1) @ self.linear_v(value)
        return attended


class EdgeFeatures(nn.Module):
    """GEM (section 3.2): a feature for each ordered pair of AUs, exactly, at a fraction of the cost.

    As the paper writes it (`plain.PlainEdgeFeatures`), every pair gets a `tokens x channels` map that is then
    averaged over its tokens. But the rows of a softmax sum to one, so affine maps pass through attention:
    everything between the picture's tokens X and an edge feature can stay in `tokens x tokens`
    matrices, and the maps of X to channels are taken once per picture instead of once per pair:

        at_i = softmax(q(U_i) k(X)^T)        attention of AU i over the picture  (FAM)
        S_ik = softmax(at_k (P Q^T) at_i^T)  attention of AU k over AU i         (ARM)
        edge = BN(S_ik at_i R), R = edge_proj(v_ARM(v_FAM(X)))

    In train mode the batch norm's statistics, one per edge over batch, tokens and channels, follow
    from first and second moments: the sum over channels of (S at R)^2 is S G S^T with
    G_i = at_i R R^T at_i^T. No tensor of (aus^2, tokens, channels) exists in either mode, and the
    attention of all pairs, aus^2 * tokens^2 numbers a picture, is taken in parts.

    reduce_moments: where several processes share a batch, takes means of numbers and of their squares, both
        (aus * aus,), and how many numbers they are of, to those of the whole batch.
    """

    reduce_moments: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor, Tensor]] | None = None

    def __init__(self, aus: int, channels: int) -> None:
        super().__init__()
        self.FAM = CrossAttention(channels)
        self.ARM = CrossAttention(channels)
        self.edge_proj = nn.Linear(channels, channels)
        self.bn = nn.BatchNorm2d(aus * aus)
        nn.init.normal_(self.edge_proj.weight, 0.0, math.sqrt(2.0 / channels))
        nn.init.zeros_(self.edge_proj.bias)

    def forward(self, au_maps: Tensor, tokens: Tensor) -> Tensor:
        """au_maps (batch, aus, tokens, channels), tokens (batch, tokens, channels)
        -> edge features (batch, end aus, start aus, channels).
        """
        values = self.FAM.linear_v(tokens)  # (batch, tokens, channels)
        keys = self.FAM.linear_k(tokens)  # (batch, tokens, channels / 2)
        # q(U) k(X)^T = U (k(X) Wq)^T + bq k(X)^T: the wide product once per picture, not once per AU.
        projected = keys @ self.FAM.linear_q.weight  # (batch, tokens, channels)
        offset = keys @ self.FAM.linear_q.bias  # (batch, tokens)
        # In the order (tokens, aus), in which `AUFeatures` has them in memory: one product, no copy.
        logits = au_maps.transpose(1, 2).flatten(1, 2) @ projected.mT + offset.unsqueeze(1)
        logits = logits.unflatten(1, (-1, au_maps.shape[1])).transpose(1, 2)
        at = (at_least_float32(logits) * self.FAM.scale).softmax(-1)  # (batch, aus, tokens, tokens)

        queries, edge_keys = self.ARM.linear_q(values), self.ARM.linear_k(values)
        between = at_least_float32(queries @ edge_keys.mT) * self.ARM.scale  # (batch, tokens, tokens)
        readout = at_least_float32(self.edge_proj(self.ARM.linear_v(values)))  # R: (batch, tokens, channels)

        # All start AUs' rows stand under each other, so that each end AU is one tall matrix product.
        rows = (at @ between.unsqueeze(1)).flatten(1, 2)  # (batch, k * tokens, tokens)
        squares: Tensor | None = None
        if self.bn.training:
            mean_attention, squares = _attention_moments(rows, at, readout)
        elif rows.requires_grad or rows.device.type != "cpu" or torch.compiler.is_compiling():
            # A loop over numbers that are only known when it runs cannot be captured.
            mean_attention = _mean_attention(rows, at)
        else:
            # The rows of `at` are weights that sum to one: no logit is beyond the largest of `between`.
            mean_attention = _mean_attention_in_cache(rows, at, between.abs().amax((1, 2)))
        features: Tensor = (mean_attention @ at) @ readout.unsqueeze(1)  # (batch, i, k, channels)
        if squares is None:
            assert self.bn.running_mean is not None
            assert self.bn.running_var is not None
            mean, var = self.bn.running_mean, self.bn.running_var
        else:
            mean, var = self._statistics(features, squares, count=len(at) * readout[0].numel())
        scale = self.bn.weight * (var + self.bn.eps).rsqrt()
        shift = self.bn.bias - mean * scale
        aus = au_maps.shape[1]
        return features * scale.view(aus, aus, 1) + shift.view(aus, aus, 1)

    def _statistics(self, features: Tensor, squares: Tensor, *, count: int) -> tuple[Tensor, Tensor]:
        """Mean and variance (aus * aus,) that the batch norm over (batch, tokens, channels) would use.

        squares (end aus, start aus): means over the `count` numbers of each edge.
        """
        mean, square = at_least_float32(features).mean((0, 3)).flatten(), squares.flatten()
        total: Tensor | int = count
        if self.reduce_moments is not None:
            mean, square, total = self.reduce_moments(mean, square, count)
        var = (square - mean.square()).clamp(min=0)
        self._track(mean.detach(), var.detach() * (total / (total - 1)))
        return mean.to(squares.dtype), var.to(squares.dtype)

    def _track(self, mean: Tensor, unbiased_var: Tensor) -> None:
        bn = self.bn
        assert bn.running_mean is not None
        assert bn.running_var is not None
        assert bn.num_batches_tracked is not None
        momentum = bn.momentum if bn.momentum is not None else 0.1
        with torch.no_grad():
            bn.num_batches_tracked += 1
            bn.running_mean.lerp_(mean.to(bn.running_mean.dtype), momentum)
            bn.running_var.lerp_(unbiased_var.to(bn.running_var.dtype), momentum)


_LARGEST_ATTENTION = 2**26
"""Numbers of S_ik that a GPU takes at once: 256 MiB as float32, about 20 faces of 27 AUs with 49 tokens."""


def _mean_attention(rows: Tensor, at: Tensor) -> Tensor:
    """Mean over query tokens of all S_ik: (batch, i, k, tokens).

    rows (batch, k * tokens, tokens) and at (batch, i, tokens, tokens) as in `EdgeFeatures`. As many end AUs
    are taken at once as `_LARGEST_ATTENTION` allows, but at least one.
    """
    aus, tokens = at.shape[1:3]
    at_once = max(1, _LARGEST_ATTENTION // (rows.numel() * tokens))
    parts = []
    for ends in torch.split(at, at_once, dim=1):
        # One product per picture for all of these end AUs: (batch, k * tokens, i * tokens).
        logits = rows @ ends.flatten(1, 2).mT
        attention = logits.view(len(at), aus, tokens, ends.shape[1], tokens).softmax(-1)
        parts.append(attention.mean(2).transpose(1, 2))
    return torch.cat(parts, dim=1)


def _attention_moments(rows: Tensor, at: Tensor, readout: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over query tokens of all S_ik, (batch, i, k, tokens), and the mean squares (i, k) of all maps
    S_ik at_i R, one end AU at a time.

    The backward pass computes the attention again instead of keeping it: training memory then does not
    grow with the number of pairs, and on a CPU it takes no longer than to read it back from memory.
    """
    scaled = readout * readout.shape[2] ** -0.5  # before the products, which may run in float16
    within = at @ (scaled @ scaled.mT).unsqueeze(1) @ at.mT  # G: (batch, i, tokens, tokens)
    means, squares = [], []
    for end, gram in zip(at.unbind(1), within.unbind(1), strict=True):
        mean, square = checkpoint(
            _moments_of_end, rows, end, gram, use_reentrant=False, preserve_rng_state=False
        )
        means.append(mean)
        squares.append(square)
    return torch.stack(means, dim=1), torch.stack(squares) / (len(rows) * at.shape[2])


def _moments_of_end(rows: Tensor, end: Tensor, gram: Tensor) -> tuple[Tensor, Tensor]:
    """Of one end AU: mean attention (batch, k, tokens), and sums (k,) of squares averaged over channels."""
    tokens = end.shape[1]
    attention = (rows @ end.mT).softmax(-1)  # (batch, k * tokens, tokens)
    products = at_least_float32((attention @ gram) * attention)
    shape = (len(end), -1, tokens, tokens)
    return attention.view(shape).mean(2), products.view(shape).sum((0, 2, 3))


_SAFE_LOGIT = 60.0  # e^60 times the tokens, and one over it, are far from float32's limits
_CACHED_NUMBERS = 300_000  # a block of logits of this size (1.2 MB) stays in the cache of a core


def _mean_attention_in_cache(rows: Tensor, at: Tensor, largest_logit: Tensor) -> Tensor:
    """Mean over query tokens of all S_ik: (batch, i, k, tokens), one picture and a few end AUs at a time.

    On a CPU the whole attention of a batch is slower to write and read back than to compute. Where no logit
    can overflow (`largest_logit`, (batch,)), the softmax needs no row maximum, and powers of two take a
    third of the time of exponentials. 25 AUs, one core: 11 ms a face in one piece, 4.3 in pieces, 2.9 so.
    Writes in place: not for gradients.
    """
    aus, tokens = at.shape[1:3]
    mean = rows.new_empty((len(rows), aus, aus, tokens))
    step = max(1, _CACHED_NUMBERS // (aus * tokens * tokens))
    for into, one, ends, largest in zip(mean, rows, at, largest_logit.tolist(), strict=True):
        safe = largest <= _SAFE_LOGIT
        scaled = one * math.log2(math.e) if safe else one
        for first in range(0, aus, step):
            some = ends[first : first + step]
            logits = at_least_float32(scaled @ some.flatten(0, 1).mT).view(aus, tokens, len(some), tokens)
            if safe:
                powers = logits.exp2_()
                attention = powers.div_(powers.sum(-1, keepdim=True))
            else:
                attention = logits.softmax(-1)
            into[first : first + step] = attention.mean(1).transpose(0, 1)
    return mean


class GatedGraphLayer(nn.Module):
    """One gated graph convolution over the full graph (Bresson and Laurent 2017, as in the authors' code).

    `outer_relu` tells the two systems apart: ME-GraphAU x = ReLU(x + BN(y)), OpenGraphAU x = x + ReLU(BN(y)).
    """

    def __init__(self, aus: int, channels: int, *, outer_relu: bool) -> None:
        super().__init__()
        self.outer_relu = outer_relu
        self.U, self.V, self.A, self.B, self.E = (nn.Linear(channels, channels, bias=False) for _ in range(5))
        self.bnv = nn.BatchNorm1d(aus)
        self.bne = nn.BatchNorm1d(aus * aus)
        for linear in (self.U, self.V, self.A, self.B, self.E):
            nn.init.normal_(linear.weight, 0.0, math.sqrt(2.0 / channels))

    def forward(self, nodes: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        """Nodes (batch, aus, channels), edges (batch, i, k, channels) -> both, updated."""
        aus = nodes.shape[1]
        z = self.A(nodes).unsqueeze(2) + self.B(nodes).unsqueeze(1) + self.E(edges)
        edges = edges + F.relu(self.bne(z.flatten(1, 2)).unflatten(1, (aus, aus)))
        gates = edges.sigmoid().softmax(2)
        message = (gates * self.V(nodes).unsqueeze(1)).sum(2) / aus
        update = self.bnv(self.U(nodes) + message)
        return (F.relu(nodes + update) if self.outer_relu else nodes + F.relu(update)), edges


class EdgeGraph(nn.Module):
    """The stage-2 graph: edge features, then two gated layers; returns nodes and edges."""

    def __init__(self, aus: int, channels: int, *, outer_relu: bool, layers: int = 2) -> None:
        super().__init__()
        self.edge_features = EdgeFeatures(aus, channels)
        self.layers = nn.ModuleList(
            GatedGraphLayer(aus, channels, outer_relu=outer_relu) for _ in range(layers)
        )

    def forward(self, au_maps: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """au_maps (batch, aus, tokens, channels), tokens (batch, tokens, channels)
        -> nodes (batch, aus, channels), edges (batch, end aus, start aus, channels).
        """
        nodes = au_maps.mean(2)
        edges = self.edge_features(au_maps, tokens)
        for layer in self.layers:
            nodes, edges = layer(nodes, edges)
        return nodes, edges
