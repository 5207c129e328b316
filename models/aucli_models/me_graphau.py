"""ME-GraphAU (Luo et al., IJCAI 2022), stage 1 and stage 2.

Stage 1 relates AUs by their K nearest neighbours, stage 2 by learned multi-dimensional edges.
K is 4 for BP4D and 3 for DISFA: the released code's values; the paper's text has them swapped.

The paper has no sided AUs. Here they have no node, as in OpenGraphAU: AU12L reads the feature of AU12's node
with its own trained vector.
"""

from __future__ import annotations

from torch import Tensor, nn

from aucli_models.au import parse, unsided
from aucli_models.au_graph import AUGraphNetwork
from aucli_models.layers import at_least_float32
from aucli_models.output import AUOutput

NEIGHBOURS = {"bp4d": 4, "disfa": 3}
DEFAULT_NEIGHBOURS = 4


class MEGraphAU(AUGraphNetwork):
    """Pictures float32 (batch, 3, side, side), normalised -> :class:`AUOutput`.

    Args:
        backbone: a name of `BACKBONES`.
        au_set: a name of `AU_SETS`; its order is the output's.
        stage: 1 (nearest-neighbour graph) or 2 (edge graph).
        metric: similarity of the stage-1 graph, see `neighbour_graph`.
        intensity: whether it reads intensities from the nodes too.

    Raises:
        ValueError: unknown backbone or stage.
    """

    def __init__(
        self, backbone: str, au_set: str, stage: int, metric: str = "dots", *, intensity: bool = False
    ) -> None:
        neighbours = NEIGHBOURS.get(au_set, DEFAULT_NEIGHBOURS)
        super().__init__(backbone, au_set, stage, neighbours=neighbours, metric=metric, outer_relu=True)
        if stage == 2:
            # Classes of an edge (i, k): 2 y_i + y_k. A training aid: left out unless edges are asked for.
            self.edge_fc = nn.Linear(self.channels, 4)
        aus, nodes = self.au_names, unsided(self.au_names)
        node_of_au = None if nodes == aus else [nodes.index(f"AU{parse(au)[0]}") for au in aus]
        self.add_heads(node_of_au, intensity=intensity)

    def forward(self, images: Tensor, *, edges: bool = False) -> AUOutput:
        """`edges=True` adds the logits of the AU pairs' co-occurrence (stage 2 only)."""
        nodes, edge_features = self.node_features(images)
        edge_logits = None
        if edges and edge_features is not None:
            edge_logits = at_least_float32(self.edge_fc(edge_features).flatten(1, 2))
        return self.output(nodes, edge_logits)
