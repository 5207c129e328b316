"""What MDHR sees of a face: maps of several sizes per frame, and how they change from frame to frame.

Shapes: `frames` pictures, of one clip or of several; `channels` those of everything after `global_linear`.
Source: Wang et al., CVPR 2024, section 3.1 (MFD), and the authors' code, which takes zeros for what lies
beyond the ends of a clip, after batch norm and ReLU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aucli_models.backbones import BACKBONES, create_backbone
from aucli_models.layers import at_least_float32

REACH = 5
"""k of the paper: differences that are averaged on each side of a frame."""
_SQUEEZED = 16  # channels per scale from which the weights of the scales are read


class MultiScaleBackbone(nn.Module):
    """A backbone with a hierarchy: tokens (frames, tokens, channels) and one map per scale.

    Maps are float32 (frames, channels of the stage, side, side), fine to coarse. Of a ResNet they are the
    outputs of its stages. Of a Swin they are the inputs of its stages: what its last stage computes is in the
    tokens only, as in the authors' code.

    Args:
        name: a ResNet or Swin of `BACKBONES`.

    Raises:
        ValueError: unknown name, or a backbone without a hierarchy.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        if name in BACKBONES and BACKBONES[name].family not in {"resnet", "swin"}:
            raise ValueError(
                f"backbone {name!r}: MDHR compares maps of several sizes, which this one has not"
            )
        tokens: Any = create_backbone(name)
        self.spec = BACKBONES[name]
        self.net: Any = tokens.net
        self.positions = tokens.positions if self.spec.placed_tokens else nn.Identity()

    @property
    def map_channels(self) -> list[int]:
        """Channels of the maps, fine to coarse."""
        stages = [info["num_chs"] for info in self.net.feature_info]
        if self.spec.family == "swin":
            return stages
        return stages[-4:][: self.spec.stages]  # before them comes the stem

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        maps: list[Tensor] = []
        net = self.net
        if self.spec.family == "swin":
            x: Tensor = net.patch_embed(images)  # (frames, height, width, channels)
            for layer in net.layers:
                x = layer.downsample(x)
                maps.append(x.permute(0, 3, 1, 2))
                x = layer.blocks(x)
            return net.norm(x).flatten(1, 2), maps
        x = net.maxpool(net.act1(net.bn1(net.conv1(images))))
        for stage in range(1, self.spec.stages + 1):
            x = getattr(net, f"layer{stage}")(x)
            maps.append(x)
        return self.positions(x.flatten(2).mT), maps


class Motion(nn.Module):
    """MFD: how the maps change around a frame, over all scales, as tokens (frames, 49, channels).

    Args:
        map_channels: of the maps, fine to coarse; each is twice as wide as the next, the last 7 x 7.
        in_channels: of a scale's changes.
        out_channels: of the tokens.
    """

    def __init__(self, map_channels: Sequence[int], in_channels: int, out_channels: int) -> None:
        super().__init__()
        sides = [1 << (len(map_channels) - 1 - scale) for scale in range(len(map_channels))]
        self.changes = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, in_channels, side, side), nn.BatchNorm2d(in_channels), nn.ReLU()
            )
            for channels, side in zip(map_channels, sides, strict=True)
        )
        self.squeezed = nn.ModuleList(
            nn.Sequential(nn.Conv2d(in_channels, _SQUEEZED, 1), nn.BatchNorm2d(_SQUEEZED), nn.ReLU())
            for _ in map_channels
        )
        self.weights = nn.Conv2d(_SQUEEZED * len(map_channels), len(map_channels), 1)
        self.joined = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels), nn.ReLU()
        )

    def change(self, differences: Sequence[Tensor]) -> list[Tensor]:
        """Of one frame to the next: differences of the maps (pairs, channels, side, side), one per scale ->
        (pairs, in_channels, 7, 7), one per scale. Each pair by itself.
        """
        return [change(x) for change, x in zip(self.changes, differences, strict=True)]

    def scale_weights(self, pooled: Sequence[Tensor]) -> Tensor:
        """Share of each scale: float32 (frames, scales, 7, 7), its sum over the scales 1."""
        squeezed = [squeeze(x) for squeeze, x in zip(self.squeezed, pooled, strict=True)]
        return at_least_float32(self.weights(torch.cat(squeezed, 1))).softmax(1)

    def forward(self, pooled: Sequence[Tensor]) -> Tensor:
        """Changes averaged over the neighbourhood of each frame, (frames, in_channels, 7, 7) per scale."""
        shares = self.scale_weights(pooled)
        mixed = torch.zeros_like(pooled[0])
        for scale, x in enumerate(pooled):
            mixed = mixed + x * shares[:, scale : scale + 1].to(x.dtype)
        joined: Tensor = self.joined(mixed)
        return joined.flatten(2).mT


def mean_around(changes: Tensor, reach: int = REACH) -> Tensor:
    """Mean over 2 `reach` neighbouring changes: (n + 2 reach - 1, ...) -> (n, ...).

    Always in the same order, so that a frame's mean does not depend on where a clip was divided.
    """
    frames = len(changes) - 2 * reach + 1
    total = changes[:frames].clone()
    for place in range(1, 2 * reach):
        total = total + changes[place : place + frames]
    return total / (2 * reach)


def beyond(changes: Tensor, reach: int = REACH) -> Tensor:
    """With the zeros that stand for what lies beyond both ends of a clip: (frames - 1, ...) ->
    (frames - 1 + 2 reach, ...).
    """
    return F.pad(changes, (0, 0) * (changes.ndim - 1) + (reach, reach))
