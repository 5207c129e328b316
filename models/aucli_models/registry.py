"""Network names to networks: the one place that knows every system.

To add a system: a module with its network, an entry in `SYSTEMS`, its authors' keys in `official`, a card
in the zoo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from aucli_models.au import AU_SETS
from aucli_models.correspondence import NodeLayout
from aucli_models.mdhr import MDHR
from aucli_models.me_graphau import MEGraphAU
from aucli_models.open_graphau import OpenGraphAU
from aucli_models.scc import SCC


@dataclass(frozen=True)
class ModelSpec:
    """Everything needed to build a network before its weights are known."""

    system: str
    backbone: str
    au_set: str
    stage: int
    input_size: int = 224  # pixels, side of the crop
    intensity: bool = False  # whether it gives intensities; beside probabilities, but for scc
    node_layout: NodeLayout = "channels"  # of scc

    @property
    def au_names(self) -> tuple[str, ...]:
        return AU_SETS[self.au_set]


def _mdhr(spec: ModelSpec) -> MDHR:
    if spec.stage != 1 or spec.intensity:
        raise ValueError("MDHR has one stage, 1, and gives no intensities")
    return MDHR(spec.backbone, spec.au_set)


SYSTEMS: dict[str, Callable[[ModelSpec], nn.Module]] = {
    "me_graphau": lambda spec: MEGraphAU(spec.backbone, spec.au_set, spec.stage, intensity=spec.intensity),
    "open_graphau": lambda spec: OpenGraphAU(
        spec.backbone, spec.au_set, spec.stage, intensity=spec.intensity
    ),
    "mdhr": _mdhr,
    "scc": lambda spec: SCC(spec.backbone, spec.au_set, spec.input_size, spec.node_layout),
}


def create_model(spec: ModelSpec) -> nn.Module:
    """The network of a spec with random weights, in train mode.

    Raises:
        ValueError: unknown system, AU set, backbone or stage; the known ones are named.
    """
    if spec.system not in SYSTEMS:
        raise ValueError(f"unknown system {spec.system!r}: choose one of {', '.join(SYSTEMS)}")
    if spec.au_set not in AU_SETS:
        raise ValueError(f"unknown AU set {spec.au_set!r}: choose one of {', '.join(AU_SETS)}")
    return SYSTEMS[spec.system](spec)
