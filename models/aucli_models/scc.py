"""SCC: intensities of AUs from heatmaps (Fan, Lam and Li, AAAI 2020).

A ResNet's last map is doubled until it has a quarter of the picture's side; after each doubling channels take
over from channels that are active together (`correspondence`). The last layer gives a map for each point of
an AU (`au_points`). An AU's intensity is the mean of its points'.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from aucli_models.au import AU_SETS
from aucli_models.au_points import PICTURE_PIXELS, au_of_point, read_out
from aucli_models.backbones import BACKBONES, create_backbone
from aucli_models.correspondence import EPSILON, NodeLayout, SemanticCorrespondence
from aucli_models.output import IntensityOutput

WIDTHS = (256, 128, 64)
"""Channels after each doubling; a backbone with a finer last map has only the last of them."""


class Doubling(nn.Module):
    """A map of twice the side: transposed convolution, batch norm, ReLU, then the correspondence."""

    def __init__(self, in_channels: int, out_channels: int, side: int, node_layout: NodeLayout) -> None:
        super().__init__()
        twice = nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=False)
        nn.init.trunc_normal_(twice.weight, 0.0, 0.01, -0.02, 0.02)
        self.up = nn.Sequential(twice, nn.BatchNorm2d(out_channels), nn.ReLU())
        self.correspondence = SemanticCorrespondence(out_channels, side, node_layout)

    def forward(self, maps: Tensor) -> Tensor:
        related: Tensor = self.correspondence(self.up(maps))
        return related


class SCC(nn.Module):
    """Pictures float32 (batch, 3, side, side), normalised -> :class:`IntensityOutput`.

    Args:
        backbone: a ResNet of `BACKBONES`.
        au_set: a name of `AU_SETS`; its order is the output's.
        input_size: pixels, side of a picture; 256 for the authors'.
        node_layout: see `SemanticCorrespondence`.

    Raises:
        ValueError: a backbone that is not a ResNet, or a size that is not a multiple of its last map's.
    """

    mean_of_points: Tensor

    def __init__(
        self, backbone: str, au_set: str, input_size: int = 256, node_layout: NodeLayout = "channels"
    ) -> None:
        super().__init__()
        if backbone in BACKBONES and BACKBONES[backbone].family != "resnet":
            raise ValueError(f"scc needs the maps of a ResNet, not {backbone}")
        if node_layout not in ("authors", "channels"):
            raise ValueError(f"unknown node layout {node_layout!r}: authors or channels")
        self.backbone = create_backbone(backbone)
        spec = BACKBONES[backbone]
        stride = 2 ** (spec.stages + 1)
        side = input_size // stride
        if input_size % stride or side == 0 or spec.placed_tokens not in (0, side * side):
            raise ValueError(f"scc on {backbone}: pictures of {input_size} pixels do not fit its maps")
        self.side = side
        self.stage = 1  # there is no other
        self.au_set = au_set
        self.au_names = AU_SETS[au_set]
        channels, doublings = spec.in_channels, []
        for width in WIDTHS[-int(math.log2(stride // PICTURE_PIXELS)) :]:
            side *= 2
            doublings.append(Doubling(channels, width, side, node_layout))
            channels = width
        self.doublings = nn.Sequential(*doublings)
        owner = au_of_point(au_set)
        self.out = nn.Conv2d(channels, len(owner), 1)
        nn.init.normal_(self.out.weight, 0.0, math.sqrt(2.0 / channels))
        assert self.out.bias is not None
        nn.init.zeros_(self.out.bias)
        members = torch.tensor([[float(au == own) for au in range(len(self.au_names))] for own in owner])
        self.register_buffer("mean_of_points", members / members.sum(0), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.eps, module.momentum = EPSILON, 0.01  # TensorFlow's decay is 0.99

    def forward(self, images: Tensor) -> IntensityOutput:
        tokens: Tensor = self.backbone(images)
        maps = tokens.mT.reshape(len(images), -1, self.side, self.side)
        heatmaps: Tensor = self.out(self.doublings(maps))
        heatmaps = heatmaps.to(torch.promote_types(heatmaps.dtype, torch.float32))
        points, intensities = read_out(heatmaps)
        # Not a matrix product, which autocast would round.
        of_aus = (intensities.unsqueeze(-1) * self.mean_of_points).sum(1)
        return IntensityOutput(of_aus, points, heatmaps)
