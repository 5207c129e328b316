"""Build a card's network and fill it, strictly and checked."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from aucli.errors import CheckpointError
from aucli.zoo.card import Card
from aucli.zoo.catalogue import find
from aucli.zoo.store import Entry, sha256_of
from aucli_models.registry import ModelSpec, create_model


def load_network(model: str, device: str | torch.device = "cpu") -> tuple[nn.Module, Card]:
    """See `aucli.zoo.load`."""
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
        return create_model(spec_of(card))
    except ValueError as error:
        raise CheckpointError(f"card {card.name}: {error}") from error


def spec_of(card: Card) -> ModelSpec:
    """The network that a card describes."""
    return ModelSpec(
        card.system,
        card.backbone,
        card.au_set,
        card.stage,
        card.crop.size,
        intensity=card.intensity,
        node_layout=card.node_layout,
    )


def read_weights(entry: Entry) -> dict[str, Tensor]:
    """The tensors of the weights file, after its checksum was compared with the card's."""
    path, sha256 = entry.weights_path, entry.card.sha256
    if not path.is_file():
        raise CheckpointError(f"{entry.card.name}: its weights {path} are missing; put them there")
    digest = sha256_of(path)
    if sha256 is None:
        raise CheckpointError(
            f"{entry.card.name}: its card has no sha256 to know the weights by; "
            f'if you trust them, write "sha256": "{digest}" into it'
        )
    if digest != sha256:
        raise CheckpointError(f"{path}: the file is not the one its card describes (sha256 differs)")
    if path.suffix != ".safetensors":
        from aucli.zoo.import_official import read_official

        return read_official(path)[1]
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path}: damaged or not a safetensors file ({error})") from error


def fill(network: nn.Module, weights: Mapping[str, Tensor], name: str) -> None:
    """Copy the weights into the network; every key must be there, fit, and be finite.

    Raises:
        CheckpointError: see `check_fits`.
    """
    # Counters of seen batches matter to training only and are not stored.
    state = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    check_fits(state, weights, name)
    for key, value in state.items():
        value.copy_(weights[key].to(value.dtype))


def check_fits(state: Mapping[str, Tensor], weights: Mapping[str, Tensor], name: str) -> None:
    """Whether the weights have the keys and shapes of `state` and only finite values.

    Raises:
        CheckpointError: missing or surplus keys, other shapes, NaN or infinite values; the keys are named.
    """
    shared = state.keys() & weights.keys()
    for what, keys in (
        ("lacks", state.keys() - weights.keys()),
        ("has the unknown", weights.keys() - state.keys()),
        ("has another shape of", {k for k in shared if state[k].shape != weights[k].shape}),
        ("has values that are not finite in", {k for k, v in weights.items() if not v.isfinite().all()}),
    ):
        if keys:
            shown = ", ".join(sorted(keys)[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
            raise CheckpointError(f"weights of {name}: the file {what} {shown}")
