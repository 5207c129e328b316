"""What ME-GraphAU and OpenGraphAU share: everything from the picture to the AUs' node features."""

from __future__ import annotations

from torch import Tensor, nn

from aucli_models.backbones import BACKBONES, create_backbone
from aucli_models.graph import EdgeGraph, NeighbourGraph
from aucli_models.layers import AUFeatures, LinearBlock


class AUGraphNetwork(nn.Module):
    """Backbone, AU features (AFG) and a graph of AUs.

    Args:
        backbone: a name of `BACKBONES`.
        nodes: number of AUs that are nodes of the graph.
        stage: 1 (nearest-neighbour graph, ANFL) or 2 (edge graph, MEFL).
        neighbours: K of the stage-1 graph.
        metric: similarity of the stage-1 graph, see `neighbour_graph`.
        outer_relu: order of ReLU and sum in the stage-2 graph, see `GatedGraphLayer`.

    Raises:
        ValueError: unknown backbone or stage.
    """

    def __init__(
        self, backbone: str, nodes: int, stage: int, *, neighbours: int, metric: str, outer_relu: bool
    ) -> None:
        super().__init__()
        if stage not in {1, 2}:
            raise ValueError(f"stage {stage}: ME-GraphAU and OpenGraphAU have stages 1 and 2")
        self.backbone = create_backbone(backbone)
        spec = BACKBONES[backbone]
        self.stage = stage
        self.channels = spec.out_channels
        self.global_linear = LinearBlock(spec.in_channels, self.channels)
        self.au_features = AUFeatures(self.channels, nodes)
        self.graph: nn.Module
        if stage == 1:
            self.graph = NeighbourGraph(nodes, self.channels, neighbours, metric)
        else:
            self.graph = EdgeGraph(nodes, self.channels, outer_relu=outer_relu)

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
