"""What ME-GraphAU and OpenGraphAU share: everything from the picture to the AUs' node features."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from aucli_models.au import AU_SETS, unsided
from aucli_models.backbones import BACKBONES, create_backbone
from aucli_models.graph import EdgeGraph, NeighbourGraph
from aucli_models.layers import AUFeatures, CosineAUHead, IntensityHead, LinearBlock
from aucli_models.output import AUOutput


class AUGraphNetwork(nn.Module):
    """Backbone, AU features (AFG) and a graph of AUs, whose nodes are the AUs without a side.

    Args:
        backbone: a name of `BACKBONES`.
        au_set: a name of `AU_SETS`; its order is the output's.
        stage: 1 (nearest-neighbour graph, ANFL) or 2 (edge graph, MEFL).
        neighbours: K of the stage-1 graph.
        metric: similarity of the stage-1 graph, see `neighbour_graph`.
        outer_relu: order of ReLU and sum in the stage-2 graph, see `GatedGraphLayer`.

    Raises:
        ValueError: unknown backbone or stage.
    """

    def __init__(
        self, backbone: str, au_set: str, stage: int, *, neighbours: int, metric: str, outer_relu: bool
    ) -> None:
        super().__init__()
        if stage not in {1, 2}:
            raise ValueError(f"stage {stage}: ME-GraphAU and OpenGraphAU have stages 1 and 2")
        self.backbone = create_backbone(backbone)
        spec = BACKBONES[backbone]
        self.au_names = AU_SETS[au_set]
        self.stage = stage
        self.channels = spec.out_channels
        self.global_linear = LinearBlock(spec.in_channels, self.channels)
        nodes = len(unsided(self.au_names))
        self.au_features = AUFeatures(self.channels, nodes)
        self.graph: nn.Module
        if stage == 1:
            self.graph = NeighbourGraph(nodes, self.channels, neighbours, metric)
        else:
            self.graph = EdgeGraph(nodes, self.channels, outer_relu=outer_relu)

    def add_heads(self, node_of_au: Sequence[int] | None, *, intensity: bool) -> None:
        """What reads the nodes: `head`, and `intensity_head`, which is None without `intensity`."""
        aus = len(self.au_names)
        self.head = CosineAUHead(aus, self.channels, node_of_au)
        self.intensity_head = IntensityHead(aus, self.channels, node_of_au) if intensity else None

    def output(self, nodes: Tensor, edge_logits: Tensor | None = None) -> AUOutput:
        """What the heads read from node features (batch, nodes, channels)."""
        intensity = None if self.intensity_head is None else self.intensity_head(nodes)
        return AUOutput(self.head(nodes), edge_logits, intensity)

    def node_features(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Node features (batch, nodes, channels) that the head reads; in stage 2 also the edge features
        (batch, end nodes, start nodes, channels). images: float32 (batch, 3, side, side), normalised.
        """
        tokens = self.global_linear(self.backbone(images))
        au_maps = self.au_features(tokens)
        if self.stage == 1:
            return self.graph(au_maps.mean(2)), None
        nodes, edge_features = self.graph(au_maps, tokens)
        return nodes, edge_features
