"""ME-GraphAU (Luo et al., IJCAI 2022), stage 1 and stage 2.

Stage 1 relates AUs by their K nearest neighbours, stage 2 by learned multi-dimensional edges.
K is 4 for BP4D and 3 for DISFA: the released code's values; the paper's text has them swapped.
"""

from __future__ import annotations

from torch import Tensor, nn

from aucli_models.au import AU_SETS
from aucli_models.au_graph import AUGraphNetwork
from aucli_models.layers import CosineAUHead, at_least_float32
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

    Raises:
        ValueError: unknown backbone or stage.
    """

    def __init__(self, backbone: str, au_set: str, stage: int, metric: str = "dots") -> None:
        aus = len(AU_SETS[au_set])
        neighbours = NEIGHBOURS.get(au_set, DEFAULT_NEIGHBOURS)
        super().__init__(backbone, aus, stage, neighbours=neighbours, metric=metric, outer_relu=True)
        if stage == 2:
            # Classes of an edge (i, k): 2 y_i + y_k. A training aid: left out unless edges are asked for.
            self.edge_fc = nn.Linear(self.channels, 4)
        self.head = CosineAUHead(aus, self.channels)

    def forward(self, images: Tensor, *, edges: bool = False) -> AUOutput:
        """`edges=True` adds the logits of the AU pairs' co-occurrence (stage 2 only)."""
        nodes, edge_features = self.node_features(images)
        edge_logits = None
        if edges and edge_features is not None:
            edge_logits = at_least_float32(self.edge_fc(edge_features).flatten(1, 2))
        return AUOutput(self.head(nodes), edge_logits)
