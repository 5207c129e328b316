"""MDHR (Wang et al., CVPR 2024): AUs of every frame of a clip, from appearance and from motion.

Everything is computed frame by frame but for two things: differences of neighbouring frames, averaged over
5 on each side, and one temporal convolution of 5 frames. So frame t depends on frames t - 7 to t + 7 alone
(`HALO`), and a track of any length can be one clip: see `mdhr_stream`.

Shapes: `clips` sequences of `frames` pictures; `rows` is clips * frames, clip after clip; `aus` in the order
of the AU set; `channels` those of everything after `global_linear`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aucli_models.au import AU_SETS
from aucli_models.backbones import BACKBONES
from aucli_models.layers import AUFeatures, CosineAUHead, LinearBlock, at_least_float32
from aucli_models.mdhr_motion import REACH, Motion, MultiScaleBackbone, beyond, mean_around
from aucli_models.mdhr_regions import MAP_SIDE, REGIONS, Region, region_of
from aucli_models.output import ClipOutput

CLIP_FRAMES = 16
"""Frames of the clips that the authors train and test on."""
TAPS = 5  # of the temporal convolution
HALO = REACH + TAPS // 2
"""Frames before and after a frame on which its output depends."""


class MDHR(nn.Module):
    """Clips float32 (clips, frames, 3, side, side), normalised, 2 frames or more -> :class:`ClipOutput`.

    Args:
        backbone: a ResNet or Swin of `BACKBONES`; the authors have `resnet50` and `swin_base`.
        au_set: a name of `REGIONS`; its order is the output's.

    Raises:
        ValueError: unknown backbone, one without maps of several sizes, or an AU set without regions.
    """

    def __init__(self, backbone: str, au_set: str) -> None:
        super().__init__()
        if au_set not in REGIONS:
            raise ValueError(f"AU set {au_set!r}: MDHR has face regions for {' and '.join(REGIONS)}")
        self.backbone = MultiScaleBackbone(backbone)
        spec = BACKBONES[backbone]
        self.au_names = AU_SETS[au_set]
        self.regions = REGIONS[au_set]
        self.stage = 1
        self.channels = spec.out_channels
        self.global_linear = LinearBlock(spec.in_channels, self.channels)
        self.motion = Motion(self.backbone.map_channels, spec.in_channels, self.channels)
        self.region_heads = nn.ModuleList(RegionHead(region, self.channels) for region in self.regions)
        self.graph = CrossRegionGraph(self.channels, region_of(au_set, self.au_names))
        self.temporal = TemporalConvolution(len(self.au_names), self.channels)
        self.head = CosineAUHead(len(self.au_names), self.channels)
        in_regions = [au for region in self.regions for au in region.aus]
        order = torch.tensor([in_regions.index(au) for au in self.au_names])
        self.order: Tensor
        self.register_buffer("order", order, persistent=False)  # place of each AU among those of the regions

    def forward(self, clips: Tensor) -> ClipOutput:
        """Raises ValueError for clips of a single frame, which has no motion."""
        count, frames = clips.shape[:2]
        if frames < 2:
            raise ValueError("a clip of one frame has no motion: repeat the frame, as the authors fill clips")
        static, maps = self.appearance(clips.flatten(0, 1))
        changes = self.motion.change([_differences(x, count) for x in maps])
        pooled = [torch.cat([mean_around(beyond(clip)) for clip in _by_clip(x, count)]) for x in changes]
        nodes, region_logits = self.relate(static, pooled)
        half = TAPS // 2
        probabilities = self.read(F.pad(_by_clip(nodes, count), (0, 0, 0, 0, half, half)))
        return ClipOutput(
            probabilities,
            {name: _by_clip(logits, count) for name, logits in region_logits.items()},
        )

    def appearance(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Each frame by itself: images (rows, 3, side, side) -> tokens (rows, 49, channels) and the maps
        whose change is motion, see `MultiScaleBackbone`.
        """
        tokens, maps = self.backbone(images)
        return self.global_linear(tokens), maps

    def relate(self, static: Tensor, pooled: Sequence[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Each frame by itself, given the motion around it: tokens of `appearance` and the pooled changes,
        (rows, in_channels, 7, 7) per scale -> AU features (rows, aus, channels) and the logits of the joint
        states of each region, float32 (rows, classes).
        """
        nodes, logits = self.locate(static + self.motion(pooled))
        active = torch.cat([_active(logits[region.name], len(region.aus)) for region in self.regions], 1)[
            :, self.order
        ]
        return self.graph(nodes, active), logits

    def locate(self, tokens: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """LRM: tokens (rows, 49, channels) -> AU features (rows, aus, channels) before the graph, and the
        regions' logits.
        """
        grid = tokens.view(len(tokens), MAP_SIDE, MAP_SIDE, -1)
        found, logits = [], {}
        for region, head in zip(self.regions, self.region_heads, strict=True):
            first, end = region.rows
            features, logits[region.name] = head(grid[:, first:end].flatten(1, 2))
            found.append(features)
        return torch.cat(found, 1)[:, self.order], logits

    def read(self, nodes: Tensor) -> Tensor:
        """AU features (clips, frames + 4, aus, channels), 2 frames more on each side, zeros beyond the ends
        of a clip -> probabilities, float32 (clips, frames, aus).
        """
        features = self.temporal(nodes)
        scores: Tensor = self.head(features.flatten(0, 1))
        return _by_clip(scores, len(features))


class RegionHead(nn.Module):
    """Tokens of a region (rows, tokens, channels) -> features of its AUs (rows, aus, channels), and logits of
    their joint state, float32 (rows, 2 ^ aus).
    """

    def __init__(self, region: Region, channels: int) -> None:
        super().__init__()
        self.block = LinearBlock(channels, channels) if region.own_block else nn.Identity()
        self.au_features = AUFeatures(channels, len(region.aus))
        self.state = nn.Linear(channels, region.classes)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.block(tokens)
        # Not in a shorter type: the best class decides on edges of the graph, which are there or not.
        with torch.autocast(tokens.device.type, enabled=False):
            logits = self.state(at_least_float32(tokens).mean(1))
        return self.au_features(tokens).mean(2), logits


class CrossRegionGraph(nn.Module):
    """CRM: attention of each AU to itself and to the AUs of other regions that seem to occur.

    (rows, aus, channels) and bool (rows, aus) -> (rows, aus, channels).

    Args:
        region_of_au: number of the region of each AU.
    """

    others: Tensor
    itself: Tensor

    def __init__(self, channels: int, region_of_au: Sequence[int]) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, channels, bias=False)
        self.source = nn.Parameter(torch.empty(1, 1, channels))
        self.target = nn.Parameter(torch.empty(1, 1, channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        for weight in (self.linear.weight, self.source, self.target):
            nn.init.xavier_uniform_(weight)
        regions = torch.tensor(region_of_au)
        self.register_buffer("others", regions.unsqueeze(1) != regions, persistent=False)
        self.register_buffer("itself", torch.eye(len(regions), dtype=torch.bool), persistent=False)

    def forward(self, nodes: Tensor, active: Tensor) -> Tensor:
        h = self.linear(nodes)
        score = F.leaky_relu(
            (h * self.source).sum(-1, keepdim=True) + (h * self.target).sum(-1, keepdim=True).mT, 0.2
        )
        edges = (self.others & active.unsqueeze(1)) | self.itself
        attention = score.masked_fill(~edges, -torch.inf).softmax(-1)
        return F.elu(attention.to(h.dtype) @ h + nodes + self.bias)


class TemporalConvolution(nn.Module):
    """Each AU's features along time: (clips, frames + 4, aus, channels) -> (clips, frames, aus, channels).

    Five taps for each AU and channel; then a batch norm over AUs, not over channels, and ReLU.
    """

    def __init__(self, aus: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(aus * channels, aus * channels, TAPS, groups=aus * channels)
        self.norm = nn.BatchNorm1d(aus)

    def forward(self, nodes: Tensor) -> Tensor:
        aus, channels = nodes.shape[2:]
        y: Tensor = self.conv(nodes.flatten(2).mT).mT
        rows = self.norm(y.reshape(-1, aus, channels))
        return _by_clip(F.relu(rows), len(y))


def _differences(maps: Tensor, clips: int) -> Tensor:
    """To the next frame's map in its clip: (clips * frames, ...) -> (clips * (frames - 1), ...)."""
    return _by_clip(maps, clips).diff(dim=1).flatten(0, 1)


def _by_clip(rows: Tensor, clips: int) -> Tensor:
    """(clips * n, ...) -> (clips, n, ...)."""
    return rows.view(clips, -1, *rows.shape[1:])


def _active(logits: Tensor, aus: int) -> Tensor:
    """Which AUs of a region occur in its likeliest joint state: bool (rows, aus). Without gradient."""
    state = logits.detach().argmax(1, keepdim=True)
    shifts = torch.arange(aus - 1, -1, -1, device=logits.device)
    return (state >> shifts) & 1 > 0
