"""The encoder of a masked autoencoder (He et al., CVPR 2022) as OpenGraphAU uses it: ViT-B/16, no mask.

It differs from timm's `vit_base_patch16_224`: no class token, keys have no bias, and positions are the fixed
sines and cosines of Attention Is All You Need over the token's number (not over its row and column).
The attention blocks are those of timm's BEiT, which has the same biases.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

_PIXELS, _PATCH, _BLOCKS, _HEADS = 224, 16, 12, 12


class MAEViTTokens(nn.Module):
    """images float32 (batch, 3, 224, 224) -> (batch, 196, channels), after the last norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.net = _Encoder(channels)

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.net(images)
        return tokens


class _Encoder(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        from timm.layers.patch_embed import PatchEmbed
        from timm.models.beit import Block

        norm: Any = partial(nn.LayerNorm, eps=1e-6)
        self.patch_embed = PatchEmbed(_PIXELS, _PATCH, 3, channels)
        self.blocks = nn.Sequential(
            *(Block(channels, _HEADS, qkv_bias=True, norm_layer=norm) for _ in range(_BLOCKS))
        )
        self.norm = norm(channels)
        tokens = (_PIXELS // _PATCH) ** 2
        self.register_buffer("positions", sinusoid_positions(tokens, channels), persistent=False)
        for module in self.blocks.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.norm(self.blocks(self.patch_embed(images) + self.positions))
        return tokens


def sinusoid_positions(tokens: int, channels: int) -> Tensor:
    """float32 (tokens, channels): sin(n / 10000^(2j / channels)) in channel 2j, the cosine in 2j + 1."""
    numbers = torch.arange(tokens, dtype=torch.float64).unsqueeze(1)
    rates = torch.exp(torch.arange(0, channels, 2, dtype=torch.float64) * (-math.log(10_000.0) / channels))
    angles = numbers * rates
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1).float()
