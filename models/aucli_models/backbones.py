"""Backbones: pictures to a row-major sequence of map positions, (batch, tokens, channels).

ResNets and Swins are timm's, bit-equal to the copies of torchvision's and Microsoft's code that the authors
of ME-GraphAU and OpenGraphAU trained; timm is imported when a backbone is built, because that takes seconds.
To add one: an entry in `BACKBONES`, and a class here if its family is new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class BackboneSpec:
    """A backbone by its name: channels of its tokens and of the AU part, and how timm builds it."""

    family: Literal["resnet", "swin", "mae_vit"]
    timm_name: str
    in_channels: int  # of the backbone's tokens
    out_channels: int  # of everything after `global_linear`: a quarter of a ResNet's, half of the others'
    drop_path: float = 0.0  # stochastic depth in training: the authors' rates, timm's default is another
    stages: int = 4  # ResNet stages used; 3 gives a map at 1/16 of the input's side
    placed_tokens: int = 0  # number of tokens with learned positions; 0: none


BACKBONES: dict[str, BackboneSpec] = {
    "resnet18": BackboneSpec("resnet", "resnet18", 512, 128),
    "resnet50": BackboneSpec("resnet", "resnet50", 2048, 512),
    "resnet101": BackboneSpec("resnet", "resnet101", 2048, 512),
    "swin_tiny": BackboneSpec("swin", "swin_tiny_patch4_window7_224", 768, 384, drop_path=0.2),
    "swin_small": BackboneSpec("swin", "swin_small_patch4_window7_224", 768, 384, drop_path=0.3),
    "swin_base": BackboneSpec("swin", "swin_base_patch4_window7_224", 1024, 512, drop_path=0.5),
    "mae_vit_base": BackboneSpec("mae_vit", "", 768, 384),
    # For the built-in model, on 112-pixel crops: three stages keep the 7 x 7 map that the head expects
    # from a quarter of the pixels, learned positions make up for the shorter training.
    "resnet10_small": BackboneSpec("resnet", "resnet10t", 256, 128, stages=3, placed_tokens=49),
}


class ResNetTokens(nn.Module):
    """A timm ResNet without its pooling and classifier.

    images float32 (batch, 3, side, side) -> (batch, side/32 * side/32, channels); side/16 with three stages.
    """

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        import timm

        net: Any = timm.create_model(spec.timm_name, pretrained=False, num_classes=0, global_pool="")
        for number in range(1, 5):
            layer = getattr(net, f"layer{number}") if number <= spec.stages else nn.Identity()
            setattr(net, f"layer{number}", layer)
        self.net: Any = net
        self.positions = (
            TokenPositions(spec.placed_tokens, spec.in_channels) if spec.placed_tokens else nn.Identity()
        )

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.net.forward_features(images)
        tokens = maps.flatten(2).mT
        placed: Tensor = self.positions(tokens)
        return placed


class TokenPositions(nn.Module):
    """Learned scale and offset per map position: the AU features average over positions, so a network that
    starts from random weights otherwise learns slowly where in the face a channel was active.
    """

    def __init__(self, tokens: int, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(tokens, channels))
        self.offset = nn.Parameter(torch.zeros(tokens, channels))

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens * self.scale + self.offset


class SwinTokens(nn.Module):
    """A timm Swin (first version, windows of 7) with its last norm, without pooling and classifier.

    images float32 (batch, 3, 224, 224) -> (batch, 49, channels); other sizes are refused by timm.
    """

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        import timm

        self.net: Any = timm.create_model(
            spec.timm_name, pretrained=False, num_classes=0, global_pool="", drop_path_rate=spec.drop_path
        )

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.net.forward_features(images)  # (batch, height, width, channels)
        return maps.flatten(1, 2)


def create_backbone(name: str) -> nn.Module:
    """The backbone of that name with random weights.

    Raises:
        ValueError: unknown name; the known ones are listed. (The authors' code would build a
            ResNet-50 for any name with "resnet" in it.)
    """
    if name not in BACKBONES:
        raise ValueError(f"unknown backbone {name!r}: choose one of {', '.join(BACKBONES)}")
    spec = BACKBONES[name]
    if spec.family == "resnet":
        return ResNetTokens(spec)
    if spec.family == "swin":
        return SwinTokens(spec)
    from aucli_models.mae_vit import MAEViTTokens

    return MAEViTTokens(spec.in_channels)
