"""Build a card's network and fill it, strictly and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from torch import Tensor, nn

from aucli.errors import CheckpointError
from aucli.zoo.card import Card
from aucli.zoo.catalogue import Entry, find
from aucli_models.registry import ModelSpec, create_model


def load(model: str, device: str | torch.device = "cpu") -> tuple[nn.Module, Card]:
    """A network in eval mode without gradients, float32, and its card.

    `model` is a name, `builtin`, or a card's .json file. The network takes float32
    (batch, 3, size, size) crops normalised as the card says and returns an `AUOutput` with
    probabilities in the order of `card.au_names`.

    Raises:
        UnknownModelError: no such model.
        CheckpointError: the weights are missing, damaged, or not those of the card.
    """
    entry = find(model)
    network = build(entry.card)
    fill(network, read_weights(entry), entry.card.name)
    return network.to(device).eval().requires_grad_(False), entry.card


def build(card: Card) -> nn.Module:
    """The card's network with random weights.

    Raises:
        CheckpointError: the card names a system, backbone or stage that does not exist.
    """
    try:
        return create_model(ModelSpec(card.system, card.backbone, card.au_set, card.stage, card.crop.size))
    except ValueError as error:
        raise CheckpointError(f"card {card.name}: {error}") from error


def read_weights(entry: Entry) -> dict[str, Tensor]:
    """The tensors of the weights file, after its checksum was compared with the card's."""
    path: Path = entry.weights_path
    if not path.is_file():
        raise CheckpointError(f"{entry.card.name}: its weights {path} are missing; put them beside the card")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry.card.sha256:
        raise CheckpointError(f"{path}: the file is not the one its card describes (sha256 differs)")
    try:
        return parse_safetensors(content)
    except SafetensorError as error:
        raise CheckpointError(f"{path}: damaged or not a safetensors file ({error})") from error


def fill(network: nn.Module, weights: Mapping[str, Tensor], name: str) -> None:
    """Copy the weights into the network; every key must be there, fit, and be finite.

    Raises:
        CheckpointError: missing or surplus keys, other shapes, NaN or infinite values; the keys are named.
    """
    # Counters of seen batches matter to training only and are not stored.
    state = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    for what, keys in (
        ("lacks", state.keys() - weights.keys()),
        ("has the unknown", weights.keys() - state.keys()),
        (
            "has another shape of",
            {k for k in state.keys() & weights.keys() if state[k].shape != weights[k].shape},
        ),
        ("has values that are not finite in", {k for k, v in weights.items() if not v.isfinite().all()}),
    ):
        if keys:
            shown = ", ".join(sorted(keys)[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
            raise CheckpointError(f"weights of {name}: the file {what} {shown}")
    for key, value in state.items():
        value.copy_(weights[key].to(value.dtype))
