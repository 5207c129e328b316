"""Where a run starts from: ImageNet, a file, or random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from aucli.errors import CheckpointError, DownloadError, UsageError
from aucli.training.carry_over import as_stage1_graph, carry_over
from aucli.training.stages import Transfer, transfer_all, transfer_backbone, transfer_stage1
from aucli.zoo.card import Card
from aucli.zoo.catalogue import find
from aucli.zoo.network import build, fill, read_weights
from aucli_models.au import unsided
from aucli_models.backbones import BACKBONES
from aucli_models.registry import ModelSpec

IMAGENET, SCRATCH = "imagenet", "scratch"

# The authors start from torchvision's first ImageNet weights and from Microsoft's Swins trained on
# ImageNet-1k; timm's defaults under these names are others.
_TAGS = {"resnet": "tv_in1k", "swin": "ms_in1k"}
_WITHOUT = ("resnet10_small", "mae_vit_base")


@dataclass(frozen=True)
class Start:
    """Weights that a network starts from, under the card that they came with, or the name of `imagenet`."""

    name: str
    card: Card | None = None
    network: nn.Module | None = None

    def stage1(self, spec: ModelSpec) -> nn.Module | None:
        """The network, if it is of stage 1 of just this model."""
        card = self.card
        if card is None or (card.stage, card.au_set, card.backbone) != (1, spec.au_set, spec.backbone):
            return None
        return self.network


def default_start(backbone: str) -> str:
    """`imagenet`, as published, where timm has such weights for the backbone, else `scratch`."""
    return SCRATCH if backbone in _WITHOUT else IMAGENET


def read_start(init: str) -> Start:
    """What `--init` names: imagenet, scratch, a model's name, a card, weights beside a card, or a .pth file.

    Raises:
        UnknownModelError, CheckpointError: no such file, or one that does not fit its card.
    """
    if init in (IMAGENET, SCRATCH):
        return Start(init)
    path = Path(init)
    if path.suffix == ".safetensors":
        if not path.with_suffix(".json").is_file():
            raise CheckpointError(
                f"{init}: there is no card {path.with_suffix('.json').name} beside it that says what it is"
            )
        path = path.with_suffix(".json")
    entry = find(str(path) if path.suffix == ".json" else init)
    network = build(entry.card)
    fill(network, read_weights(entry), entry.card.name)
    return Start(init, entry.card, network)


def start_from(start: Start, network: nn.Module, spec: ModelSpec) -> Transfer:
    """Fill the network from the start; what is left as initialised is named in the result.

    A stage-1 model fills a stage-2 network but for its graph, a model of the same AU set and stage all of
    it. Of a model of another AU set the AUs in common carry over (see `carry_over`), and of ME-GraphAU's
    stage 2 to its stage 1 the graph too. A read-out of intensities begins anew where the model has none.
    Of a model of another system only the backbone carries over.

    Raises:
        DownloadError: ImageNet weights cannot be fetched.
        UsageError: there are none for this backbone.
        CheckpointError: the model is of another backbone, or of stage 2 where stage 1 of OpenGraphAU is
            trained.
    """
    if start.card is None or start.network is None:
        if start.name == SCRATCH:
            return Transfer((), tuple(network.state_dict()), ())
        return _from_imagenet(network, spec)
    card = start.card
    if card.backbone != spec.backbone:
        raise CheckpointError(
            f"--init {start.name}: it is {card.system} on {card.backbone}, not {spec.system} on "
            f"{spec.backbone}"
        )
    if card.system != spec.system:
        return transfer_backbone(start.network, network)
    if card.au_set != spec.au_set or (card.stage, spec.stage, card.system) == (2, 1, "me_graphau"):
        return _of_others(start, card, network, spec)
    if card.stage == spec.stage:
        return transfer_all(start.network, network)
    if card.stage == 1:
        return transfer_stage1(start.network, network)
    raise CheckpointError(
        f"--init {start.name}: it is a model of stage 2 and cannot start stage 1; train --stage 2 with it"
    )


def _of_others(start: Start, card: Card, network: nn.Module, spec: ModelSpec) -> Transfer:
    """From a model of other AUs, or from stage 2 to stage 1."""
    assert start.network is not None
    source = start.network.state_dict()
    if (card.stage, spec.stage, spec.system) == (2, 1, "me_graphau"):
        source = as_stage1_graph(source, len(unsided(card.au_names)))
    elif 2 in (card.stage, spec.stage):  # the graphs differ, or go with the AU set
        source = {key: value for key, value in source.items() if not key.startswith("graph.")}
    try:
        filled, transfer = carry_over(source, card.au_names, network.state_dict(), spec.au_names)
    except ValueError as error:
        raise CheckpointError(f"--init {start.name}: it does not fit at {error}") from error
    network.load_state_dict(filled, strict=True)
    return transfer


def _from_imagenet(network: nn.Module, spec: ModelSpec) -> Transfer:
    backbone = BACKBONES[spec.backbone]
    if spec.backbone in _WITHOUT:
        raise UsageError(
            f"--init imagenet: timm has no ImageNet weights for {spec.backbone}; give --init scratch, or a "
            "model"
        )
    import timm

    name = f"{backbone.timm_name}.{_TAGS[backbone.family]}"
    try:
        trained: Any = timm.create_model(name, pretrained=True, num_classes=0, global_pool="")
    except Exception as error:  # of several libraries, and of none in common
        raise DownloadError(
            f"the ImageNet weights {name} are not in the cache of huggingface_hub and cannot be fetched "
            f"({type(error).__name__}): fetch them where there is a network (hf download timm/{name}) and "
            "take the cache along, or give --init scratch, or --init MODEL to start from another model"
        ) from error
    source: dict[str, Tensor] = trained.state_dict()
    target = network.state_dict()
    filled = tuple(f"backbone.net.{key}" for key in source)
    missing = [key for key in target if key.startswith("backbone.") and key not in filled]
    surplus = [key for key in filled if key not in target]
    if missing or surplus:
        raise CheckpointError(f"{name} does not fit {spec.backbone}: {', '.join([*missing, *surplus][:4])}")
    for key, value in source.items():
        target[f"backbone.net.{key}"] = value
    network.load_state_dict(target, strict=True)
    return Transfer(filled, tuple(key for key in target if key not in filled), ())
