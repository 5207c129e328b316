"""ME-GraphAU (Luo et al., IJCAI 2022), stage 1 and stage 2, with the map from the authors' keys to ours.

Stage 1 relates AUs by their K nearest neighbours, stage 2 by learned multi-dimensional edges.
K is 4 for BP4D and 3 for DISFA: the released code's values; the paper's text has them swapped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from aucli_models.au import AU_SETS
from aucli_models.backbones import BACKBONES, create_backbone
from aucli_models.graph import EdgeGraph, NeighbourGraph
from aucli_models.layers import AUFeatures, CosineAUHead, LinearBlock
from aucli_models.output import AUOutput

NEIGHBOURS = {"bp4d": 4, "disfa": 3}
DEFAULT_NEIGHBOURS = 4


class MEGraphAU(nn.Module):
    """Pictures float32 (batch, 3, side, side), normalised -> :class:`AUOutput`.

    Args:
        backbone: a name of `BACKBONES`.
        au_set: a name of `AU_SETS`; its order is the output's.
        stage: 1 (nearest-neighbour graph) or 2 (edge graph).
        metric: similarity of the stage-1 graph, see `neighbour_graph`.
    """

    def __init__(self, backbone: str, au_set: str, stage: int, metric: str = "dots") -> None:
        super().__init__()
        if stage not in {1, 2}:
            raise ValueError(f"stage {stage}: ME-GraphAU has stages 1 and 2")
        aus = len(AU_SETS[au_set])
        self.backbone = create_backbone(backbone)
        spec = BACKBONES[backbone]
        channels = spec.out_channels
        self.stage = stage
        self.global_linear = LinearBlock(spec.in_channels, channels)
        self.au_features = AUFeatures(channels, aus)
        self.graph: nn.Module
        if stage == 1:
            neighbours = NEIGHBOURS.get(au_set, DEFAULT_NEIGHBOURS)
            self.graph = NeighbourGraph(aus, channels, neighbours, metric)
        else:
            self.graph = EdgeGraph(aus, channels, outer_relu=True)
            # Classes of an edge (i, k): 2 y_i + y_k. A training aid: left out unless edges are asked for.
            self.edge_fc = nn.Linear(channels, 4)
        self.head = CosineAUHead(aus, channels)

    def forward(self, images: Tensor, *, edges: bool = False) -> AUOutput:
        """`edges=True` adds the logits of the AU pairs' co-occurrence (stage 2 only)."""
        nodes, edge_features = self.node_features(images)
        edge_logits = None
        if edges and edge_features is not None:
            edge_logits = self.edge_fc(edge_features).flatten(1, 2).float()
        return AUOutput(self.head(nodes), edge_logits)

    def node_features(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Node features (batch, aus, channels) that the head reads; edge features in stage 2."""
        tokens = self.global_linear(self.backbone(images))
        au_maps = self.au_features(tokens)
        if self.stage == 1:
            return self.graph(au_maps.mean(2)), None
        nodes, edge_features = self.graph(au_maps, tokens)
        return nodes, edge_features


_BLOCK = re.compile(r"head\.class_linears\.(\d+)\.(fc|bn)\.(\w+)")
_GATED = re.compile(r"head\.gnn\.(U|V|A|B|E|bnv|bne)([12])\.(\w+)")


def from_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' state dict (keys without `module.`) with our keys; nothing is dropped.

    Their N separate AU blocks become one wide block; keys that are not theirs pass unchanged, so that a
    strict load names them.
    """
    ours: dict[str, Tensor] = {}
    blocks: dict[str, dict[int, Tensor]] = {}
    for key, value in state.items():
        if match := _BLOCK.fullmatch(key):
            blocks.setdefault(f"au_features.{match[2]}.{match[3]}", {})[int(match[1])] = value
        elif match := _GATED.fullmatch(key):
            ours[f"graph.layers.{int(match[2]) - 1}.{match[1]}.{match[3]}"] = value
        else:
            new = re.sub(r"^backbone\.", "backbone.net.", key)
            new = new.replace("head.edge_extractor.", "graph.edge_features.")
            new = re.sub(r"^head\.gnn\.", "graph.", new)
            ours[re.sub(r"^head\.edge_fc\.", "edge_fc.", new)] = value
    for key, parts in blocks.items():
        ordered = [parts[index] for index in sorted(parts)]
        ours[key] = ordered[0] if ordered[0].ndim == 0 else torch.cat(ordered)
    return ours
