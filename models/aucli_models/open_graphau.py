"""OpenGraphAU: ME-GraphAU's network trained on six datasets for 27 AUs, 7 of them also left and right.

The 27 AUs are the nodes of the graph. A sided AU has no node: it reads the feature of a node with its own
trained vector, and nothing lateral is computed.

AU12L and AU12R read the node of AU11, not of AU12. That is how the authors' code counts, so the released
weights were trained with it; reading AU12 instead changes those two probabilities by up to 0.05.

The gated graph layers differ from ME-GraphAU's in the order of sum and ReLU, and edges have no loss: there
are no edge logits. In the authors' code the metric called `l1` is our `l2` and the other way round.
Source: github.com/lingjivoo/OpenGraphAU and the nested copy in github.com/CVI-SZU/ME-GraphAU.
"""

from __future__ import annotations

from torch import Tensor

from aucli_models.au import AU_SETS, parse, unsided
from aucli_models.au_graph import AUGraphNetwork
from aucli_models.output import AUOutput

NEIGHBOURS = 4
AU_SET = "hybrid"
MAIN_AUS = unsided(AU_SETS[AU_SET])
SIDED_AUS = tuple(name for name in AU_SETS[AU_SET] if parse(name)[1])
_NODE_OF_SIDED = {12: "AU11"}


def node_of(au: str) -> int:
    """Number of the node whose feature an AU of the hybrid set reads."""
    number = parse(au)[0]
    sided = au in SIDED_AUS
    return MAIN_AUS.index(_NODE_OF_SIDED.get(number, f"AU{number}") if sided else au)


class OpenGraphAU(AUGraphNetwork):
    """Pictures float32 (batch, 3, 224, 224), normalised -> :class:`AUOutput` with 41 probabilities.

    Args:
        backbone: a name of `BACKBONES`.
        au_set: `hybrid`: 27 AUs, then 14 sided ones.
        stage: 1 (nearest-neighbour graph) or 2 (edge graph).
        metric: similarity of the stage-1 graph, see `neighbour_graph`.
        intensity: whether it reads intensities from the nodes too.

    Raises:
        ValueError: unknown backbone or stage, another AU set.
    """

    def __init__(
        self, backbone: str, au_set: str, stage: int, metric: str = "dots", *, intensity: bool = False
    ) -> None:
        if au_set != AU_SET:
            raise ValueError(f"AU set {au_set!r}: OpenGraphAU predicts the set {AU_SET}")
        super().__init__(backbone, au_set, stage, neighbours=NEIGHBOURS, metric=metric, outer_relu=False)
        self.add_heads([node_of(au) for au in self.au_names], intensity=intensity)

    def forward(self, images: Tensor, *, edges: bool = False) -> AUOutput:
        """`edges` is taken for the sake of a common interface: this system has no edge logits."""
        nodes, _ = self.node_features(images)
        return self.output(nodes)
